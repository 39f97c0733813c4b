"""Net -> ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
from onnx import TensorProto, helper

from ...errors import NetsurgeryError, UnsupportedError
from ...formats.preprocessing import Preprocessing
from ...interpreter import check_weights
from ...layers.core.dims import Dim, Shape
from ...layers.core.infer import Inferred, infer
from ...net import Layer, Net
from ...passes.cut import cut
from ...passes.drop_identities import drop_identities
from ...passes.fold_scale import fold_scale
from ..inputs import fixed_sizes
from ..preprocessing import bake as put_in_front
from ..preprocessing import record
from .graph import Array, Body, GraphBuilder, Node, Store, Tensor

DEFAULT_OPSET = 21
OLDEST_OPSET = 17
OLDEST_RUNTIME = "1.26"


def to_onnx(
    net: Net,
    *,
    opset: int = DEFAULT_OPSET,
    fold: bool = True,
    outputs: Sequence[str] | None = None,
    input_shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    static: bool = False,
    preprocessing: Preprocessing | None = None,
    bake: bool = False,
    fp16: bool = False,
) -> onnx.ModelProto:
    """The net as an ONNX model in memory, weights included.

    Every axis of every input is dynamic unless a layer ties it down; `input_shapes` fixes axes (numbers) or names dynamic ones
    (strings), `static` fixes all at the declared sizes. `outputs` names the blobs to give (None: the net's outputs). `fold` merges
    BatchNorm, Scale and Bias into the Convolution, Deconvolution or InnerProduct before them. `preprocessing` is what the input is
    expected to be: it is recorded, or, with `bake`, done by the model, which takes uint8 RGB images (N, H, W, 3) then. `fp16`
    lets it compute in float16 where that is safe, inputs and outputs staying float32.

    Raises: UnsupportedError, ShapeError, WeightsError.
    """
    model, tensors = build(
        net,
        opset=opset,
        fold=fold,
        outputs=outputs,
        input_shapes=input_shapes,
        static=static,
        preprocessing=preprocessing,
        bake=bake,
    )
    if fp16:
        from .fp16 import to_float16

        to_float16(model, tensors, {layer.name: layer.type for layer in net.layers})
    for proto, array in zip(model.graph.initializer, tensors.values(), strict=True):
        proto.raw_data = np.ascontiguousarray(array).tobytes()
    return model


def build(
    net: Net,
    *,
    opset: int = DEFAULT_OPSET,
    fold: bool = True,
    outputs: Sequence[str] | None = None,
    input_shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    static: bool = False,
    preprocessing: Preprocessing | None = None,
    bake: bool = False,
) -> tuple[onnx.ModelProto, dict[str, Array]]:
    """The model without the numbers of its initializers, and those, by name, in the order of `graph.initializer`."""
    net.require_supported("exported")
    check_opset(opset)
    wanted = tuple(outputs) if outputs is not None else net.outputs
    if not wanted:
        raise NetsurgeryError("the net has no outputs", source=net.source, fix="name a blob with --output")
    original = net
    net = drop_identities(cut(net, wanted), wanted)
    fixed = fixed_sizes(net, input_shapes, static)
    inferred = infer(net, fixed)
    for layer in net.layers:
        check_weights(layer, [inferred.shapes[b] for b in layer.bottoms])
    if fold:
        net = fold_scale(net, keep=wanted)  # whose blobs are some of those before, of the same shapes
    graph, arrays = _graph(net, wanted, inferred, _names(input_shapes), opset)
    domains = sorted({node.domain for node in graph.node if node.domain})
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)],
        ir_version=helper.find_min_ir_version_for([helper.make_opsetid("", opset)]),
        producer_name="netsurgery",
        producer_version=_version(),
    )
    for key, value in origin(original).items():
        model.metadata_props.add(key=key, value=value)
    if preprocessing is not None or bake:
        record(model, preprocessing or Preprocessing(), baked=bake)
    if bake:
        put_in_front(model, arrays, preprocessing or Preprocessing())
    return model, arrays


def check_opset(opset: int) -> None:
    """Raises: UnsupportedError for an opset that onnx or onnxruntime does not accept."""
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise UnsupportedError(f"opset {opset}", expected=f"{OLDEST_OPSET} to {newest}", fix=f"--opset {DEFAULT_OPSET}")


def origin(net: Net) -> dict[str, str]:
    """What the model records of where it comes from: file names without folders, no times. (Hashes are added on writing.)"""
    found = {
        "netsurgery.version": _version(),
        "netsurgery.net": net.name,
        "netsurgery.min_onnxruntime": OLDEST_RUNTIME,
    }
    return found | {f"netsurgery.{kind}": Path(path).name for kind, path in net.files.items()}


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("netsurgery")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"


def _names(given: Mapping[str, Sequence[int | str | None]] | None) -> dict[tuple[str, int], str]:
    return {(name, i): n for name, shape in (given or {}).items() for i, n in enumerate(shape) if isinstance(n, str)}


AXIS_LETTERS = {1: "n", 2: "nc", 4: "nchw", 5: "ncdhw"}


def dim_name(blob: str, axis: int, rank: int) -> str:
    letters = AXIS_LETTERS.get(rank)
    return f"{blob}_{letters[axis] if letters else axis}"


def _graph(
    net: Net, wanted: Sequence[str], inferred: Inferred, names: Mapping[tuple[str, int], str], opset: int
) -> tuple[onnx.GraphProto, dict[str, Array]]:
    store = Store(opset)
    store.names.update(net.blobs)
    store.names.update(layer.name for layer in net.layers)
    op = GraphBuilder(store)
    held: dict[str, Tensor] = {}
    inputs = list(net.inputs)
    for name in inputs:
        held[name] = Tensor(name, inferred.shapes[name])
    named = {id(t) for t in held.values()}
    for layer in net.layers:
        if layer.kind.is_input:
            continue
        op.layer = layer.name
        first = len(op.nodes)
        tops: list[Any] = list(
            layer.kind.emit(cast("Any", op), [cast("Any", held[b]) for b in layer.bottoms], layer.weights)
        )
        if len(tops) < len(layer.tops):
            raise AssertionError(f"{layer.title} emitted {len(tops)} of {len(layer.tops)} tops")
        for blob, tensor in zip(layer.tops, tops, strict=False):
            if tensor.value is not None or id(tensor) in named:
                if blob in wanted:
                    tensor = op._raw("Identity", tensor)
                else:  # another name for what is there
                    held[blob] = tensor
                    continue
            tensor.name = blob
            named.add(id(tensor))
            tensor.shape = inferred.shapes[blob]
            held[blob] = tensor
        _name_nodes(layer, op.nodes[first:])
    nodes = _live(op.nodes, [held[b] for b in wanted])
    rank = {name: len(inferred.shapes[name]) for name in inputs}

    def info(blob: str, tensor: Tensor) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(
            tensor.name, TensorProto.FLOAT, [_dim(n, rank, names) for n in inferred.shapes[blob]]
        )

    arrays = {t.name: t.value for t in _initializers(nodes) if t.value is not None}
    graph = helper.make_graph(
        [_node_proto(node) for node in nodes],
        net.name or "net",
        [info(name, held[name]) for name in inputs],
        [info(blob, held[blob]) for blob in wanted],
        value_info=[
            info(blob, held[blob])
            for blob in net.blobs
            if blob in held and held[blob].name == blob and blob not in inputs and blob not in wanted
        ],
    )
    for name, array in arrays.items():
        graph.initializer.add(name=name, dims=array.shape, data_type=helper.np_dtype_to_tensor_dtype(array.dtype))
    return graph, arrays


def _name_nodes(layer: Layer, nodes: Sequence[Node]) -> None:
    """The node that writes the (first) top bears the layer's name."""
    for node in nodes:
        if any(t.name == layer.tops[0] for t in node.outputs):
            node.name = layer.name


def _live(nodes: Sequence[Node], wanted: Sequence[Tensor]) -> list[Node]:
    """The nodes that are needed for `wanted`."""
    needed = {id(t) for t in wanted}
    kept = []
    for node in reversed(nodes):
        if any(id(t) in needed for t in node.outputs):
            needed.update(id(t) for t in _reads(node))
            kept.append(node)
    return kept[::-1]


def _reads(node: Node) -> list[Tensor]:
    read = [t for t in node.inputs if t is not None]
    for value in node.attributes.values():
        if isinstance(value, Body):
            read += [t for inner in value.nodes for t in _reads(inner)] + value.outputs
    return read


def _initializers(nodes: Sequence[Node]) -> list[Tensor]:
    """The constants that nodes read, each once, in order of first use."""
    return list({id(t): t for node in nodes for t in _reads(node) if t.value is not None}.values())


def _node_proto(node: Node) -> onnx.NodeProto:
    proto = helper.make_node(
        node.op_type,
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
        [_node_proto(node) for node in body.nodes],
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


__all__ = ["Shape", "build", "to_onnx"]
