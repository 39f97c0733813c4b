"""What a layer's `emit` and `emit_caffe2` are handed: the program that is being built, and the values in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from .dims import Shape, Size


class Tensor(Protocol):
    """A value in the program that is being built."""

    distinct: bool
    """Of a mask: whether no two positions of one channel hold the same number, as where windows do not overlap."""

    @property
    def name(self) -> str: ...

    @property
    def shape(self) -> Shape:
        """Its sizes, where they are known: always for bottoms, inside a layer only where it said."""

    @property
    def value(self) -> NDArray[Any] | None:
        """The numbers, if it is a constant."""

    @property
    def numbers(self) -> NDArray[Any] | None:
        """Its numbers where they are known, those along axes of free size once: broadcast to its shape they are all of them."""


class Op(Protocol):
    """The builder; the exporter owns the program.

    `op("MatMul", x, w)` appends an operation of the target's and returns its output. Inputs are Tensors; a NumPy array or a number becomes
    a constant (shared with equal ones); None leaves an optional input out. What is computed from constants alone is done on the spot.
    For Caffe2, arithmetic follows NumPy's broadcasting, but for Max, Min, Pow and Where, which take equal shapes only.
    """

    @property
    def opset(self) -> int:
        """Of ONNX."""

    @property
    def plain(self) -> bool:
        """Whether a layer is to be the node that is meant for it, though others are faster in onnxruntime."""

    @property
    def nodes(self) -> frozenset[str]:
        """Of what the runtime has fast kernels: a layer that is meant to be one of these nodes is that, as with `plain`."""

    @property
    def never_empty(self) -> bool:
        """Whether no tensor may be without elements, for runtimes that fail at such: `boxes_onnx.emit_stand_in` helps."""

    def __call__(self, type: str, /, *inputs: Any, shape: Shape | None = None, **attributes: Any) -> Tensor: ...

    def many(self, outputs: int, type: str, /, *inputs: Any, **attributes: Any) -> tuple[Tensor, ...]:
        """An operation of several outputs."""

    def custom(self, domain: str, outputs: int, type: str, /, *inputs: Any, **attributes: Any) -> tuple[Tensor, ...]:
        """A node of a domain that is not ONNX's, for kernels of one's own."""

    def weight(self, array: NDArray[Any], name: str) -> Tensor:
        """A named parameter, `layer.name`. An array that layers share becomes one. Views keep pointing into the file."""

    def const(self, value: Any, dtype: str = "float32") -> Tensor:
        """A small constant."""

    def size(self, x: Tensor, axis: int) -> Tensor:
        """The size of one axis as an int64 vector of length 1: a constant where it is known, else computed from the shape."""

    def number(self, size: Size) -> int:
        """For Caffe2, a size that must be a number: where it is not, the input axes behind it are fixed, the user is told by which layer,
        and all is emitted anew.

        Raises: UnsupportedError for a size that the data decide."""

    def in_onnx_words(self) -> Op:
        """The same program, appended to in ONNX's words: what an `emit` that serves Caffe2 as well is handed.

        Its words raise: UnsupportedError where Caffe2 has no operator that does the same."""

    def square(self, x: Tensor) -> Tensor:
        """x x"""

    def ints(self, *parts: Any) -> Tensor:
        """An int64 vector of parts, each an int or an int64 vector; constant if all are."""

    def reshape(self, x: Tensor, *parts: Any, shape: Shape | None = None) -> Tensor:
        """Reshape to `ints(*parts)`: -1 for one that follows, 0 to keep."""

    def body(self, build: Callable[..., Sequence[Tensor]], names: Sequence[str]) -> Any:
        """A subgraph for ONNX's Scan, Loop or If: `build` is called with (op, *tensors named so) and returns its outputs; what it uses
        from outside is captured. The result is passed as the attribute `body` (`then_branch`, ...)."""
