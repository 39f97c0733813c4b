"""Files in, file out: what `netsurgery convert` does, as one function."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from ..errors import NetsurgeryError, Source
from ..files.overwriting import require_no_input
from ..formats.options import Pixels, Reading
from ..formats.preprocessing import Preprocessing, read_pixels
from ..layers.core.dims import Axis
from ..layers.core.infer import Inferred, Pin, infer
from ..net import Net
from ..options import said
from ..passes.cut import cut
from ..passes.options import Surgery
from ..passes.prepare import prepare
from ..passes.raw_detections import chooses_boxes, raw_detections
from ..passes.recurrent_state import fed_back, forgotten, state_outputs
from .form import ModelForm, Sizes, fixed_sizes
from .onnx.export import axis_names, dim_name
from .onnx.light import read_light
from .onnx.opened import require_opens
from .onnx.save import write_onnx
from .openvino import openvino, write_ir
from .options import Export
from .targets import find_target

READING, SURGERY, PIXELS, EXPORT = Reading(), Surgery(), Pixels(), Export()


@dataclass(frozen=True)
class InputAxis:
    """An axis of an input of the written model: `size` is a number, or the name under which it is free. A tied axis says which layer
    ties it, and whether making the net fully convolutional frees it."""

    input: str
    axis: int
    size: int | str
    tied_by: str = ""
    freed_by_surgery: bool = False


@dataclass(frozen=True)
class Conversion:
    """What was converted: the net as written, the file, its inputs' axes, its outputs, and notes for the user."""

    net: Net
    path: Path
    axes: tuple[InputAxis, ...]
    outputs: tuple[str, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "output": str(self.path),
            "inputs": {
                name: [a.size for a in self.axes if a.input == name]
                for name in dict.fromkeys(a.input for a in self.axes)
            },
            "tied": [
                {
                    "input": a.input,
                    "axis": a.axis,
                    "size": a.size,
                    "by": a.tied_by,
                    "freed_by_surgery": a.freed_by_surgery,
                }
                for a in self.axes
                if a.tied_by
            ],
            "outputs": list(self.outputs),
            "notes": list(self.notes),
        }


def convert(
    prototxt: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None,
    output: str | os.PathLike[str],
    reading: Reading = READING,
    surgery: Surgery = SURGERY,
    pixels: Pixels = PIXELS,
    export: Export = EXPORT,
    calibration: Calibration | None = None,
) -> Conversion:
    """Loads a net, drops what only training needs, operates on it as asked, and writes it: ONNX for `.onnx`, Caffe for `.prototxt`, or
    with `export.to` "caffe2" the two nets of Caffe2 into a folder, with "openvino" its .xml and .bin. `prototxt` may be a caffemodel that
    holds the net as well, without `weights`. What `pixels` say, or else the net's transform_param, is recorded in the model, or with
    `export.bake_preprocessing` done by it, on uint8 RGB images. `calibration` gives the inputs with which int8 is calibrated.

    Raises: NetsurgeryError; nothing is written then.
    """
    path = Path(output)
    if export.to == "openvino":
        return _to_openvino(prototxt, weights, path, reading, surgery, pixels, export, calibration)
    aim = find_target(export.target)
    _require_format(path, pixels, export)
    require_no_input([os.fspath(path)], [os.fspath(file) for file in (prototxt, weights) if file is not None])
    _refuse_precision(path, export, calibration)
    loaded, net = prepare(prototxt, weights, reading, surgery)
    notes = (*net.notes, *forgotten(net))
    if aim is not None:
        if aim.embed and export.weights_mode == "auto":
            export = replace(export, weights_mode="embed")
        if aim.raw and surgery.detections == "boxes" and chooses_boxes(net):
            surgery, net = replace(surgery, detections="raw"), raw_detections(net)
            notes += (f"the choice of boxes is left to your code, as with --detections raw: {aim.title} has none",)
    form = ModelForm(
        fed_back(state_outputs(net), export.outputs) if export.outputs else export.outputs,
        export.fold,
        reading.input_shapes,
        export.static or (aim is not None and aim.fixed),
    )
    pins: Mapping[Axis, Pin] = {}
    if export.to == "caffe2":
        from .caffe2.export import as_caffe2

        nets = as_caffe2(net, form)
        nets.save(path)
        pins = nets.fixed
        notes += nets.notes
    elif path.suffix == ".prototxt":
        from ..formats.save import save_caffe

        has_weights = any(layer.weights for layer in net.layers)
        save_caffe(net, path, path.with_suffix(".caffemodel") if has_weights else None)
    else:
        preprocessing, missing = _preprocessing(loaded, net, export.bake_preprocessing, pixels)
        form = replace(
            form,
            input_shapes=form.input_shapes if preprocessing is None else _with_channels(net, reading.input_shapes),
            opset=export.opset,
            plain=export.plain,
            winograd=export.winograd,
            target=export.target,
            preprocessing=preprocessing,
            bake=export.bake_preprocessing,
            fp16=export.fp16,
            weights=export.weights_mode,
            full_hash=export.full_hash,
            metadata=recorded(reading, surgery, pixels, export),
        )
        if calibration is not None:
            from .onnx.int8 import write_int8

            written = write_int8(net, path, calibration(net, preprocessing or Preprocessing()), form)
        else:
            written = write_onnx(net, path, form)
        notes += (*missing, *written.notes)
        if export.check and not reading.custom_ops:
            require_opens(path)
    axes = tuple(
        replace(a, size=pin.size, tied_by=pin.layer) if (pin := pins.get((a.input, a.axis))) else a
        for a in input_axes(cut(net, form.outputs) if form.outputs else net, form.input_shapes, form.static)
    )
    if path.suffix == ".onnx":
        axes = _axes_of_model(path, {(a.input, a.axis): a for a in axes})
    return Conversion(net, path, axes, tuple(form.outputs or net.outputs), notes)


