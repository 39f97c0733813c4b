"""The form of a model that is written: the options of `to_onnx`, `save_onnx`, `to_caffe2` and `to_torch` as one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import NetsurgeryError
from ..formats.preprocessing import Preprocessing
from ..net import Net, as_names

Sizes = Mapping[str, Sequence[int | str | None]]
"""Input -> its axes: a number fixes one, a name or None leaves it free."""


@dataclass(frozen=True)
class ModelForm:
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
    winograd: bool = False

    def __post_init__(self) -> None:
        if self.outputs is not None:
            object.__setattr__(self, "outputs", as_names(self.outputs))
        others = {
            "plain": self.plain,
            "fp16": self.fp16,
            f"for {self.target}": self.target not in (None, "onnxruntime", "web"),
        }
        for other, asked in others.items():
            if self.winograd and asked:
                raise NetsurgeryError(f"--winograd with --{other}", expected="one of the two")


def fixed_sizes(net: Net, input_shapes: Sizes | None, static: bool = False) -> dict[str, Sequence[int | None]]:
    """The sizes of the inputs that are spoken of, None for free ones; with `static` all are those that the file declares.

    Raises: NetsurgeryError for an input that there is not."""
    fixed: dict[str, Sequence[int | None]] = {}
    declared = net.inputs
    for name, shape in (input_shapes or {}).items():
        if name not in declared:
            raise NetsurgeryError(f"the net has no input '{name}'", expected=f"one of: {', '.join(declared)}")
        fixed[name] = [n if isinstance(n, int) else None for n in shape]
    if static:
        for name, declared_shape in declared.items():
            if declared_shape is not None:
                now = fixed.get(name, [None] * len(declared_shape))
                fixed[name] = [n if n is not None else d for n, d in zip(now, declared_shape, strict=True)]
    return fixed
