"""Nets of 2013 (V0) and 2014 (V1) made V2, as Caffe does when it loads them: message tree in, message tree out.

    V0  layers { layer { name: "c" type: "conv" kernelsize: 3 blobs_lr: 1 } bottom: "x" }
    V1  layers { name: "c" type: CONVOLUTION bottom: "x" blobs_lr: 1 convolution_param { kernel_size: 3 } }
    V2  layer { name: "c" type: "Convolution" bottom: "x" param { lr_mult: 1 } convolution_param { kernel_size: 3 } }

Every layer and field keeps the place in the file where it was read.

Source: src/caffe/util/upgrade_proto.cpp of BVLC Caffe.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ... import _proto
from ...errors import ParseError
from ...message import Field, Message, Token
from .typed import resolve
from .upgrade_v0 import fold_padding, from_v0
from .v1_types import V1_TYPES
from .write import to_token

FORK_TYPES = {
    # V1 types that only forks have, under the V2 name of the same layer. ELTWISE_PRODUCT was BVLC's before ELTWISE was.
    "BN": "BN",
    "CLIP": "Clip",
    "CONVOLUTION3D": "Convolution3D",
    "CROP": "AutoCrop",
    "DEPTHWISECONVOLUTION": "DepthwiseConvolution",
    "DETECTIONOUTPUT": "DetectionOutput",
    "ELTWISE_PRODUCT": "Eltwise",
    "INSANITY": "Insanity",
    "LOCAL": "Local",
    "NORMALIZE": "Normalize",
    "POOLING3D": "Pooling3D",
    "PRIORBOX": "PriorBox",
    "RELU6": "ReLU6",
    "RESHAPE": "Reshape",
    "ROIPOOLING": "ROIPooling",
    "ROI_POOLING": "ROIPooling",
    "SMOOTH_L1_LOSS": "SmoothL1Loss",
    "UNPOOLING": "Unpooling",
    "UPSAMPLE": "Upsample",
    "VIDEO_DATA": "VideoData",
}
SPEC_FIELDS = {
    # What V1 writes beside the layer, one value per blob, and V2 in one ParamSpec per blob.
    "param": "name",
    "blob_share_mode": "share_mode",
    "blobs_lr": "lr_mult",
    "weight_decay": "decay_mult",
}
DATA_PARAMS = {
    "Data": "data_param",
    "ImageData": "image_data_param",
    "VideoData": "image_data_param",
    "WindowData": "window_data_param",
}
TRANSFORMS = ("scale", "mean_file", "crop_size", "mirror")


def vintage(net: Message) -> str:
    """How the net's layers are written: V0, V1 or V2; "V1+V2" and the like for a mixture, which `upgrade` refuses."""
    olds = [layer.has("layer") for layer in net.all("layers")]
    met = {"V0": any(olds), "V1": not all(olds), "V2": net.has("layer") or not olds}
    return "+".join(name for name, present in met.items() if present)


def upgrade(net: Message) -> tuple[Message, tuple[str, ...]]:
    """The V2 net that Caffe makes of a net of any vintage, and notes on what was done. What is V2 stays as it is.

    `input` fields become an Input layer named "input" in front; where the file does not say a shape, it has none.
    Types that only forks have get their V2 name; one that is not known stays as written, for the layers to refuse.

    Raises: ParseError if layers of several vintages are mixed, inputs are declared inconsistently, or a V0 padding
    layer feeds what has no pad.
    """
    notes: list[str] = []
    _refuse_mixed(net)
    if net.has("layers"):
        net = _upgrade_layers(net, notes)
    net = _upgrade_inputs(net, notes)
    return _upgrade_batch_norm(net), tuple(notes)


def _refuse_mixed(net: Message) -> None:
    """Caffe refuses V1 with V2, drops the V2 layers of a V0 net, and makes layers without a name of the V1 ones."""
    first: dict[str, Field] = {}
    for f in net.fields:
        if f.name == "layers":
            first.setdefault("V0" if f.value.has("layer") else "V1", f)
        elif f.name == "layer":
            first.setdefault("V2", f)
    if len(first) > 1:
        written = {"V0": "layers { layer { ... } }", "V1": "layers { ... }", "V2": "layer { ... }"}
        met = [f"'{written[v]}' ({v}{f', line {f.source.line}' if f.source.line else ''})" for v, f in first.items()]
        raise ParseError(
            f"layers of several vintages in one net: {' and '.join(met)}",
            source=list(first.values())[1].source,
            expected="one way of writing layers throughout, as Caffe requires",
            fix="rewrite the older layers as 'layer { ... }'",
        )


