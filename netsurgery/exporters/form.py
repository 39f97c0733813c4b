"""The form of a model that is written: the options of `to_onnx`, `save_onnx`, `to_caffe2` and `to_torch` as one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..formats.preprocessing import Preprocessing
from ..net import as_names

Sizes = Mapping[str, Sequence[int | str | None]]
"""Input -> its axes: a number fixes one, a name or None leaves it free."""


@dataclass(frozen=True)
class Form:
    """What is written of a net, and how: see `netsurgery.to_onnx` and `netsurgery.save_onnx`, whose keywords these are. The first four
    hold for every target, the others for ONNX."""

    outputs: Sequence[str] | None = None
    fold: bool = True
    input_shapes: Sizes | None = None
    static: bool = False
    opset: int | None = None
    plain: bool = False
    target: str | None = None
    preprocessing: Preprocessing | None = None
    bake: bool = False
    fp16: bool = False
    weights: str = "auto"
    full_hash: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.outputs is not None:
            object.__setattr__(self, "outputs", as_names(self.outputs))
