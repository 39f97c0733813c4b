"""Net -> ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
from onnx import TensorProto, helper

from ...errors import NetsurgeryError, OpsetError, UnsupportedError, UnsupportedLayersError
from ...files.memory import uncollected
from ...formats.preprocessing import Preprocessing
from ...layers.core.dims import Axis, Dim
from ...layers.core.infer import Inferred
from ...net import Layer, Net, require_net
from ..builder import Array, Body, Operation, Store, Value
from ..form import ModelForm, Sizes
from ..lower import Program, lower
from ..preprocessing import bake as put_in_front
from ..preprocessing import record
from ..targets import TARGETS, Target, find_target, require_target
from .graph import GraphBuilder
from .winograd import winograd

OLDEST_OPSET = 17
"""Which onnxruntime computes as exactly and as fast as newer ones, and which the most runtimes read: what is written, unless a layer
needs a newer one."""
OLDEST_RUNTIME = "1.26"


def to_onnx(
    net: Net,
    *,
    opset: int | None = None,
    fold: bool = True,
    outputs: Sequence[str] | None = None,
    input_shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    static: bool = False,
    plain: bool = False,
    winograd: bool = False,
    target: str | None = None,
    preprocessing: Preprocessing | None = None,
    bake: bool = False,
    fp16: bool = False,
) -> onnx.ModelProto:
    """The net as an ONNX model in memory, weights included.

    Every axis of every input is dynamic unless a layer ties it down; `input_shapes` fixes axes (numbers) or names dynamic ones
    (strings), `static` fixes all at the declared sizes. `opset` is 17 unless a layer needs a newer one. `plain` writes each layer as
    the node that is meant for it (LRN), though others are faster in onnxruntime. `winograd` computes 3x3 convolutions of many
    channels by Winograd's algorithm: faster, four times their weights, and less exact. `target` is a runtime of `exporters.targets`, which
    chooses opset and sizes, and has what it cannot compute refused. `outputs` names the blobs to give (None: the net's
    outputs). `fold` merges BatchNorm, Scale and Bias into the Convolution, Deconvolution or InnerProduct before them. `preprocessing`
    is what the input is expected to be: it is recorded, or, with `bake`, done by the model, which takes uint8 RGB images (N, H, W, 3)
    then. `fp16` lets it compute in float16 where that is safe, inputs and outputs staying float32.

    Raises: UnsupportedError, ShapeError, WeightsError.
    """
    require_net(net)
    form = ModelForm(
        outputs, fold, input_shapes, static, opset, plain, target, preprocessing, bake, fp16, winograd=winograd
    )
    model, tensors, _ = build(net, form)
    for proto, array in zip(model.graph.initializer, tensors.values(), strict=True):
        proto.raw_data = np.ascontiguousarray(array).tobytes()
    return model


@uncollected()
def build(net: Net, form: ModelForm) -> tuple[onnx.ModelProto, dict[str, Array], tuple[str, ...]]:
    """The model without the numbers of its initializers; those, by name, in the order of `graph.initializer`; and notes."""
    aim = find_target(form.target)
    if aim is not None:
        form = replace(form, opset=form.opset or aim.opset, static=form.static or aim.fixed)
    opset, program = _lowered(net, form, aim)
    if aim is not None:
        require_target(program, aim)
    graph, arrays = _graph(program, axis_names(form.input_shapes, program.inferred))
    domains = sorted({node.domain for node in graph.node if node.domain})
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)],
        ir_version=helper.find_min_ir_version_for([helper.make_opsetid("", opset)]),
        producer_name="netsurgery",
        producer_version=_version(),
    )
    for key, value in (origin(net) | dict(form.metadata)).items():
        model.metadata_props.add(key=key, value=value)
    pixels = form.preprocessing or Preprocessing()
    if form.preprocessing is not None or form.bake:
        record(model, pixels, baked=form.bake)
    if form.bake:
        put_in_front(model, arrays, pixels)
    notes: tuple[str, ...] = ()
    if form.fp16:
        from .fp16 import to_float16

        notes = to_float16(model, arrays, net)
    return model, arrays, notes


def _lowered(net: Net, form: ModelForm, aim: Target | None) -> tuple[int, Program]:
    """The program at the form's opset, or, for None, at the oldest that says all layers; and which that is."""
    opset = OLDEST_OPSET if form.opset is None else form.opset
    check_opset(opset)
    while True:
        try:
            return opset, lower(net, OnnxTarget(opset, form.plain, aim, form.winograd), form)
        except UnsupportedError as error:
            needs = [e.least for e in getattr(error, "errors", (error,)) if isinstance(e, OpsetError)]
            if form.opset is not None or not needs or max(needs) <= opset:
                raise
            opset = max(needs)


def check_opset(opset: int) -> None:
    """Raises: UnsupportedError for an opset that onnx or onnxruntime does not accept."""
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise UnsupportedError(f"opset {opset}", expected=f"{OLDEST_OPSET} to {newest}", fix=f"--opset {OLDEST_OPSET}")


