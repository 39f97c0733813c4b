"""Six more published nets for sides.py, each said once to a writer: MorePrototxt here, or more_hand.MoreOnnx.

`whole=False` leaves out what BVLC's Caffe has no layer for, so that it can be timed as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import nets


class Writer(nets.Writer, Protocol):
    def image(self, height: int, width: int) -> str: ...
    def information(self) -> str:
        """im_info of Faster R-CNN."""

    def dilated(self, name: str, x: str, out: int, dilation: int) -> str:
        """A 3x3 convolution that keeps the size."""

    def preactivated(self, name: str, x: str) -> str:
        """BatchNorm, Scale and ReLU in front of a convolution."""

    def shuffle(self, name: str, x: str, group: int) -> str: ...
    def deconv(self, name: str, x: str, out: int, kernel: int, stride: int) -> str: ...
    def crop(self, name: str, x: str, like: str, offset: int, size: Sequence[int]) -> str: ...
    def pool_mask(self, name: str, x: str) -> tuple[str, str]: ...
    def unpool(self, name: str, x: str, mask: str, shape: Sequence[int]) -> str:
        """shape: (C, H, W) of what was pooled."""

    def unit(self, name: str, x: str) -> str:
        """Each position's channels to length 1, times a scale for each."""

    def rows(self, name: str, x: str) -> str:
        """(N, C, H, W) -> (N, H W C)"""

    def detections(self, locations: str, scores: str, sources: Sequence[tuple[str, int, Prior]]) -> str: ...
    def proposals(self, scores: str, boxes: str, information: str, size: Sequence[int]) -> str: ...
    def roi_pool(self, x: str, rois: str) -> str: ...


Prior = tuple[int, int, tuple[int, ...], int]
"""min_size, max_size, aspect ratios, step"""