OPTIONS = "netsurgery.options"


def recorded(reading: Reading, surgery: Surgery, pixels: Pixels, export: Export) -> dict[str, str]:
    """What the model records of the options that shaped it, where they are not the usual ones."""
    words = said(reading, surgery, pixels, export)
    return {OPTIONS: json.dumps(words, sort_keys=True)} if words else {}


def _to_openvino(
    prototxt: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None,
    path: Path,
    reading: Reading,
    surgery: Surgery,
    pixels: Pixels,
    export: Export,
    calibration: Calibration | None,
) -> Conversion:
    """OpenVINO's own format, from the ONNX model that is written for it."""
    if path.suffix != ".xml":
        raise NetsurgeryError(f"'{path}' with --to openvino", expected="a name that ends in .xml")
    others = {
        "--fp16": export.fp16,
        "--int8": calibration,
        "--winograd": export.winograd,
        f"--for {export.target}": export.target,
    }
    for word, asked in others.items():
        if asked:
            raise NetsurgeryError(f"{word} with --to openvino", expected="one of the two")
    openvino()
    pair = [os.fspath(path), os.fspath(path.with_suffix(".bin"))]
    require_no_input(pair, [os.fspath(file) for file in (prototxt, weights) if file is not None])
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "model.onnx")
        plain = replace(export, to=None, target="openvino")
        done = convert(prototxt, weights, model, reading, surgery, pixels, plain)
        write_ir(model, path)
    return replace(done, path=path)


class Calibration(Protocol):
    """Gives inputs such as the net will see, to calibrate int8 with."""

    def __call__(self, net: Net, preprocessing: Preprocessing, /) -> Sequence[Mapping[str, NDArray[Any]]]: ...


def _require_format(path: Path, pixels: Pixels, export: Export) -> None:
    """Raises: NetsurgeryError for a name that does not tell the format, and for what the format cannot hold."""
    to = export.to
    if to not in (None, "caffe2"):
        raise NetsurgeryError(
            f"to '{to}'", expected="caffe2 or openvino; .onnx and .prototxt are told by the name of the output"
        )
    if to is not None and (path.suffix in (".onnx", ".prototxt") or export.weights_mode != "auto"):
        what = f"--weights {export.weights_mode}" if export.weights_mode != "auto" else f"'{path}'"
        raise NetsurgeryError(
            f"{what} with --to {to}", expected="the name of a folder, which gets init_net.pb and predict_net.pb"
        )
    if export.target is not None and path.suffix != ".onnx":
        raise NetsurgeryError(f"--for {export.target} of what is no ONNX model", expected="a name that ends in .onnx")
    if export.winograd and path.suffix != ".onnx":
        raise NetsurgeryError("--winograd of what is no ONNX model", expected="a name that ends in .onnx")
    if to is None and path.suffix not in (".onnx", ".prototxt"):
        raise NetsurgeryError(f"cannot tell the format of '{path}'", expected="a name that ends in .onnx or .prototxt")
    if (path.suffix == ".prototxt" or to) and (export.bake_preprocessing or pixels != PIXELS):
        raise NetsurgeryError(
            f"{'a NetDef' if to else 'a prototxt'} cannot hold what is done to pixels before the net",
            source=Source(str(path)),
            fix="write .onnx, or fold it into the first layer: netsurgery operate --fold-preprocessing",
        )


