"""What every layer type is: a class that reads parameters, gives shapes, computes with NumPy, and emits ONNX (and Caffe2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import RewriteError, ShapeError, Source, UnsupportedError
from ...message import Field, Message
from ...net import Layer
from .dims import Shape, Size, constrain, show
from .fillers import Filler, he_normal, near
from .params import Params
from .reach import SAME, Reach

if TYPE_CHECKING:
    from ..caffe2.operators import Operators

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

    def custom(self, domain: str, outputs: int, op_type: str, /, *inputs: Any, **attributes: Any) -> tuple[Tensor, ...]:
        """A node of a domain that is not ONNX's, for kernels of one's own."""

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
        """A subgraph for Scan, Loop or If: `build` is called with (op, *tensors named so) and returns its outputs; what it uses from
        outside is captured. The result is passed as the attribute `body` (`then_branch`, ...)."""


class LayerType:
    """The base of layer types. A subclass fills what it needs; see layers/pooling.py for a full one, layers/absval.py for a small one.

    One instance belongs to one layer; it is made on loading, holds the parameters that it read, and nothing that changes.
    """

    types: ClassVar[tuple[str, ...]] = ()
    """Caffe's type names that this class answers to."""

    bottoms: ClassVar[tuple[int, int | None]] = (1, 1)
    """The least and the greatest number of bottoms (None: no limit)."""

    tops: ClassVar[tuple[int, int | None]] = (1, 1)

    # These four are set in `read` by a layer whose parameters decide them.

    in_place: bool = False
    """Whether Caffe computes the same numbers when top and bottom are one blob."""

    shares_memory: bool = False
    """Whether Caffe's tops lie in the memory of the bottom (Reshape, Split): a layer in place on one changes all."""

    is_input: bool = False
    """Whether the tops are fed from outside (Input, data layers)."""

    is_identity: bool = False
    """Whether every top is the bottom in the TEST phase (Dropout, Split): exporters leave the layer out."""

    choices: tuple[int, ...] = ()
    """The tops that near-ties may turn (ArgMax, masks, detections, what is pooled from rounded regions): comparisons hold them to what
    the layer makes of the very bottoms that it was given."""

    columns: int | None = None
    """The axis of its tops along which numbers change their meaning (label, score, corner), if any: comparisons hold each by itself."""

    scope: ClassVar[Literal["number", "channels", "map"]] = "map"
    """How far a number of the tops looks into the bottoms: at the one at its place alone, all alike ("number": ReLU), at all channels
    of its position ("channels": PReLU, Softmax), or further ("map")."""

    mixes: ClassVar[str] = "does not treat each position of a map alone"
    """Why a layer of scope "map" cannot follow when its bottom, one vector for each item, becomes a map of such vectors."""

    has_labels: ClassVar[bool] = False
    """Whether the bottoms behind the first are labels or targets: one for each position."""

    judged: ClassVar[int] = 1
    """With labels, how many of the bottoms before them are what a loss or score judges."""

    training_only: ClassVar[bool] = False
    """Whether it serves training and scoring only (losses, Accuracy): passes/deploy.py leaves it out."""

    any_blobs: ClassVar[bool] = False
    """Whether the layer takes whatever blobs the weights file holds for it."""

    note: ClassVar[str] = ""
    """What `netsurgery layers` says of it: limits, variants, "by formula"."""

    fillers: Sequence[Filler] = ()
    """How its blobs are filled where no weights file gives them, as `read` found it; those that it does not say start as zeros."""

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

    def random_weights(self, shapes: Sequence[tuple[int, ...]], rng: np.random.Generator) -> Sequence[Array]:
        """Made-up blobs with which numbers keep their size from layer to layer: matrices and kernels N(0, 2 / fan_in), vectors close
        to what Caffe fills them with when the file does not say (bias 0, scale 1)."""
        usual = [*(filler.usual for filler in self.fillers), *[0.0] * len(shapes)]
        return [
            he_normal(shape, prod(shape[1:]), rng) if prod(shape) > max(shape, default=1) else near(value, shape, rng)
            for shape, value in zip(shapes, usual, strict=False)
        ]

    def shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        """The shapes of the tops. Sizes are ints or Dims: write ordinary arithmetic, `self.require(...)` for what must be equal."""
        return [bottoms[0]]

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        """The tops by NumPy, in the dtype of the bottoms (float32 or float64)."""
        if self.is_identity:
            return [bottoms[0]]
        raise UnsupportedError("netsurgery.run cannot compute this layer", layer=self.title, source=self.source)

    def sample(self, index: int, shapes: Sequence[tuple[int, ...]], rng: np.random.Generator) -> NDArray[Any] | None:
        """Made-up numbers for bottom `index`, `shapes` being those of all bottoms, where not any would do (labels, indices, regions);
        None where any will."""
        return None

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        """The tops as ONNX nodes."""
        if self.is_identity:
            return [bottoms[0]]
        raise UnsupportedError("there is no ONNX form of this layer", layer=self.title, source=self.source)

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        """The tops as operators of Caffe2 that run on the CPU."""
        if self.is_identity:
            return [bottoms[0]] * self.top_count
        raise UnsupportedError(
            "has no form in Caffe2: its class has no emit_caffe2",
            layer=self.title,
            source=self.source,
            fix="cut the net before this layer (--output), and do the rest in your own code",
        )

    def expand(self, layer: Layer) -> Sequence[Layer] | None:
        """For a layer that stands for several: these, which take its place on loading (netsurgery.layer makes one from text). They read
        the layer's bottoms and write its tops."""
        return None

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

    def absorb_input(
        self, params: Message, weights: Sequence[Array], bottom: Shape, order: Sequence[int], scale: Array, shift: Array
    ) -> tuple[Message, tuple[Array, ...], bool] | None:
        """For a linear layer: its parameters and blobs so that on x it computes what it did on x[:, order] * scale + shift (per channel,
        float64), and whether that is exact where it pads; None where it cannot take them."""
        return None

    def ungrouped(self, params: Message, weights: Sequence[Array]) -> tuple[Message, tuple[Array, ...]] | None:
        """For a layer with groups: its parameters and blobs as one group, the weights between groups being 0; None if it has none."""
        return None

    def reach(self, bottoms: Sequence[Shape]) -> Sequence[Sequence[Reach] | None]:
        """What a position of the tops sees of each bottom, along each axis behind the channels. Empty: all of it, the tops having no
        positions that go with it. None: nothing, or its size alone."""
        return [() if self.scope == "map" else [SAME] * (len(x) - 2) for x in bottoms]

    def reach_but(self, bottoms: Sequence[Shape], axis: int, reach: Reach) -> Sequence[Sequence[Reach]]:
        """`reach` for layers that work along one axis (Caffe's count): each position sees its own place along the others."""
        return [[reach if i == axis % len(x) else SAME for i in range(2, len(x))] for x in bottoms]

    def macs(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Size:
        """The multiply-accumulates of its sums of products (convolutions, matrices); other work is not counted."""
        return 0

    def per_position(self, params: Message, bottoms: Sequence[Shape]) -> Message:
        """Its parameters, so that it does at each position of a map what it does on bottoms of these shapes, each of which is one vector
        for each item, (N, C) or (N, C, 1, ..): the positions become axes behind the channels.

        Raises: RewriteError if it cannot."""
        if self.scope == "map":
            raise self.refusal(self.mixes)
        return params

    def over_channels(self, params: Message, message: str, axis: int, rank: int) -> Message:
        """`params` where `axis` must mean the channels: written as 1 in `message` if it was counted from the end.

        Raises: RewriteError."""
        if axis % rank != 1:
            raise self.refusal(f"works along axis {axis}, not over the channels")
        if axis == 1:
            return params
        inner = params.last(message).with_fields(Field("axis", 1))
        return params.with_fields(Field(message, inner))

    def refusal(self, problem: str) -> RewriteError:
        """The error that says why the layer cannot be part of a fully convolutional net, to be raised."""
        return RewriteError(
            problem,
            layer=self.title,
            source=self.source,
            expected="behind a converted InnerProduct, layers that treat each position alone, over its channels (axis 1)",
            fix="cut the net before this layer, or leave the InnerProduct layers before it as they are (--only)",
        )

    def prediction(self, params: Message) -> tuple[str, Message] | None:
        """For a loss with an activation inside: the type and parameters of the layer that computes the activation."""
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
