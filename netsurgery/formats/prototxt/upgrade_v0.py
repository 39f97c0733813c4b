"""Layers of 2013 (V0) made new: padding folded into the layer it feeds, every field moved to the message it is in now.

    layers { layer { name: "p" type: "padding" pad: 2 } bottom: "x" top: "p" }
    layers { layer { name: "c" type: "conv" num_output: 4 kernelsize: 5 } bottom: "p" top: "c" }
    ->
    layer { name: "c" type: "Convolution" bottom: "x" top: "c"
            convolution_param { num_output: 4 kernel_size: 5 pad: 2 } }

Source: UpgradeV0PaddingLayers and UpgradeV0LayerParameter in src/caffe/util/upgrade_proto.cpp of BVLC Caffe.
"""

from __future__ import annotations

from dataclasses import replace

from ... import _proto
from ...errors import ParseError
from ...message import Field, Message

V0_TYPES = {
    "accuracy": "Accuracy",
    "bnll": "BNLL",
    "concat": "Concat",
    "conv": "Convolution",
    "data": "Data",
    "dropout": "Dropout",
    "euclidean_loss": "EuclideanLoss",
    "flatten": "Flatten",
    "hdf5_data": "HDF5Data",
    "hdf5_output": "HDF5Output",
    "im2col": "Im2col",
    "images": "ImageData",
    "infogain_loss": "InfogainLoss",
    "innerproduct": "InnerProduct",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MultinomialLogisticLoss",
    "pool": "Pooling",
    "relu": "ReLU",
    "sigmoid": "Sigmoid",
    "softmax": "Softmax",
    "softmax_loss": "SoftmaxWithLoss",
    "split": "Split",
    "tanh": "TanH",
    "window_data": "WindowData",
}
"""V0LayerParameter.type strings."""


def _moved(*same: str, **others: str) -> dict[str, str]:
    """Fields that kept their name, and those that have another one now."""
    return {name: name for name in same} | others


_LEARNED = _moved("num_output", "weight_filler", "bias_filler", biasterm="bias_term")
PARAMS = {
    # For each type, the message that its fields moved to and what they are called there.
    "conv": ("convolution_param", _LEARNED | _moved("pad", "group", "stride", kernelsize="kernel_size")),
    "innerproduct": ("inner_product_param", _LEARNED),
    "pool": ("pooling_param", _moved("pad", "stride", "pool", kernelsize="kernel_size")),
    "dropout": ("dropout_param", _moved("dropout_ratio")),
    "lrn": ("lrn_param", _moved("local_size", "alpha", "beta", "k")),
    "concat": ("concat_param", _moved("concat_dim")),
    "data": ("data_param", _moved("source", "rand_skip", batchsize="batch_size")),
    "hdf5_data": ("hdf5_data_param", _moved("source", batchsize="batch_size")),
    "images": (
        "image_data_param",
        _moved("source", "rand_skip", "new_height", "new_width", batchsize="batch_size", shuffle_images="shuffle"),
    ),
    "window_data": (
        "window_data_param",
        _moved(
            "source",
            batchsize="batch_size",
            det_fg_threshold="fg_threshold",
            det_bg_threshold="bg_threshold",
            det_fg_fraction="fg_fraction",
            det_context_pad="context_pad",
            det_crop_mode="crop_mode",
        ),
    ),
    "infogain_loss": ("infogain_loss_param", _moved("source")),
}
TRANSFORMS = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror"}
KEPT = ("name", "blobs", "blobs_lr", "weight_decay")
REPEATED = ("blobs", "blobs_lr", "weight_decay")


def fold_padding(layers: list[Field], notes: list[str]) -> list[Field]:
    """The layers but those of type "padding": the convolution or pooling that reads one takes its bottom and its pad.

    Raises: ParseError for a padding layer that feeds anything else, or has not exactly one bottom and one top.
    """
    writers: dict[str, Message] = {}
    folded = []
    read: set[int] = set()
    for f in layers:
        layer = f.value
        for bottom in layer.all("bottom"):
            padding = writers.get(bottom, layer)
            if padding is not layer and _type(padding) == "padding":
                layer = _padded(layer, padding)
                read.add(id(padding))
                pad = _pad(padding).value
                notes.append(f"layer {_title(padding)} folded into {_title(layer)}: pad {pad}")
        if _type(f.value) != "padding":
            folded.append(replace(f, value=layer))
        writers.update(dict.fromkeys(f.value.all("top"), f.value))
    notes.extend(
        f"layer {_title(f.value)} left out, as Caffe does: no layer reads it"
        for f in layers
        if _type(f.value) == "padding" and id(f.value) not in read
    )
    return folded