def origin(net: Net) -> dict[str, str]:
    """What the model records of where it comes from: file names without folders, no times. (Hashes are added on writing.)"""
    entries = {
        "netsurgery.version": _version(),
        "netsurgery.net": net.name,
        "netsurgery.min_onnxruntime": OLDEST_RUNTIME,
    }
    return entries | {f"netsurgery.{kind}": Path(path).name for kind, path in net.files.items()}


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("netsurgery")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"


def axis_names(input_shapes: Sizes | None, inferred: Inferred) -> dict[Axis, str]:
    """The names that a user gave to axes; of axes that must be equal the first one has the first name."""
    names = {
        (name, i): n for name, shape in (input_shapes or {}).items() for i, n in enumerate(shape) if isinstance(n, str)
    }
    for axis, name in list(names.items()):
        names.setdefault(inferred.first(axis), name)
    return names


AXIS_LETTERS = {1: "n", 2: "nc", 4: "nchw", 5: "ncdhw"}


def dim_name(blob: str, axis: int, rank: int) -> str:
    letters = AXIS_LETTERS.get(rank)
    return f"{blob}_{letters[axis] if letters else axis}"


@dataclass(frozen=True)
class OnnxTarget:
    """Layers say ONNX nodes by `emit`."""

    opset: int
    plain: bool = False
    aim: Target | None = None
    winograd: bool = False

    def builder(self, net: Net) -> GraphBuilder:
        store = Store({*net.blobs, *(layer.name for layer in net.layers)})
        aim = self.aim
        if self.winograd:
            sizes = {(blob, i): n for blob, shape in net.inputs.items() for i, n in enumerate(shape or ())}
            aim = replace(aim or TARGETS["onnxruntime"], forms={"Conv": winograd(sizes)})
        return GraphBuilder(store, self.opset, self.plain, aim)

    def emit(self, layer: Layer, op: Any, bottoms: Sequence[Value]) -> Sequence[Value]:
        first = len(op.operations)
        tops = cast("Sequence[Value]", layer.kind.emit(op, bottoms, layer.weights))
        for node in op.operations[first:]:
            if tops and tops[0] in node.outputs:
                node.name = layer.name
        return tops

    def refusal(self, errors: Sequence[NetsurgeryError]) -> NetsurgeryError:
        return errors[0] if len(errors) == 1 else UnsupportedLayersError(errors, "exported")


def _graph(program: Program, names: Mapping[tuple[str, int], str]) -> tuple[onnx.GraphProto, dict[str, Array]]:
    net, values, shapes = program.net, program.values, program.inferred.shapes
    ranks = {name: len(shapes[name]) for name in net.inputs}
    ends = {*ranks, *program.outputs}
    stem = "inner"  # no axis of an input is called so: those have an underscore, or a user's name
    while any(name.startswith(stem) for name in names.values()):
        stem += "x"
    inner_names: dict[Dim, str] = {}

    def info(blob: str) -> onnx.ValueInfoProto:
        sizes = [_dim(n, ranks, names) for n in shapes[blob]]
        if (
            blob not in ends
        ):  # onnxruntime fuses an Add and a ReLU into a convolution where it sees that both sizes are equal
            for axis, (size, name) in enumerate(zip(shapes[blob], sizes, strict=True)):
                if name is None and isinstance(size, Dim):
                    sizes[axis] = inner_names.setdefault(size, f"{stem}{len(inner_names)}")
        return helper.make_tensor_value_info(values[blob].name, TensorProto.FLOAT, sizes)

    inner = [blob for blob in net.blobs if blob in values and values[blob].name == blob and blob not in ends]
    graph = helper.make_graph(
        [_node_proto(node) for node in program.operations],
        net.name or "net",
        [info(blob) for blob in ranks],
        [info(blob) for blob in program.outputs],
        value_info=[info(blob) for blob in inner],
    )
    arrays = {x.name: x.value for x in program.constants() if x.value is not None}
    for name, array in arrays.items():
        graph.initializer.add(name=name, dims=array.shape, data_type=helper.np_dtype_to_tensor_dtype(array.dtype))
    return graph, arrays


def _node_proto(node: Operation) -> onnx.NodeProto:
    proto = helper.make_node(
        node.type,
        [t.name if t is not None else "" for t in node.inputs],
        [t.name for t in node.outputs],
        name=node.name,
        domain=node.domain or None,
    )
    for key, value in sorted(node.attributes.items()):
        proto.attribute.append(helper.make_attribute(key, _body_proto(value) if isinstance(value, Body) else value))
    return proto


def _body_proto(body: Body) -> onnx.GraphProto:
    return helper.make_graph(
        [_node_proto(node) for node in body.operations],
        "body",
        [helper.make_tensor_value_info(t.name, TensorProto.FLOAT, None) for t in body.inputs],
        [helper.make_tensor_value_info(t.name, TensorProto.FLOAT, None) for t in body.outputs],
    )


def _dim(size: Any, ranks: Mapping[str, int], names: Mapping[tuple[str, int], str]) -> int | str | None:
    if isinstance(size, int):
        return size
    if isinstance(size, Dim) and size.axis is not None:
        blob, axis = size.axis
        return names.get((blob, axis)) or dim_name(blob, axis, ranks[blob])
    return None
