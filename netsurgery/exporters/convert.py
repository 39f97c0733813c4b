"""Files in, file out: what `netsurgery convert` does, as one function."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from ..errors import NetsurgeryError, RewriteError, Source
from ..formats.load import load
from ..formats.preprocessing import Preprocessing, changed, from_net
from ..layers.core.custom import custom_op
from ..layers.core.infer import Pin, infer
from ..net import Net
from ..passes.convolutionalize import convolutionalize
from ..passes.deploy import deploy
from ..passes.initialize import initialize as made_up
from ..passes.raw_detections import raw_detections as with_raw_detections
from .onnx.export import DEFAULT_OPSET, dim_name
from .onnx.save import save_onnx
from .preprocessing import image_name


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
    *,
    to: str | None = None,
    phase: str = "TEST",
    stages: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    ignore_unknown: bool = False,
    custom_ops: Mapping[str, str] | None = None,
    initialize: str | None = None,
    initialize_missing: bool = False,
    seed: int = 0,
    fully_convolutional: bool = False,
    only: Sequence[str] | None = None,
    sliding_pool: bool = False,
    rename: Mapping[str, str] | None = None,
    raw_detections: bool = False,
    outputs: Sequence[str] | None = None,
    input_shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    static: bool = False,
    opset: int = DEFAULT_OPSET,
    fold: bool = True,
    weights_mode: str = "auto",
    full_hash: bool = False,
    mean: str | Sequence[float] | None = None,
    scale: float | None = None,
    raw_scale: float | None = None,
    channel_order: str | None = None,
    pixels_as: str | None = None,
    bake_preprocessing: bool = False,
    fp16: bool = False,
    calibration: Calibration | None = None,
) -> Conversion:
    """Loads a net, drops what only training needs, operates on it as asked, and writes it: ONNX for `.onnx`, Caffe for `.prototxt`, or
    with `to` "caffe2" the two nets of Caffe2 into a folder. `prototxt` may be a caffemodel that holds the net as well, without `weights`.
    `custom_ops` maps layer types to domains: they become nodes of those domains. `raw_detections` leaves DetectionOutput out and gives
    what it starts from. `mean`, `scale`, `raw_scale`, `channel_order` and `pixels_as` say what the input is expected to be (see
    formats.preprocessing), where transform_param does not: it is recorded in the model, or with `bake_preprocessing` done by it, on
    uint8 RGB images.

    Raises: NetsurgeryError; nothing is written then.
    """
    path = Path(output)
    if to not in (None, "caffe2"):
        raise NetsurgeryError(f"to '{to}'", expected="caffe2; .onnx and .prototxt are told by the name of the output")
    if to is not None and (path.suffix in (".onnx", ".prototxt") or weights_mode != "auto"):
        what = f"--weights {weights_mode}" if weights_mode != "auto" else f"'{path}'"
        raise NetsurgeryError(
            f"{what} with --to {to}", expected="the name of a folder, which gets init_net.pb and predict_net.pb"
        )
    if to is None and path.suffix not in (".onnx", ".prototxt"):
        raise NetsurgeryError(f"cannot tell the format of '{path}'", expected="a name that ends in .onnx or .prototxt")
    said = {
        "mean": mean,
        "scale": scale,
        "raw_scale": raw_scale,
        "channel_order": channel_order,
        "convention": pixels_as,
    }
    if (path.suffix == ".prototxt" or to) and (bake_preprocessing or any(value is not None for value in said.values())):
        raise NetsurgeryError(
            f"{'a NetDef' if to else 'a prototxt'} cannot hold what is done to pixels before the net",
            source=Source(str(path)),
            fix="write .onnx, or fold it into the first layer: netsurgery operate --fold-preprocessing",
        )
    _refuse_precision(path, fp16, calibration, bake_preprocessing, weights_mode)
    loaded, net = prepare(
        prototxt,
        weights,
        phase=phase,
        stages=stages,
        settings=settings,
        ignore_unknown=ignore_unknown,
        custom_ops=custom_ops,
        initialize=initialize,
        initialize_missing=initialize_missing,
        seed=seed,
        fully_convolutional=fully_convolutional,
        only=only,
        sliding_pool=sliding_pool,
        rename=rename,
        raw_detections=raw_detections,
        input_shapes=input_shapes,
    )
    notes = net.notes
    if to == "caffe2":
        from .caffe2.export import save_caffe2

        made = save_caffe2(net, path, fold=fold, outputs=outputs, input_shapes=input_shapes, static=static)
        fixed = made.fixed
        axes = tuple(
            replace(a, size=pin.size, tied_by=pin.layer) if (pin := fixed.get((a.input, a.axis))) else a
            for a in input_axes(net, input_shapes, static)
        )
        return Conversion(net, path, axes, tuple(outputs or net.outputs), (*notes, *made.notes))
    if path.suffix == ".prototxt":
        from ..formats.save import save_caffe

        has_weights = any(layer.weights for layer in net.layers)
        save_caffe(net, path, path.with_suffix(".caffemodel") if has_weights else None)
    else:
        preprocessing, missing = _preprocessing(loaded, net, bake_preprocessing, said)
        notes += missing
        options: dict[str, Any] = {
            "full_hash": full_hash,
            "opset": opset,
            "fold": fold,
            "outputs": outputs,
            "input_shapes": input_shapes,
            "static": static,
            "preprocessing": preprocessing,
        }
        if calibration is not None:
            from .onnx.int8 import save_int8

            written = save_int8(net, path, calibration(net, preprocessing or Preprocessing()), **options)
        else:
            written = save_onnx(net, path, weights=weights_mode, bake=bake_preprocessing, fp16=fp16, **options)
        notes += written.notes
    axes = input_axes(net, input_shapes, static)
    if bake_preprocessing:
        name = image_name(net.blobs)
        axes = tuple(InputAxis(name, i, n) for i, n in enumerate((axes[0].size, f"{name}_h", f"{name}_w", 3)))
    return Conversion(net, path, axes, tuple(outputs or net.outputs), notes)


class Calibration(Protocol):
    """Gives inputs such as the net will see, to calibrate int8 with."""

    def __call__(self, net: Net, preprocessing: Preprocessing, /) -> Sequence[Mapping[str, NDArray[Any]]]: ...


def _refuse_precision(
    path: Path, fp16: bool, calibration: Calibration | None, bake_preprocessing: bool, weights_mode: str
) -> None:
    """Raises: NetsurgeryError for what does not go with fewer bits."""
    if not fp16 and calibration is None:
        return
    what = "--int8" if calibration is not None else "--fp16"
    if path.suffix != ".onnx":
        raise NetsurgeryError(f"{what} of what is no ONNX model", source=Source(str(path)), expected="a name in .onnx")
    if calibration is None:
        return
    if not callable(calibration):
        raise NetsurgeryError(
            "int8 cannot be asked for in a manifest", fix="netsurgery convert --int8, one model at a time"
        )
    if fp16:
        raise NetsurgeryError("--fp16 and --int8", expected="one of the two")
    if bake_preprocessing:
        raise NetsurgeryError("--int8 with --bake-preprocessing", expected="one of the two")
    if weights_mode not in ("auto", "embed"):
        raise NetsurgeryError(f"--int8 with --weights {weights_mode}", expected="--weights embed: every weight changes")


def _preprocessing(
    loaded: Net, net: Net, wanted: bool, said: Mapping[str, Any]
) -> tuple[Preprocessing | None, tuple[str, ...]]:
    """What the net's input is expected to be, and notes; None where neither the user nor the net says."""
    given = {name: value for name, value in said.items() if value is not None}
    shapes = [shape for shape in net.inputs.values() if shape is not None]
    images = len(net.inputs) == 1 and all(len(shape) == 4 and shape[1] in (1, 3) for shape in shapes)
    if not given and not wanted and not images:
        return None, ()
    try:
        known = from_net(loaded, without_mean="mean" in given)
    except NetsurgeryError as error:
        if given or wanted:
            raise
        return None, (f"what is done to pixels is not recorded: {error.problem}",)
    return (changed(known, **given) if given or wanted or known else None), ()