def _upgrade_layers(net: Message, notes: list[str]) -> Message:
    layers = [f for f in net.fields if f.name == "layers"]
    old = vintage(net)
    if old == "V0":
        layers = [replace(f, value=_forks_typed(from_v0(f.value, notes))) for f in fold_padding(layers, notes)]
    else:
        layers = [replace(f, value=_from_v1(f.value, notes)) for f in layers]
    notes.insert(0, f"{old} net upgraded to V2: {_count(len(layers), 'layer')}")
    inner = "V0LayerParameter" if old == "V0" else "V1LayerParameter"
    upgraded = iter([replace(f, name="layer", value=_as_v2_reads(_gather_specs(f.value), inner)) for f in layers])
    # The layers stay where they were among the fields; folding padding layers leaves fewer of them.
    fields = [f if f.name != "layers" else next(upgraded, None) for f in net.fields]
    return replace(net, fields=tuple(f for f in fields if f is not None), text="")


def _from_v1(layer: Message, notes: list[str]) -> Message:
    """A V1 layer with its V2 type, its transformations where V2 has them, and forks' fields typed as V2 types them."""
    old = _name(layer.last("type", "NONE"))
    new = _forks_typed(
        replace(layer, fields=tuple(replace(f, value=_v2_type(old)) if f.name == "type" else f for f in layer.fields))
    )
    if old == "ELTWISE_PRODUCT":
        eltwise = new.last("eltwise_param", Message("EltwiseParameter", place=layer.place))
        new = new.with_fields(Field("eltwise_param", eltwise.with_fields(Field("operation", "PROD")), eltwise.source))
    return _move_transform(new, notes)


def _forks_typed(layer: Message) -> Message:
    """What the old vintage does not know is typed as V2 types it."""
    fields: list[Field] = []
    for f in layer.fields:
        if isinstance(f.value, Token) or (isinstance(f.value, Message) and not f.value.type):
            fields += resolve(Message(fields=(f,), place=layer.place), "LayerParameter").fields
        else:
            fields.append(f)
    return replace(layer, fields=tuple(fields))


def _name(value: Any) -> str:
    """The name of an enum value; "#45" for a number that the schema does not know."""
    if isinstance(value, int):
        return f"#{value}"
    return value.text if isinstance(value, Token) else str(value)


def _v2_type(name: str) -> str:
    """The V2 type of a V1 type."""
    number = _proto.enum("V1LayerParameter.LayerType").get(name, -1)
    return V1_TYPES.get(number, FORK_TYPES.get(name, name))


def _move_transform(layer: Message, notes: list[str]) -> Message:
    """Scale, mean, crop and mirror that a data layer's own parameters hold, moved to transform_param."""
    name = DATA_PARAMS.get(layer.last("type"), "")
    moved = [f for param in layer.all(name) for f in param.fields if f.name in TRANSFORMS]
    if not moved:
        return layer
    params = [f if f.name != name else replace(f, value=f.value.without(*TRANSFORMS)) for f in layer.fields]
    transform = layer.last("transform_param", Message("TransformationParameter", place=moved[0].place))
    for f in moved:
        transform = transform.with_fields(f)
    what = ", ".join(dict.fromkeys(f.name for f in moved))
    notes.append(f"layer '{layer.last('name', '')}': {what} moved from {name} to transform_param")
    return replace(layer, fields=tuple(params)).with_fields(Field("transform_param", transform, transform.source))


def _gather_specs(layer: Message) -> Message:
    """The V2 layer whose `param` messages hold what the old layer writes beside itself, a value per blob."""
    specs: list[list[Field]] = []
    counts = dict.fromkeys(SPEC_FIELDS, 0)
    for f in layer.fields:
        if f.name in SPEC_FIELDS:
            index = counts[f.name]
            counts[f.name] += 1
            if index == len(specs):
                specs.append([])
            specs[index].append(replace(f, name=SPEC_FIELDS[f.name]))
    new = replace(layer, type="LayerParameter", text="")
    if not specs:
        return new
    params = [Field("param", Message("ParamSpec", tuple(s), s[0].source), s[0].source) for s in specs]
    place = next(i for i, f in enumerate(layer.fields) if f.name in SPEC_FIELDS)
    before, behind = layer.fields[:place], [f for f in layer.fields[place:] if f.name not in SPEC_FIELDS]
    return replace(new, fields=(*before, *params, *behind))


def _as_v2_reads(layer: Message, old: str) -> Message:
    """The layer in which fields that only the old vintage knows (of layers that never came to V2) are words, as they would be read now."""
    schema = _proto.message("LayerParameter")
    return replace(layer, fields=tuple(f if f.name in schema else _word(f, old) for f in layer.fields))


def _word(f: Field, type: str) -> Field:
    value = f.value
    if isinstance(value, Message):
        return replace(f, value=replace(value, type="", fields=tuple(_word(g, value.type) for g in value.fields)))
    return replace(f, value=to_token(f, type))


