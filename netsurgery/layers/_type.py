"""What every layer type is: a class that reads parameters, gives shapes, computes with NumPy, and emits ONNX (and Caffe2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError, Source, UnsupportedError
from ..net import Message
from ._dims import Shape, Size, constrain, show
from ._params import Params

Array = NDArray[np.floating[Any]]


class Tensor(Protocol):
    """A value in the graph that is being built."""

    @property
    def name(self) -> str: ...

    @property
    def shape(self) -> Shape:
        """Its sizes, where they are known: always for bottoms, inside a layer only where it said."""

    @property
    def value(self) -> NDArray[Any] | None:
        """The numbers, if it is a constant."""


class Graph(Protocol):
    """The builder that a layer's `emit` is handed; the exporter owns the graph.

    `op("MatMul", x, w)` appends a node and returns its output. Inputs are Tensors; a NumPy array becomes a constant (folded and shared
    with equal ones); None leaves an optional input out. A node whose inputs are all constant is computed on the spot and vanishes.
    """

    @property
    def opset(self) -> int: ...

    def __call__(self, op_type: str, /, *inputs: Any, shape: Shape | None = None, **attributes: Any) -> Tensor: ...

    def many(self, outputs: int, op_type: str, /, *inputs: Any, **attributes: Any) -> tuple[Tensor, ...]:
        """A node of several outputs."""

    def weight(self, array: NDArray[Any], name: str) -> Tensor:
        """A named initializer, `layer.name`. An array that layers share becomes one initializer. Views keep pointing into the file."""

    def const(self, value: Any, dtype: str = "float32") -> Tensor:
        """A small constant."""

    def size(self, x: Tensor, axis: int) -> Tensor:
        """The size of one axis as an int64 vector of length 1: a constant where it is known, else computed from Shape."""

    def ints(self, *parts: Any) -> Tensor:
        """An int64 vector of parts, each an int or an int64 vector; constant if all are."""

    def reshape(self, x: Tensor, *parts: Any, shape: Shape | None = None) -> Tensor:
        """Reshape to `ints(*parts)`: -1 for one that follows, 0 to keep."""

    def body(self, build: Callable[..., Sequence[Tensor]], names: Sequence[str]) -> Any:
        """A subgraph for Scan, Loop or If: `build` is called with (op, *tensors named so) and returns its outputs; what it uses from outside is
        captured. The result is passed as the attribute `body` (`then_branch`, ...)."""


class LayerType:
    """The base of layer types. A subclass fills what it needs; see layers/pooling.py for a full one, layers/absval.py for a small one.

    One instance belongs to one layer; it is made on loading, holds the parameters that it read, and nothing that changes.
    """

    types: ClassVar[tuple[str, ...]] = ()
    """Caffe's type names that this class answers to."""

    bottoms: ClassVar[tuple[int, int | None]] = (1, 1)
    """The least and the greatest number of bottoms (None: no limit)."""

    tops: ClassVar[tuple[int, int | None]] = (1, 1)

    in_place: ClassVar[bool] = False
    """Whether Caffe computes the same numbers when top and bottom are one blob."""

    is_input: bool = False
    """Whether the tops are fed from outside (Input, data layers); a layer whose parameters decide it sets it in `read`."""

    is_identity: ClassVar[bool] = False
    """Whether every top is the bottom in the TEST phase (Dropout, Split): exporters leave the layer out."""

    choices: ClassVar[bool] = False
    """Whether tops hold choices that near-ties may flip (ArgMax, detections): comparisons hold them row by row."""

    needs_weights: ClassVar[bool] = True
    """Whether the blobs of `weight_shapes` must come from a caffemodel or a filler."""

    note: ClassVar[str] = ""
    """What `netsurgery layers` says of it: limits, variants, "by formula"."""

    parameters: ClassVar[Mapping[str, Any]] = {}
    """For layers of one's own: {"my_param": {"scale": 1.0, "mode": "SUM"}}: message -> field -> default."""

    def __init__(
        self,
        name: str,
        type: str,
        source: Source,
        p: Params,
        blob_count: int = 0,
        bottom_count: int = 1,
        top_count: int = 1,
    ) -> None:
        self.name, self.type, self.source = name, type, source
        self.blob_count = (
            blob_count  # blobs that the weights file holds for the layer, 0 without one: tells variants apart
        )
        self.bottom_count, self.top_count = bottom_count, top_count
        self.read(p)

    @property
    def title(self) -> str:
        return f"'{self.name}' ({self.type})"

    @classmethod
    def variant(cls, p: Params, title: str, bottom_count: int) -> type[LayerType]:
        """The class for a layer of this type, where its parameters choose it (Python: module and layer)."""
        return cls

    def read(self, p: Params) -> None:
        """Reads the layer's parameters. Raises: UnsupportedError for a value that is refused."""

    def declared(self, count: int) -> Sequence[tuple[int, ...] | None]:
        """For input layers: the declared shapes of `count` tops."""
        return [None] * count

    def weight_shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        """The shapes of the layer's blobs, given those of its bottoms."""
        return []

    def shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        """The shapes of the tops. Sizes are ints or Dims: write ordinary arithmetic, `self.require(...)` for what must be equal."""
        return [bottoms[0]]

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        """The tops by NumPy, in the dtype of the bottoms (float32 or float64)."""
        if self.is_identity:
            return [bottoms[0]]
        raise UnsupportedError("netsurgery.run cannot compute this layer", layer=self.title, source=self.source)

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        """The tops as ONNX nodes."""
        if self.is_identity:
            return [bottoms[0]]
        raise UnsupportedError("there is no ONNX form of this layer", layer=self.title, source=self.source)

    def affine(self, weights: Sequence[Array]) -> tuple[Array, Array] | None:
        """For a layer that is y = x * scale + shift per channel (axis 1) with constant numbers: (scale, shift) in float64, each of
        shape (C,) or (); None where it is not."""
        return None

    def absorb(
        self, params: Message, weights: Sequence[Array], scale: Array, shift: Array
    ) -> tuple[Message, tuple[Array, ...]] | None:
        """For a linear layer: its parameters and blobs after its top was multiplied by `scale` and increased by `shift`, per channel
        (axis 1); None where it cannot take them."""
        return None

    def require(self, size: Size, expected: Size, what: str, *, fix: str = "") -> None:
        """States that a size must be another: checked where both are numbers, else it ties down the input axes behind it.

        Raises: ShapeError."""
        if not constrain(size, expected, what):
            raise ShapeError(
                f"{what}: {show(size)}", layer=self.title, source=self.source, expected=show(expected), fix=fix
            )

    def axis(self, axis: int, rank: int) -> int:
        """A Caffe axis made canonical: -1 is the last. Raises: ShapeError."""
        if not -rank <= axis < rank:
            raise ShapeError(
                f"axis {axis} of a blob with {rank} axes",
                layer=self.title,
                source=self.source,
                expected=f"-{rank} to {rank - 1}",
            )
        return axis % rank

    def rank(self, shape: Shape, expected: int, blob: str = "bottom") -> None:
        """Raises: ShapeError unless the shape has that many axes."""
        if len(shape) != expected:
            raise ShapeError(
                f"{blob} has {len(shape)} axes: ({', '.join(map(show, shape))})",
                layer=self.title,
                source=self.source,
                expected=f"{expected} axes",
            )