def prepare(
    prototxt: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = None,
    *,
    phase: str = "TEST",
    stages: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    ignore_unknown: bool = False,
    custom_ops: Mapping[str, str] | None = None,
    initialize: str | None = None,
    initialize_missing: bool = False,
    seed: int = 0,
    fully_convolutional: bool = False,
    only: Sequence[str] | None = None,
    sliding_pool: bool = False,
    rename: Mapping[str, str] | None = None,
    raw_detections: bool = False,
    input_shapes: Mapping[str, Sequence[int | str | None]] | None = None,
) -> tuple[Net, Net]:
    """The net as it was loaded, and as `convert` with these options writes it.

    Raises: NetsurgeryError.
    """
    if initialize is not None and weights is not None:
        raise NetsurgeryError(
            "weights are given, and others are to be made up",
            expected="the prototxt alone with --initialize",
            fix="--initialize-missing makes up only what the weights file lacks",
        )
    loaded = load(
        prototxt,
        weights,
        phase=phase,
        stages=stages,
        settings=settings,
        ignore_unknown=ignore_unknown,
        layers={type: custom_op(domain) for type, domain in (custom_ops or {}).items()},
        input_shapes=input_shapes,
        initialize_missing=initialize_missing,
        seed=seed,
    )
    net = _deployed(loaded, input_shapes or {})
    if initialize is not None:
        net = made_up(net, seed, initialize)
    if fully_convolutional:
        net = convolutionalize(net, only=only, sliding_pool=sliding_pool, rename=rename)
    if raw_detections:
        net = with_raw_detections(net)
    return loaded, net


def _deployed(net: Net, input_shapes: Mapping[str, Sequence[int | str | None]]) -> Net:
    """The net without what only training needs. A shape that is asked for counts as the input's own where the file tells none: an image
    of another size than the net was trained for need not fit its weights, yet."""
    numbers = {name: [n for n in shape if isinstance(n, int)] for name, shape in input_shapes.items()}
    whole = {name: shape for name, shape in numbers.items() if len(shape) == len(input_shapes[name])}
    try:
        return deploy(net)
    except RewriteError:
        if not whole:
            raise
    return deploy(net, whole)


def input_axes(
    net: Net, input_shapes: Mapping[str, Sequence[int | str | None]] | None = None, static: bool = False
) -> tuple[InputAxis, ...]:
    """Every axis of every input: its size or its name, and what ties it."""
    from .inputs import fixed_sizes
    from .onnx.export import _names

    names = _names(input_shapes)
    inferred = infer(net, fixed_sizes(net, input_shapes, static))
    axes = []
    for name in net.inputs:
        shape = inferred.shapes[name]
        for i, size in enumerate(shape):
            pin = inferred.pins.get((name, i))
            free = names.get((name, i)) or dim_name(*inferred.equal.get((name, i), (name, i)), len(shape))
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


def _surgery_frees(pin: Pin | None) -> bool:
    return pin is not None and pin.layer.endswith("(InnerProduct)")
