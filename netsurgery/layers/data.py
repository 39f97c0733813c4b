"""Data layers: blobs that Caffe reads from a database, a list of images or memory."""

from collections.abc import Sequence

from .. import _proto
from .core import LayerType, Params

_WHY = "says where Caffe reads the blobs and how it prepares them; here they are fed as they are"
_FIT = ("WARP", "FIT_LARGE_SIZE_AND_PAD")  # the resize modes whose result has the size asked for
_SSD = (
    "video_type",
    "device_id",
    "video_file",
    "skip_frames",
)  # what SSD's VideoData says, whose items are single frames
_STACKS = ("num_segments", "modality", "name_pattern", "encoded", "grayscale", "length_first", "rand_step", "step")


class Data(LayerType):
    """Tops are net inputs: prepared images and, second, labels.

    Shapes: (batch_size, C, H, W) where the file tells all four (see _image), (batch_size, C, frames, H, W) for clips, and (batch_size)
        for labels; else not declared.
    Source: data_layer.cpp, image_data_layer.cpp, memory_data_layer.cpp, window_data_layer.cpp, hdf5_data_layer.cpp, data_transformer.cpp;
        annotated_data_layer.cpp, video_data_layer.cpp (SSD); video_data_layer.cpp (C3D, chuckcho, yjxiong);
        dense_image_data_layer.cpp (SegNet); memory_data_layer.cpp (naibaf7)
    """

    types = (
        "AnnotatedData",
        "Data",
        "DenseImageData",
        "HDF5Data",
        "ImageData",
        "MemoryData",
        "VideoData",
        "WindowData",
    )
    bottoms = (0, 0)
    tops = (1, None)
    is_input = True
    note = "its tops are inputs; what prepares the images is not done"

    def read(self, p: Params) -> None:
        transform = self._message(p, "transform_param")
        self._message(p, "annotated_data_param")
        if self.type in ("Data", "AnnotatedData"):
            q = self._message(p, "data_param")
        elif self.type == "VideoData":
            q = self._message(p, "image_data_param" if p.has("image_data_param") else "video_data_param")  # C3D 1.0
            single = p.has("data_param") or any(map(q.has, _SSD))
            length = 0 if _stacks(q) else q.get_int("new_length", 0) or int(not single)
            self.frames = (length,) * (length > 0)
        else:
            stem = {"HDF5Data": "hdf5", "DenseImageData": "dense_image", "ImageData": "image"}.get(self.type)
            q = self._message(p, f"{stem or self.type.removesuffix('Data').lower()}_data_param")
        batch = q.get_int("batch_size", 1 if self.type == "ImageData" else 0)
        if self.type == "VideoData":
            batch = batch or self._message(p, "data_param").get_int("batch_size", int(not single))
        image = self._image(q, transform)
        self.image_size: tuple[int, int, int] | None = image
        self.preparation = self._preparation(transform)
        whole = batch > 0 and all(image)
        self.data_shape: tuple[int, ...] | None = (batch, image[0], *self.frames, *image[1:]) if whole else None
        self.label_shape: tuple[int, ...] | None = (batch,) if batch > 0 else None
        if self.type == "DenseImageData":  # a label for each pixel
            self.label_shape = (batch, 1, *image[1:]) if whole else None
        elif self.type in ("AnnotatedData", "HDF5Data"):  # as many as there are
            self.label_shape = None
        if self.type == "MemoryData" and (dims := q.get_ints("dim")):  # naibaf7's: any number of axes
            self.data_shape, self.label_shape, self.image_size = dims, dims[:1], None
        elif self.data_shape is None and (stated := p.message("input_param").messages("shape")):
            self.data_shape, self.image_size = stated[0].get_ints("dim"), None  # Caffe reads it of Input alone

    @staticmethod
    def _message(p: Params, name: str) -> Params:
        q = p.message(name)
        if q.type:
            q.ignore(*_proto.message(q.type), why=_WHY)
        return q

    def _image(self, q: Params, transform: Params) -> tuple[int, int, int]:
        """(C, H, W) of a prepared image, 0 where the file does not tell it."""
        if self.type == "HDF5Data":
            return 0, 0, 0
        if self.type == "MemoryData":  # whatever crop_size says: arrays that are set are not transformed
            return q.get_int("channels", 0), q.get_int("height", 0), q.get_int("width", 0)
        sides, channels = self._read_size(q, transform), self._channels(q, transform)
        if crop := transform.get_int("crop_size") or (q.get_int("crop_size", 0) if self.type == "VideoData" else 0):
            sides = crop, crop
        for h, w in (("crop_h", "crop_w"), ("crop_height", "crop_width")):
            if not crop and transform.get_int(h) and transform.get_int(w):
                sides = transform.get_int(h), transform.get_int(w)
        return channels, *sides

    def _read_size(self, q: Params, transform: Params) -> tuple[int, int]:
        """Height and width of an image before it is cropped."""
        if self.type == "VideoData" and q.get_int("new_height", 0):
            return q.get_int("new_height"), q.get_int("new_width")
        if self.type == "DenseImageData" and q.get_int("crop_height"):
            return q.get_int("crop_height"), q.get_int("crop_width")
        if self.type in ("ImageData", "DenseImageData"):
            return q.get_int("new_height"), q.get_int("new_width")
        for resize in transform.messages("resize_param"):
            resize.ignore(*_proto.message(resize.type), why=_WHY)
            if resize.get_str("resize_mode") in _FIT:
                return resize.get_int("height"), resize.get_int("width")
        return 0, 0

    def _channels(self, q: Params, transform: Params) -> int:
        if self.type == "VideoData" and _stacks(q):  # frames are channels: temporal segment networks
            return (
                (2 if q.get_str("modality") == "FLOW" else 3)
                * q.get_int("new_length", 1)
                * q.get_int("num_segments", 1)
            )
        if self.type == "WindowData":
            return 3
        if self.type in ("ImageData", "DenseImageData", "VideoData"):
            return 3 if q.get_bool("is_color") else 1
        if transform.get_bool("force_color"):
            return 3
        if transform.get_bool("force_gray"):
            return 1
        means = len(transform.get_floats("mean_value"))
        return means if means > 1 else 0

    @staticmethod
    def _preparation(transform: Params) -> str:
        """What is done to the pixels, in words: (pixel - mean) * scale; "" if nothing."""
        steps = []
        if means := transform.get_floats("mean_value"):
            steps.append(f"mean_value {', '.join(f'{m:g}' for m in means)} subtracted")
        if transform.has("mean_file"):
            steps.append(f"the mean of {transform.get_str('mean_file')} subtracted")
        if (scale := transform.get_float("scale")) != 1:
            steps.append(f"then scaled by {scale:g}" if steps else f"scaled by {scale:g}")
        return ", ".join(steps)

    def declared(self, count: int) -> Sequence[tuple[int, ...] | None]:
        return [self.data_shape, self.label_shape, *[None] * count][:count]


def _stacks(q: Params) -> bool:
    """Whether the fields of VideoData are those of yjxiong's Caffe, which makes frames channels."""
    return any(map(q.has, _STACKS))