class MorePrototxt(nets.Prototxt):
    def image(self, height: int, width: int) -> str:
        return self._layer("data", "Input", (), params=f"input_param {{ {_shape(1, 3, height, width)} }}")

    def information(self) -> str:
        return self._layer("im_info", "Input", (), params=f"input_param {{ {_shape(1, 3)} }}")

    def dilated(self, name: str, x: str, out: int, dilation: int) -> str:
        sizes = f"num_output: {out} kernel_size: 3 pad: {dilation} dilation: {dilation}"
        return self._layer(name, "Convolution", x, params=f"convolution_param {{ {sizes} }}")

    def preactivated(self, name: str, x: str) -> str:
        y = self._layer(f"{name}/bn", "BatchNorm", x, params="batch_norm_param { use_global_stats: true }")
        self._layer(f"{name}/scale", "Scale", y, y, "scale_param { bias_term: true }")
        return self.relu(f"{name}/relu", y)

    def shuffle(self, name: str, x: str, group: int) -> str:
        return self._layer(name, "ShuffleChannel", x, params=f"shuffle_channel_param {{ group: {group} }}")

    def deconv(self, name: str, x: str, out: int, kernel: int, stride: int) -> str:
        sizes = f"num_output: {out} kernel_size: {kernel} stride: {stride} bias_term: false"
        return self._layer(name, "Deconvolution", x, params=f"convolution_param {{ {sizes} }}")

    def crop(self, name: str, x: str, like: str, offset: int, size: Sequence[int]) -> str:
        return self._layer(name, "Crop", (x, like), params=f"crop_param {{ axis: 2 offset: {offset} }}")

    def pool_mask(self, name: str, x: str) -> tuple[str, str]:
        top = f'{name}" top: "{name}_mask'
        self._layer(name, "Pooling", x, top, "pooling_param { pool: MAX kernel_size: 2 stride: 2 }")
        return name, f"{name}_mask"

    def unpool(self, name: str, x: str, mask: str, shape: Sequence[int]) -> str:
        sizes = f"scale: 2 upsample_h: {shape[1]} upsample_w: {shape[2]}"
        return self._layer(name, "Upsample", (x, mask), params=f"upsample_param {{ {sizes} }}")

    def unit(self, name: str, x: str) -> str:
        across = "across_spatial: false channel_shared: false"
        return self._layer(name, "Normalize", x, params=f"norm_param {{ {across} scale_filler {{ value: 20 }} }}")

    def rows(self, name: str, x: str) -> str:
        orders = " ".join(f"order: {i}" for i in (0, 2, 3, 1))
        self._layer(f"{name}_perm", "Permute", x, params=f"permute_param {{ {orders} }}")
        return self._layer(f"{name}_flat", "Flatten", f"{name}_perm", params="flatten_param { axis: 1 }")

    def detections(self, locations: str, scores: str, sources: Sequence[tuple[str, int, Prior]]) -> str:
        priors = []
        for x, _, (least, most, ratios, step) in sources:
            sizes = f"min_size: {least} max_size: {most} step: {step} offset: 0.5 flip: true clip: false "
            sizes += " ".join(f"aspect_ratio: {r}" for r in ratios)
            sizes += " variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2"
            params = f"prior_box_param {{ {sizes} }}"
            priors.append(self._layer(f"{x}_mbox_priorbox", "PriorBox", (x, "data"), params=params))
        boxes = self._layer("mbox_priorbox", "Concat", priors, params="concat_param { axis: 2 }")
        classes = "reshape_param { shape { dim: 0 dim: -1 dim: 21 } }"
        y = self._layer("mbox_conf_reshape", "Reshape", scores, params=classes)
        y = self._layer("mbox_conf_softmax", "Softmax", y, params="softmax_param { axis: 2 }")
        y = self._layer("mbox_conf_flatten", "Flatten", y, params="flatten_param { axis: 1 }")
        how = (
            "num_classes: 21 share_location: true background_label_id: 0 nms_param { nms_threshold: 0.45 top_k: 400 } "
        )
        how += "code_type: CENTER_SIZE keep_top_k: 200 confidence_threshold: 0.01"
        params = f"detection_output_param {{ {how} }}"
        return self._layer("detection_out", "DetectionOutput", (locations, y, boxes), params=params)

    def proposals(self, scores: str, boxes: str, information: str, size: Sequence[int]) -> str:
        def shaped(name: str, x: str, channels: int) -> str:
            dims = f"dim: 0 dim: {channels} dim: -1 dim: 0"
            return self._layer(name, "Reshape", x, params=f"reshape_param {{ shape {{ {dims} }} }}")

        y = shaped("rpn_cls_score_reshape", scores, 2)
        y = shaped("rpn_cls_prob_reshape", self._layer("rpn_cls_prob", "Softmax", y), 18)
        how = "feat_stride: 16 base_size: 16 min_size: 16 pre_nms_topn: 6000 post_nms_topn: 300 nms_thresh: 0.7 "
        how += "ratio: 0.5 ratio: 1 ratio: 2 scale: 8 scale: 16 scale: 32"
        return self._layer("rois", "Proposal", (y, boxes, information), params=f"proposal_param {{ {how} }}")

    def roi_pool(self, x: str, rois: str) -> str:
        params = "roi_pooling_param { pooled_w: 7 pooled_h: 7 spatial_scale: 0.0625 }"
        return self._layer("roi_pool5", "ROIPooling", (x, rois), params=params)


def _shape(*dims: int) -> str:
    return "shape { " + " ".join(f"dim: {n}" for n in dims) + " }"


def _vgg(w: Writer, x: str, first_pad: int = 1, last_pool: bool = False) -> dict[str, str]:
    """The convolutions of VGG-16; the last of each stage, and the pools, by name."""
    blobs = {}
    for i, (channels, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 1):
        for j in range(1, count + 1):
            pad = first_pad if (i, j) == (1, 1) else 1
            x = w.relu(f"relu{i}_{j}", w.conv(f"conv{i}_{j}", x, channels, 3, pad=pad))
        blobs[f"conv{i}"] = x
        if i < 5 or last_pool:
            x = blobs[f"pool{i}"] = w.pool(f"pool{i}", x, 2, 2)
    return blobs