def _padded(layer: Message, padding: Message) -> Message:
    if _type(layer) not in ("conv", "pool"):
        raise ParseError(
            f"reads padding layer {_title(padding)}",
            layer=_title(layer),
            source=layer.source,
            expected="only conv and pool layers read a padding layer: its pad becomes theirs",
        )
    for at, side in ((layer, "bottom"), (padding, "bottom"), (padding, "top")):
        names = at.all(side)
        if len(names) != 1:
            raise ParseError(
                f"{len(names)} {side}s{': ' if names else ''}{', '.join(names)}",
                layer=_title(at),
                source=at.source,
                expected=f"one {side}, since a padding layer becomes the pad of the layer that reads it",
            )
    inner = _v0(layer).with_fields(_pad(padding))
    bottom = next(f for f in padding.fields if f.name == "bottom")
    return layer.with_fields(Field("layer", inner, inner.source), bottom)


def _v0(layer: Message) -> Message:
    """The V0LayerParameter inside: protobuf merges them, should there be several."""
    inner: list[Message] = layer.all("layer")
    return inner[0] if len(inner) == 1 else replace(inner[-1], fields=tuple(f for m in inner for f in m.fields))


def _type(layer: Message) -> str:
    return str(_v0(layer).last("type", ""))


def _title(layer: Message) -> str:
    return f"'{_v0(layer).last('name', '')}' ({_type(layer)})"


def _pad(padding: Message) -> Field:
    inner = _v0(padding)
    return next((f for f in reversed(inner.fields) if f.name == "pad"), Field("pad", 0, inner.source))


def from_v0(layer: Message, notes: list[str]) -> Message:
    """The V2 layer of a V0 layer, but for blobs_lr and weight_decay, which are still beside it as in V1.

    A field that the type never had is left out, as Caffe does, with a note. Fields that V0 does not know are forks' and
    stay; so does all of a layer whose type is not known, for the layers to refuse.
    """
    inner = _v0(layer)
    type = _type(layer)
    message, names = PARAMS.get(type, ("", {}))
    outer = [f for f in layer.fields if f.name in ("bottom", "top")]
    own: list[Field] = []
    moved: dict[str, list[Field]] = {}
    last = {f.name: f for f in inner.fields}
    for f in inner.fields:
        if f.name not in REPEATED and last[f.name] is not f:
            continue  # protobuf lets the last one win
        if f.name == "type":
            own.append(replace(f, value=V0_TYPES.get(type, type)))
        elif f.name in TRANSFORMS:
            moved.setdefault("transform_param", []).append(replace(f, name=TRANSFORMS[f.name]))
        elif f.name in names:
            moved.setdefault(message, []).append(replace(f, name=names[f.name]))
        elif f.name in ("bottom", "top"):
            raise ParseError(
                f"{f.name} stands inside the inner layer",
                layer=_title(layer),
                source=f.source,
                expected='beside it: layers { layer { ... } bottom: "x" top: "y" }',
            )
        elif f.name in KEPT or _is_own(f, type):
            own.append(f)
        else:
            _note_dropped(f, f"layers of type {type} have none", layer, notes)
    schema = _proto.message("LayerParameter")
    params = [Field(p, Message(schema[p].type, tuple(fs), fs[0].source), fs[0].source) for p, fs in moved.items()]
    for f in layer.fields:
        if f.name not in ("bottom", "top", "layer"):
            _note_dropped(f, "beside 'layer { ... }' only bottom and top count", layer, notes)
    head = [f for f in own if f.name in ("name", "type")]
    rest = [f for f in own if f.name not in ("name", "type")]
    return replace(layer, fields=(*head, *outer, *rest, *params))


def _is_own(f: Field, type: str) -> bool:
    in_schema = f.name in _proto.message("V0LayerParameter")
    return not in_schema or type not in V0_TYPES or (f.name, type) == ("hdf5_output_param", "hdf5_output")


def _note_dropped(f: Field, why: str, layer: Message, notes: list[str]) -> None:
    place = f"{f.source}: " if str(f.source) else ""
    notes.append(f"{place}layer {_title(layer)}: {f.name} left out, as Caffe does: {why}")
