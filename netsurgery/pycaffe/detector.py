"""caffe.Detector: a net that scores windows of images, as R-CNN did.

Source: BVLC Caffe, python/caffe/detector.py; Girshick et al., Rich feature hierarchies, appendix A.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError
from ..vision.context import with_context
from . import io
from .classifier import transformer_for
from .net import Net
from .proto import caffe_pb2


class Detector(Net):
    """A net in the phase TEST with its preprocessing.

    mean, input_scale, raw_scale, channel_swap: of the Transformer.
    context_pad: how wide a border of the net's input shows what surrounds the window.
    """

    def __init__(
        self,
        model_file: str,
        pretrained_file: str,
        mean: Any = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ) -> None:
        Net.__init__(self, model_file, caffe_pb2.TEST, weights=pretrained_file)
        self.transformer = transformer_for(self, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def detect_windows(self, images_windows: Iterable[tuple[str, Iterable[Any]]]) -> list[dict[str, Any]]:
        """The first output for each window of each image file, with its `window`, `prediction` and `filename`.

        images_windows: pairs of a file and its windows, (ymin, xmin, ymax, xmax) each; what is cut out is warped to the
        net's input.
        """
        windows, crops = [], []
        for filename, boxes in images_windows:
            image = io.load_image(filename)
            for box in boxes:
                windows.append((filename, box))
                crops.append(self.crop(image, box))
        name = self.inputs[0]
        ready = np.stack([self.transformer.preprocess(name, crop) for crop in crops])
        scores = self.forward_all(None, **{name: ready})[self.outputs[0]]
        return [
            {"window": box, "prediction": score, "filename": filename}
            for (filename, box), score in zip(windows, scores, strict=True)
        ]

    def detect_selective_search(self, image_fnames: Iterable[str]) -> list[dict[str, Any]]:
        """Refused: Selective Search's windows came from a MATLAB program. Raises: NetsurgeryError."""
        raise NetsurgeryError(
            "detect_selective_search needs the MATLAB code of Selective Search, which netsurgery does not run",
            fix="call detect_windows([(filename, windows), ...]) with windows (ymin, xmin, ymax, xmax) of another"
            " proposal method, such as cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()",
        )

    def crop(self, im: NDArray[Any], window: Any) -> NDArray[Any]:
        """The pixels of a window; with context_pad, the window and its surroundings in the net's input size.

        The window is made S / (S - 2 context_pad) times larger about its centre, S the width of the net's input, and
        what of it lies outside of the image is the mean.

        Shapes: (H, W, C) -> (h, w, C), or (S, S, C) with context.
        Raises: ValueError if a window with context lies outside of the image.
        """
        if not self.context_pad:
            top, left, bottom, right = window
            return im[top:bottom, left:right]
        side = self.blobs[self.inputs[0]].width
        fill = np.ones(self.crop_dims, dtype=np.float32) * self.crop_mean
        crop = with_context(im, window, self.context_pad, side, fill)
        if crop is None:
            raise ValueError(f"the window {tuple(window)} lies outside of the image, {im.shape[:2]}")
        return crop

    def configure_crop(self, context_pad: int | None) -> None:
        """Sets crop_dims (H, W, C), context_pad and, with context, crop_mean: the mean as pixels of an image."""
        name = self.inputs[0]
        axes = np.argsort(self.transformer.transpose[name])
        self.crop_dims = np.array(self.blobs[name].data.shape[1:])[axes]
        self.context_pad = context_pad
        if not context_pad:
            return
        mean = self.transformer.mean.get(name)
        if mean is None:
            self.crop_mean: NDArray[Any] = np.zeros(self.crop_dims, dtype=np.float32)
            return
        pixels = mean.copy().transpose(axes)
        if (order := self.transformer.channel_swap.get(name)) is not None:
            pixels = pixels[:, :, np.argsort(order)]
        if (raw_scale := self.transformer.raw_scale.get(name)) is not None:
            pixels = pixels / raw_scale
        self.crop_mean = pixels