def densenet121(w: Writer, whole: bool = True) -> None:
    x = w.pool(
        "pool1", w.relu("relu1", w.normalized("1", w.conv("conv1", w.input(224), 64, 7, 2, 3, bias=False))), 3, 2
    )
    channels = 64
    for block, count in enumerate((6, 12, 24, 16), 2):
        for i in range(1, count + 1):
            name = f"conv{block}_{i}"
            y = w.conv(f"{name}/x1", w.preactivated(f"{name}/pre1", x), 128, 1, bias=False)
            y = w.conv(f"{name}/x2", w.preactivated(f"{name}/pre2", y), 32, 3, pad=1, bias=False)
            x, channels = w.concat(f"concat_{block}_{i}", (x, y)), channels + 32
        x = w.preactivated(f"conv{block}_blk", x)
        if block < 5:
            channels //= 2
            x = w.pool(f"pool{block}", w.conv(f"conv{block}_t", x, channels, 1, bias=False), 2, 2, how="AVE")
    w.softmax("prob", w.conv("fc6", w.global_average("pool5", x), 1000, 1))


def shufflenet(w: Writer, whole: bool = True) -> None:
    def conv(name: str, x: str, out: int, kernel: int, stride: int = 1, group: int = 1) -> str:
        y = w.conv(name, x, out, kernel, stride, kernel // 2, group, bias=False)
        return w.normalized(f"_{name}", y)

    x = w.pool("pool1", w.relu("conv1_relu", conv("conv1", w.input(224), 24, 3, 2)), 3, 2)
    channels, unit = 24, 0
    for width, count in ((240, 4), (480, 8), (960, 4)):
        for i in range(count):
            unit, stride = unit + 1, 2 if i == 0 else 1
            name, out = f"resx{unit}", width - channels if i == 0 else width
            y = w.relu(f"{name}_relu1", conv(f"{name}_conv1", x, width // 4 // 3 * 3, 1, group=1 if unit == 1 else 3))
            y = w.shuffle(f"{name}_shuffle", y, 3) if whole else y
            y = conv(f"{name}_conv2", y, width // 4, 3, stride, group=width // 4)
            y = conv(f"{name}_conv3", y, out, 1, group=3)
            if i == 0:
                y = w.concat(f"{name}_concat", (w.pool(f"{name}_match", x, 3, 2, how="AVE"), y))
            else:
                y = w.add(f"{name}_add", (x, y))
            x, channels = w.relu(f"{name}_relu", y), width
    w.softmax("prob", w.conv("fc1000", w.global_average("pool_ave", x), 1000, 1))


def fcn8s(w: Writer, whole: bool = True, size: int = 256) -> None:
    """At 256 x 256, padded by 100 as published."""
    image = w.image(size, size)
    blobs = _vgg(w, image, 100, True)
    x = w.dropout("drop6", w.relu("relu6", w.conv("fc6", blobs["pool5"], 4096, 7)))
    x = w.dropout("drop7", w.relu("relu7", w.conv("fc7", x, 4096, 1)))
    x = w.deconv("upscore2", w.conv("score_fr", x, 21, 1), 21, 4, 2)
    side = (size + 198 + 15) // 16  # of pool4: each pool rounds up
    fifth = 2 * ((side + 1) // 2 - 6) + 2
    y = w.crop("score_pool4c", w.conv("score_pool4", blobs["pool4"], 21, 1), x, 5, (fifth, fifth))
    x = w.deconv("upscore_pool4", w.add("fuse_pool4", (x, y)), 21, 4, 2)
    fourth = 2 * fifth + 2
    y = w.crop("score_pool3c", w.conv("score_pool3", blobs["pool3"], 21, 1), x, 9, (fourth, fourth))
    x = w.deconv("upscore8", w.add("fuse_pool3", (x, y)), 21, 16, 8)
    w.crop("score", x, image, 31, (size, size))


def segnet(w: Writer, whole: bool = True, size: tuple[int, int] = (192, 256)) -> None:
    """At 192 x 256."""

    def conv(name: str, x: str, out: int) -> str:
        return w.relu(f"{name}_relu", w.normalized(f"_{name}", w.conv(name, x, out, 3, pad=1, bias=False)))

    x, stages, sizes = w.image(*size), [], size
    for i, (channels, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 1):
        for j in range(1, count + 1):
            x = conv(f"conv{i}_{j}", x, channels)
        if not whole:
            x = w.pool(f"pool{i}", x, 2, 2)
            continue
        x, mask = w.pool_mask(f"pool{i}", x)
        stages.append((i, mask, channels, count, sizes))
        sizes = -(-sizes[0] // 2), -(-sizes[1] // 2)
    for i, mask, channels, count, shape in reversed(stages):
        x = w.unpool(f"upsample{i}", x, mask, (channels, *shape))
        for j in range(count, 0, -1):
            out = channels if j > 1 or i in (1, 5) else channels // 2
            x = conv(f"conv{i}_{j}_D", x, out)
    if whole:
        w.softmax("prob", w.conv("score", x, 37, 3, pad=1))


SSD_PRIORS: Sequence[Prior] = (
    (30, 60, (2,), 8),
    (60, 111, (2, 3), 16),
    (111, 162, (2, 3), 32),
    (162, 213, (2, 3), 64),
    (213, 264, (2,), 100),
    (264, 315, (2,), 300),
)


def ssd300(w: Writer, whole: bool = True) -> None:
    blobs = _vgg(w, w.input(300))
    x = w.pool("pool5", blobs["conv5"], 3, 1, pad=1)
    x = w.relu("relu6", w.dilated("fc6", x, 1024, 6))
    x = w.relu("relu7", w.conv("fc7", x, 1024, 1))
    four = w.unit("conv4_3_norm", blobs["conv4"]) if whole else blobs["conv4"]
    sources = [(four, 38), (x, 19)]
    for i, (narrow, wide, stride, side) in enumerate(
        ((256, 512, 2, 10), (128, 256, 2, 5), (128, 256, 1, 3), (128, 256, 1, 1)), 6
    ):
        x = w.relu(f"conv{i}_1_relu", w.conv(f"conv{i}_1", x, narrow, 1))
        x = w.relu(f"conv{i}_2_relu", w.conv(f"conv{i}_2", x, wide, 3, stride, stride - 1))
        sources.append((x, side))
    locations, scores = [], []
    for i, ((x, _), (_, _, ratios, _)) in enumerate(zip(sources, SSD_PRIORS, strict=True)):
        count = 2 + 2 * len(ratios)
        heads = w.conv(f"mbox_loc{i}", x, 4 * count, 3, pad=1), w.conv(f"mbox_conf{i}", x, 21 * count, 3, pad=1)
        if whole:
            locations.append(w.rows(f"mbox_loc{i}", heads[0]))
            scores.append(w.rows(f"mbox_conf{i}", heads[1]))
    if whole:
        priors = [(x, side, prior) for (x, side), prior in zip(sources, SSD_PRIORS, strict=True)]
        w.detections(w.concat("mbox_loc", locations), w.concat("mbox_conf", scores), priors)


def faster_rcnn(w: Writer, whole: bool = True, size: tuple[int, int] = (300, 400)) -> None:
    """VGG-16's at 300 x 400, 300 regions."""
    x = _vgg(w, w.image(*size))["conv5"]
    information = w.information() if whole else ""
    y = w.relu("rpn_relu", w.conv("rpn_conv", x, 512, 3, pad=1))
    scores, boxes = w.conv("rpn_cls_score", y, 18, 1), w.conv("rpn_bbox_pred", y, 36, 1)
    if not whole:
        return
    y = w.roi_pool(x, w.proposals(scores, boxes, information, size))
    for i in (6, 7):
        y = w.dropout(f"drop{i}", w.relu(f"relu{i}", w.inner(f"fc{i}", y, 4096)))
    w.inner("bbox_pred", y, 84)
    w.softmax("cls_prob", w.inner("cls_score", y, 21))


NETS: dict[str, Callable[..., None]] = {
    "densenet121": densenet121,
    "shufflenet": shufflenet,
    "ssd300": ssd300,
    "faster_rcnn": faster_rcnn,
    "fcn8s": fcn8s,
    "segnet": segnet,
}
PARTS = ("shufflenet", "ssd300", "faster_rcnn", "segnet")
"""Those of which BVLC's Caffe computes a part only."""