def _refuse_precision(path: Path, export: Export, calibration: Calibration | None) -> None:
    """Raises: NetsurgeryError for what does not go with fewer bits."""
    if not export.fp16 and calibration is None:
        return
    what = "--int8" if calibration is not None else "--fp16"
    if path.suffix != ".onnx":
        raise NetsurgeryError(f"{what} of what is no ONNX model", source=Source(str(path)), expected="a name in .onnx")
    if calibration is None:
        return
    if export.fp16:
        raise NetsurgeryError("--fp16 and --int8", expected="one of the two")
    if export.bake_preprocessing:
        raise NetsurgeryError("--int8 with --bake-preprocessing", expected="one of the two")
    if export.weights_mode not in ("auto", "embed"):
        raise NetsurgeryError(
            f"--int8 with --weights {export.weights_mode}", expected="--weights embed: every weight changes"
        )


def _preprocessing(loaded: Net, net: Net, baked: bool, pixels: Pixels) -> tuple[Preprocessing | None, tuple[str, ...]]:
    """What the net's input is expected to be, and notes; None where neither the user nor the net says."""
    said = baked or pixels != PIXELS
    shapes = [shape for shape in net.inputs.values() if shape is not None]
    images = len(net.inputs) == 1 and all(len(shape) == 4 and shape[1] in (1, 3) for shape in shapes)
    if not said and not images:
        return None, ()
    try:
        own = read_pixels(loaded, pixels)
    except NetsurgeryError as error:
        if said:
            raise
        return None, (f"what is done to pixels is not recorded: {error.problem}",)
    return (own or Preprocessing() if said else own), ()


def _with_channels(net: Net, shapes: Sizes) -> Sizes:
    """The shapes, with the number of channels of an image that no layer ties: what is done to its pixels is said channel by channel."""
    (name, declared), *others = net.inputs.items()
    if others or declared is None or len(declared) != 4:
        return shapes
    asked = list(shapes.get(name, [None] * 4))
    if len(asked) == 4 and not isinstance(asked[1], int):
        asked[1] = declared[1]
    return {**shapes, name: asked}


def input_axes(net: Net, input_shapes: Sizes | None = None, static: bool = False) -> tuple[InputAxis, ...]:
    """Every axis of every input: its size or its name, and what ties it."""
    inferred = infer(net, fixed_sizes(net, input_shapes, static))
    names = axis_names(input_shapes, inferred)
    axes = []
    for name in net.inputs:
        shape = inferred.shapes[name]
        for i, size in enumerate(shape):
            pin = inferred.pins.get((name, i))
            free = _free_name(inferred, (name, i), names)
            axes.append(
                InputAxis(
                    name,
                    i,
                    size if isinstance(size, int) else free,
                    pin.layer if pin else "",
                    bool(pin) and i >= 2 and _surgery_frees(pin),
                )
            )
    return tuple(axes)


def _axes_of_model(path: Path, by_place: Mapping[Axis, InputAxis]) -> tuple[InputAxis, ...]:
    """The axes of the inputs that the written model has, under its names; what ties them is known of the net."""
    axes = []
    for x in read_light(path).proto.graph.input:
        for i, d in enumerate(x.type.tensor_type.shape.dim):
            size = d.dim_param or int(d.dim_value)
            axes.append(
                replace(by_place[x.name, i], size=size) if (x.name, i) in by_place else InputAxis(x.name, i, size)
            )
    return tuple(axes)


def _free_name(inferred: Inferred, axis: Axis, names: Mapping[Axis, str]) -> str:
    """The name of a free axis: that of the first axis of which it is known that both are equal."""
    name, i = inferred.first(axis)
    return names.get((name, i)) or dim_name(name, i, len(inferred.shapes[name]))


def _surgery_frees(pin: Pin | None) -> bool:
    return pin is not None and pin.layer.endswith("(InnerProduct)")
