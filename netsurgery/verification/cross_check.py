"""A third opinion: NetDefs as ONNX by Caffe2's own frontend, run in onnxruntime, against Caffe2 itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import NetsurgeryError, ShapeError, Source
from .compare import Measure, Tolerance, measure
from .runtimes.caffe2 import open_nets
from .runtimes.onnxruntime import open_model as open_onnx

if TYPE_CHECKING:
    from .runtimes.base import Array


@dataclass(frozen=True)
class CrossCheck:
    """How far the outputs are apart, by name."""

    path: str
    shapes: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, Measure]
    versions: Mapping[str, str]

    @property
    def passed(self) -> bool:
        return bool(self.outputs) and all(m.passed for m in self.outputs.values())

    @property
    def lines(self) -> list[str]:
        shown = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in self.shapes.items())
        lines = [f"{self.path}: Caffe2 against its own ONNX in onnxruntime, at {shown}"]
        for name, m in self.outputs.items():
            verdict = "agrees" if m.passed else "DIFFERS"
            lines.append(f"  {name}: {verdict}: {m.problem or f'{m.max_rel:.1e} of the largest value'}")
        return lines

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.path,
            "passed": self.passed,
            "shapes": {name: list(shape) for name, shape in self.shapes.items()},
            "outputs": {
                name: {"passed": m.passed, "max_rel": m.max_rel, "max_abs": m.max_abs, "problem": m.problem}
                for name, m in self.outputs.items()
            },
            "versions": dict(self.versions),
        }


def cross_check(
    model: str | os.PathLike[str],
    input_shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    *,
    seed: int = 0,
    rtol: float = 1e-4,
) -> CrossCheck:
    """Converts the nets of a folder with Caffe2's frontend and compares every output on random inputs, seeded.

    Raises: UnavailableError where there is no Caffe2; NetsurgeryError if the frontend refuses the nets, or onnxruntime what it makes."""
    opened = open_nets(model)
    source = Source(opened.path)
    shapes = shapes_to_compare(opened.inputs, opened.declared, input_shapes or {}, source)
    for name in input_shapes or {}:
        if name not in shapes:
            raise NetsurgeryError(f"the nets have no input '{name}'", source=source, expected=", ".join(shapes))
    rng = np.random.default_rng(seed)
    feeds: dict[str, Array] = {name: rng.uniform(-1, 1, shape).astype(np.float32) for name, shape in shapes.items()}
    with TemporaryDirectory(prefix="netsurgery-") as folder:
        path = Path(folder) / "frontend.onnx"
        request = {
            "do": "to_onnx",
            "init": os.path.abspath(opened.init),
            "predict": os.path.abspath(opened.predict),
            "shapes": {name: list(shape) for name, shape in shapes.items()},
            "onnx": str(path),
        }
        opened.side.ask(request, source)
        converted = open_onnx(path)
        want = opened.run(feeds, opened.outputs)
        got = converted.run(feeds, opened.outputs)
    compared = {
        name: measure(value, got[name], Tolerance(rtol))
        if name in got
        else Measure((), False, problem="the ONNX model lacks it")
        for name, value in want.items()
    }
    return CrossCheck(opened.path, shapes, compared, {**opened.versions, **converted.versions})


def shapes_to_compare(
    inputs: Mapping[str, Sequence[int | None] | None],
    declared: Mapping[str, Sequence[int]],
    asked: Mapping[str, Sequence[int | str | None]],
    source: Source,
) -> dict[str, tuple[int, ...]]:
    """The shape of each input: as asked, and where that says no number as the nets have it, or as they were declared when netsurgery
    wrote them. Raises: ShapeError for one that nothing tells."""
    shapes = {}
    for name, own in inputs.items():
        ways = [way for way in (asked.get(name), own, declared.get(name)) if way is not None]
        ways = [way for way in ways if len(way) == len(ways[0])]
        sizes = [next((n for n in axis if isinstance(n, int)), None) for axis in zip(*ways, strict=True)]
        shape = tuple(n for n in sizes if n is not None)
        if not sizes or len(shape) < len(sizes):
            raise ShapeError(
                f"the shape of input '{name}' is free",
                source=source,
                expected="a shape to compare at",
                fix=f"--input-shape {name}=1,3,224,224",
            )
        shapes[name] = shape
    return shapes
