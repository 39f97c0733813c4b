"""What each runtime wants of an ONNX model, and what it cannot do: one entry for each, as it was measured.

`python tests/reach_table.py --show` measures those that are on the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import NetsurgeryError, UnsupportedError, UnsupportedLayersError
from .onnx.forms import Form, by_pairs, by_rank, less_greatest, with_words

if TYPE_CHECKING:
    from .builder import Operation
    from .lower import Program

_SCAN = "it has no loops: Scan"


@dataclass(frozen=True)
class Target:
    """A runtime that models are written for. `measured`: the version that the entry holds for, "" where it is that of documents.
    `lacks`: ONNX operators that it cannot compute, or computes wrongly, and why; "MaxPool/2" is one with two outputs, "Conv:3" one
    of weights of three axes. `forms`: what is written in an operator's place."""

    title: str
    measured: str
    note: str
    opset: int | None = None
    """The opset to write; None: the oldest that the layers need."""
    fixed: bool = False
    """Whether all sizes are fixed as declared."""
    raw: bool = False
    """Whether SSD's choice of boxes is left to the user's code."""
    embed: bool = False
    """Whether weights must be in the file."""
    never_empty: bool = False
    """Whether it fails at tensors without elements, which a choice of boxes gives where there is nothing to choose."""
    nodes: frozenset[str] = frozenset(("Conv",))
    """Of what it has fast kernels, and onnxruntime slow ones: written as these nodes. Small groups of a Conv are slow there alone."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    forms: Mapping[str, Form] = field(default_factory=dict)


TARGETS = {
    "onnxruntime": Target("onnxruntime", "1.26 to 1.32", "everything, at any size", nodes=frozenset()),
    "web": Target(
        "onnxruntime-web",
        "1.30",
        "everything, at any size; weights in the file, for a browser loads one file",
        embed=True,
    ),
    "openvino": Target(
        "OpenVINO", "2026.4", "everything of BVLC's and SSD's, at any size", nodes=frozenset(("Conv", "LRN"))
    ),
    "opencv": Target(
        "OpenCV 5",
        "5.0.0",
        "at any size but for recurrent layers, whose steps must be a known number",
        embed=True,
        lacks={
            "Scan": "it has no loops; where the number of steps is known (--static) none is needed",
            "MaxRoiPool": "it does not read it",
            "ReverseSequence": "it does not read it",
        },
        never_empty=True,
        forms={"NonMaxSuppression": by_rank},
    ),
    "tensorrt": Target(
        "TensorRT",
        "",
        "not measured: no GPU was at hand; sizes are fixed unless --input-shape frees them, for which it wants profiles",
        fixed=True,
        raw=True,
        lacks={
            "MaxRoiPool": "not among its operators",
            "Compress": "not among its operators",
            "Unique": "not among its operators",
            "Scan": "not dependable: its documents restrict the bodies of loops",
        },
    ),
    "pytorch": Target(
        "PyTorch (onnx2torch)",
        "1.5.15 with PyTorch 2.13",
        "at fixed sizes; netsurgery.to_torch(net) does more, with Caffe's names and gradients",
        fixed=True,
        raw=True,
        embed=True,
        lacks={
            **dict.fromkeys(("LSTM", "MaxRoiPool", "OneHot", "ReverseSequence", "Scan"), "it has no converter of it"),
            **dict.fromkeys(("GreaterOrEqual", "LessOrEqual", "ScatterElements"), "it reads older opsets' only"),
            "GlobalMaxPool": "it has no converter of it",
            "MaxPool/2": "it gives one top, and a wrong one for the mask",
            "Size": "it has no converter of it",
        },
    ),
    "coreml": Target(
        "Core ML (coremltools)",
        "9.0, conversion alone",
        "through PyTorch: netsurgery.to_torch(net, input_shapes=..), torch.jit.trace, coremltools.convert",
        fixed=True,
        raw=True,
        embed=True,
        lacks={"Scan": _SCAN, "MaxRoiPool": "not among its operators"},
    ),
    "mnn": Target(
        "MNN",
        "3.6.1",
        "at any size",
        embed=True,
        lacks={
            "Scan": _SCAN,
            "OneHot": "it gets its shape wrong",
            **dict.fromkeys(("Conv:3", "ConvTranspose:3"), "it gives what has one spatial axis a second one"),
        },
        never_empty=True,
        forms={"Softmax": less_greatest},
    ),
    "ncnn": Target(
        "ncnn (pnnx)",
        "1.0.20261020 and pnnx 20261020",
        "through pnnx, which plans a model for one size; Normalize over channels comes out wrong: hold such nets against Caffe",
        fixed=True,
        raw=True,
        embed=True,
        lacks={
            **dict.fromkeys(
                ("ArgMax", "Gather", "GatherElements", "NonZero", "TopK", "Where"), "ncnn has no layer for it"
            ),
            **dict.fromkeys(("MaxRoiPool", "NonMaxSuppression"), "not among its operators"),
            "Cast": "it computes in float32 alone",
            "Scan": _SCAN,
        },
        forms={"Pad": with_words, "Max": by_pairs("Max"), "Min": by_pairs("Min")},
    ),
    "tract": Target(
        "tract",
        "0.23.9",
        "at fixed sizes: its own names for sizes clash with free ones",
        fixed=True,
        embed=True,
        lacks={},
    ),
    "tvm": Target(
        "TVM",
        "0.27",
        "at fixed sizes",
        fixed=True,
        embed=True,
        raw=True,
        lacks={
            "NonMaxSuppression": "it compiles no sizes that the data decide",
            "MaxPool/2": "it gives one top alone",
        },
    ),
}


def find_target(name: str | None) -> Target | None:
    """Raises: NetsurgeryError for a name that is none."""
    if name is None:
        return None
    if name not in TARGETS:
        raise NetsurgeryError(f"target '{name}' is not known", expected=f"one of: {', '.join(TARGETS)}")
    return TARGETS[name]


def require_target(program: Program, target: Target) -> None:
    """Raises: UnsupportedLayersError that names every layer that the target cannot compute, and why."""
    errors: dict[tuple[str, str], NetsurgeryError] = {}
    for layer, operator in _operators(program.operations):
        if operator in target.lacks and (layer, operator) not in errors:
            place = program.net[layer]
            errors[layer, operator] = UnsupportedError(
                f"becomes {operator.partition(':')[0]}, which {target.title} cannot compute: {target.lacks[operator]}",
                layer=place,
                fix=f"cut the net before it (--output {' --output '.join(place.bottoms)}), or choose another --for",
            )
    if errors:
        raise UnsupportedLayersError(list(errors.values()), f"written for {target.title}")


def _operators(operations: Sequence[Operation]) -> Iterator[tuple[str, str]]:
    """The layer and the type of every operation, those of bodies included."""
    from .builder import Body

    for operation in operations:
        yield operation.layer, operation.type
        if len(operation.outputs) > 1:
            yield operation.layer, f"{operation.type}/{len(operation.outputs)}"
        if len(operation.inputs) > 1 and (weight := operation.inputs[1]) is not None and weight.value is not None:
            yield operation.layer, f"{operation.type}:{weight.value.ndim}"
        for value in operation.attributes.values():
            if isinstance(value, Body):
                yield from _operators(value.operations)