def _upgrade_inputs(net: Message, notes: list[str]) -> Message:
    """`input` with `input_shape` or `input_dim` made an Input layer in front of the others."""
    inputs = [f for f in net.fields if f.name == "input"]
    dims = [f for f in net.fields if f.name == "input_dim"]
    shapes = [replace(f, name="shape") for f in net.fields if f.name == "input_shape"]
    if not inputs:
        if dims or shapes:
            names = ", ".join(dict.fromkeys(f.name for f in net.fields if f.name in ("input_dim", "input_shape")))
            notes.append(f"{names} left out: without input they mean nothing to Caffe")
            return net.without("input_dim", "input_shape")
        return net
    if dims and len(dims) != 4 * len(inputs):
        raise ParseError(
            f"{_count(len(inputs), 'input')} but {_count(len(dims), 'input_dim value')}",
            source=dims[-1].source,
            expected=f"{4 * len(inputs)} values: num, channels, height and width of each input",
            fix="write input_shape { dim: ... } once per input for a shape that is not 4-dimensional",
        )
    if shapes and len(shapes) != len(inputs):
        raise ParseError(
            f"{_count(len(inputs), 'input')} but {len(shapes)} input_shape",
            source=shapes[-1].source,
            expected="one input_shape for each input",
        )
    of_dims = [Field("shape", _shape(dims[i : i + 4]), dims[i].source) for i in range(0, len(dims), 4)]
    for f, one, other in zip(inputs, shapes, of_dims, strict=False):
        if one.value.all("dim") != other.value.all("dim"):
            line = f" (line {other.source.line})" if other.source.line else ""
            raise ParseError(
                f"input '{f.value}' has shape {_sizes(one)} in input_shape and {_sizes(other)} in input_dim{line}",
                source=one.source,
                expected="one shape for each input",
                fix="remove the input_dim lines: Caffe does not read them beside input_shape",
            )
    return _with_input_layer(net.without("input", "input_dim", "input_shape"), inputs, shapes or of_dims, notes)


def _with_input_layer(net: Message, inputs: list[Field], shapes: list[Field], notes: list[str]) -> Message:
    if not shapes:
        # Caffe leaves such inputs out: old caffemodels have them beside the layer that writes the blob. In a prototxt
        # nothing else writes it, and the shape is unknown.
        writers = {top: x for x in net.all("layer") for top in x.all("top") if top not in x.all("bottom")}
        for f in inputs:
            if f.value in writers:
                writer = writers[f.value].last("name", "")
                notes.append(f"input '{f.value}' left out, as Caffe does: layer '{writer}' writes it")
        inputs = [f for f in inputs if f.value not in writers]
        if not inputs:
            return net
    sizes = [_sizes(shape) for shape in shapes] or ["shape unknown"] * len(inputs)
    listed = ", ".join(f"'{f.value}' ({size})" for f, size in zip(inputs, sizes, strict=True))
    notes.append(f"input{'s' if len(inputs) > 1 else ''} {listed} made an Input layer")
    place = inputs[0].source
    fields = [Field("name", "input", place), Field("type", "Input", place), *(replace(f, name="top") for f in inputs)]
    if shapes:
        fields.append(
            Field("input_param", Message("InputParameter", tuple(shapes), shapes[0].source), shapes[0].source)
        )
    layer = Field("layer", Message("LayerParameter", tuple(fields), place), place)
    first = next((i for i, f in enumerate(net.fields) if f.name == "layer"), len(net.fields))
    return replace(net, fields=(*net.fields[:first], layer, *net.fields[first:]))


def _shape(dims: Iterable[Field]) -> Message:
    fields = tuple(replace(f, name="dim") for f in dims)
    return Message("BlobShape", fields, fields[0].source)


def _sizes(shape: Field) -> str:
    return "x".join(str(d) for d in shape.value.all("dim")) or "()"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def _upgrade_batch_norm(net: Message) -> Message:
    """lr_mult and decay_mult of the three blobs of BatchNorm set to 0: they are statistics that no solver may touch. It steers only
    training, so no note tells of it."""
    fields = [f if f.name != "layer" else replace(f, value=_frozen(f.value)) for f in net.fields]
    if all(a.value is b.value for a, b in zip(fields, net.fields, strict=True)):
        return net
    return replace(net, fields=tuple(fields), text="")


def _frozen(layer: Message) -> Message:
    params = [f for f in layer.fields if f.name == "param"]
    if layer.last("type") != "BatchNorm" or len(params) != 3:
        return layer
    if all(f.value.last("lr_mult") == f.value.last("decay_mult") == 0 for f in params):
        return layer
    zeros = Field("lr_mult", 0.0), Field("decay_mult", 0.0)
    return layer.with_fields(*(replace(f, value=f.value.with_fields(zeros[0]).with_fields(zeros[1])) for f in params))
