"""Layer, and its Kind: what the layer's type says of it, the base of layer types (layers/) and of what is refused. Frozen; no files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn

from .errors import NetsurgeryError, RewriteError, Source, UnsupportedError, visible
from .message import Message

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .layers.core.aliases import Array, Arrays, Reaches, Shapes, Surgery, Tensors
    from .layers.core.builder import Op
    from .layers.core.dims import Shape, Size
    from .layers.core.fillers import Filler

    Blob = NDArray[Any]


UNWRITTEN = "write `{}` in its class (README: Your own layer), or cut the net before this layer (--output)"


class Kind:
    """What is asked of a layer's type. Facts are neutral unless the type says other; what must be computed, a type has to say.

    One instance belongs to one layer, holds what was read from its parameters, and nothing that changes.
    """

    name: str = ""
    type: str = ""
    source: Source = Source()

    error: NetsurgeryError | None = None
    """Why the layer cannot be used, if it cannot."""

    only_here: str = ""
    """What is said of a layer that no Caffe has in this form, so that it cannot be written for one."""

    in_place: bool = False
    """Whether Caffe computes the same numbers when top and bottom are one blob."""

    shares_memory: bool = False
    """Whether Caffe's tops lie in the memory of the bottom (Reshape, Split): a layer in place on one changes all."""

    overwrites: ClassVar[tuple[int, ...]] = ()
    """The bottoms whose numbers Caffe's layer changes for those that read them after it; this one leaves them alone."""

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

    has_labels: ClassVar[bool] = False
    """Whether the bottoms behind the first are labels or targets: one for each position."""

    copies_first: ClassVar[bool] = False
    """Whether in the TEST phase its top is its first bottom, whatever labels it has beside it."""

    judged: ClassVar[int] = 1
    """With labels, how many of the bottoms before them are what a loss or score judges."""

    casts_weights: ClassVar[bool] = False
    """Whether `forward` takes weights as they lie in the file, of any type and alignment, and casts them part by part: matrices that are
    too large for a copy."""

    gives_features: ClassVar[bool] = False
    """Whether its numbers are features, which half precision (and int8) may compute. What else there is (normalizations, losses, boxes,
    regions, positions) keeps its precision: a coordinate of 1000 pixels in float16 is half a pixel off."""

    flattens: ClassVar[bool] = False
    """Whether it gives its bottom's numbers in their order, in other axes (Flatten, Reshape)."""

    joins: ClassVar[bool] = False
    """Whether it gives its bottoms' numbers one behind another, as they are (Concat)."""

    training_only: ClassVar[bool] = False
    """Whether it serves training and scoring only (losses, Accuracy): passes/deploy.py leaves it out."""

    any_blobs: ClassVar[bool] = False
    """Whether the layer takes whatever blobs the weights file holds for it."""

    fillers: Sequence[Filler] = ()
    """How its blobs are filled where no weights file gives them, as `read` found it; those that it does not say start as zeros."""

    num_output: int = 0
    """The channels that its field num_output asks for, 0 if it has no such field."""

    distribution: int | None = None
    """The axis along which its top is a distribution (Softmax), if it is one."""

    image_size: tuple[int, int, int] | None = None
    """For data layers: channels, height and width as the parameters say, 0 where they do not."""

    frames: tuple[int, ...] = ()
    """For data layers whose items are clips (n, c, frames, h, w): how many frames there are in each."""

    preparation: str = ""
    """For data layers: what is done to an image before it comes in."""

    memory: tuple[str, ...] = ()
    """What Caffe keeps in the layer from one forward to the next (h, c), where no bottoms and tops take and give it."""

    messages: tuple[str, ...] = ()
    """The parameter messages that it read, in order: convolution_param."""

    statement: tuple[object, ...] = ()
    """What it was read from; see `for_layer`."""

    reader: Callable[[Layer], Kind] | None = None
    """Reads it anew."""

    @property
    def title(self) -> str:
        return visible(f"'{self.name}' ({self.type})")

    @property
    def is_supported(self) -> bool:
        return self.error is None

    def for_layer(self, layer: Layer) -> Kind:
        """This kind, if the layer still says what it was read from; else the one that the layer says now."""
        if self.reader is None or self.statement == layer.statement:
            return self
        return self.reader(layer)

    def require_supported(self) -> None:
        """Raises: its error if the layer cannot be used."""
        if self.error is not None:
            raise self.error

    def _unable(self, problem: str, fix: str = "") -> NoReturn:
        self.require_supported()
        raise UnsupportedError(problem, layer=self, fix=fix)

    def declared(self, count: int) -> Sequence[tuple[int, ...] | None]:
        """For input layers: the declared shapes of `count` tops."""
        return [None] * count

    def shapes(self, bottoms: Shapes) -> Shapes:
        """The shapes of the tops. Sizes are ints or Dims: write ordinary arithmetic, `self.require(...)` for what must be equal."""
        self._unable("has no type that says what it computes", "make layers with netsurgery.layer")

    def bottom_shape(self, index: int, bottoms: Sequence[Shape | None]) -> Shape | None:
        """The shape that bottom `index` must have beside the others, whose shapes are given where they are known; None where it may
        have any."""
        return None

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        """The shapes of the layer's blobs, given those of its bottoms."""
        self.require_supported()
        return []

    @property
    def has_weights(self) -> bool:
        """Whether a layer of its type may have blobs."""
        return type(self).weight_shapes is not Kind.weight_shapes

    def random_weights(self, shapes: Sequence[tuple[int, ...]], rng: np.random.Generator) -> Arrays:
        """Made-up blobs with which numbers keep their size from layer to layer."""
        self._unable("has no type that says how its blobs look")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        """The tops by NumPy, in the dtype of the bottoms (float32 or float64)."""
        if self.is_identity:
            return [bottoms[0]]
        self._unable("netsurgery.run cannot compute this layer: its class has no forward", UNWRITTEN.format("forward"))

    def sample(self, index: int, shapes: Sequence[tuple[int, ...]], rng: np.random.Generator) -> NDArray[Any] | None:
        """Made-up numbers for bottom `index`, `shapes` being those of all bottoms, where not any would do (labels, indices, regions);
        None where any will."""
        return None

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        """The tops as ONNX nodes."""
        if self.is_identity:
            return [bottoms[0]]
        self._unable("there is no ONNX form of this layer: its class has no emit", UNWRITTEN.format("emit"))

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        """The tops as operators of Caffe2 that run on the CPU."""
        self._unable(
            "has no form in Caffe2: its class has no emit_caffe2",
            "cut the net before this layer (--output), and do the rest in your own code",
        )

    def with_values(self, params: Message, values: Mapping[str, object]) -> Message:
        """The layer's parameters with fields of its own message set to these values (None: not set)."""
        self._unable("has no type whose parameters could be set")

    def expand(self, layer: Layer) -> Sequence[Layer] | None:
        """For a layer that stands for several: these, which take its place on loading (netsurgery.layer makes one from text). They read
        the layer's bottoms and write its tops."""
        return None

    def memory_shapes(self, bottoms: Shapes) -> Shapes:
        """The shapes of what is kept in its `memory`."""
        return []

    def exposed(self, params: Message) -> Message:
        """For a layer with a `memory`: its parameters when further bottoms give, and further tops take, what is kept in it."""
        return params

    def affine(self, weights: Arrays) -> tuple[Array, Array] | None:
        """For a layer that is y = x * scale + shift per channel (axis 1) with constant numbers: (scale, shift) in float64, each of
        shape (C,) or (); None where it is not."""
        return None

    @property
    def line(self) -> tuple[float, float] | None:
        """(slope, shift) of a layer without blobs that is y = slope * x + shift for all numbers alike (Power)."""
        return None

    def absorb(self, params: Message, weights: Arrays, scale: Array, shift: Array) -> Surgery | None:
        """For a linear layer: its parameters and blobs after its top was multiplied by `scale` and increased by `shift`, per channel
        (axis 1); None where it cannot take them."""
        return None

    def absorb_input(
        self, params: Message, weights: Arrays, bottom: Shape, order: Sequence[int], scale: Array, shift: Array
    ) -> tuple[Message, tuple[Array, ...], bool] | None:
        """For a linear layer: its parameters and blobs so that on x it computes what it did on x[:, order] * scale + shift (per channel,
        float64), and whether that is exact where it pads; None where it cannot take them."""
        return None

    def ungrouped(self, params: Message, weights: Arrays) -> Surgery | None:
        """For a layer with groups: its parameters and blobs as one group, the weights between groups being 0; None if it has none."""
        return None

    def reach(self, bottoms: Shapes) -> Reaches:
        """What a position of the tops sees of each bottom, along each axis behind the channels. Empty: all of it, the tops having no
        positions that go with it. None: nothing, or its size alone."""
        self.require_supported()
        return [()] * len(bottoms)

    def macs(self, bottoms: Shapes, tops: Shapes) -> Size:
        """The multiply-accumulates of its sums of products (convolutions, matrices); other work is not counted."""
        return 0

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        """Its parameters, so that it does at each position of a map what it does on bottoms of these shapes, each of which is one vector
        for each item, (N, C) or (N, C, 1, ..): the positions become axes behind the channels.

        Raises: RewriteError if it cannot."""
        self._unable("has no type that says what it computes")

    def refusal(self, problem: str) -> RewriteError:
        """The error that says why the layer cannot be part of a fully convolutional net, to be raised."""
        return RewriteError(
            problem,
            layer=self,
            expected="behind a converted InnerProduct, layers that treat each position alone, over its channels (axis 1)",
            fix="cut the net before this layer, or leave the InnerProduct layers before it as they are (--only)",
        )

    def unchanged(self, params: Message, rank: int) -> Message:
        """For a layer that flattens: its parameters so that it gives a bottom of `rank` axes as it is."""
        self._unable("cannot leave its bottom as it is")

    def prediction(self, params: Message) -> tuple[str, Message] | None:
        """For a loss with an activation inside: the type and parameters of the layer that computes the activation."""
        return None


class Refused(Kind):
    """The kind of a layer that cannot be used, with the error that says why. It is raised when the layer is needed, not on loading."""

    in_place = True

    def __init__(self, error: NetsurgeryError) -> None:
        self.error = error


IDENTITY = ("name", "type", "bottom", "top", "blobs")
"""Fields of LayerParameter that Layer holds itself."""


@dataclass(frozen=True, repr=False)
class Layer:
    """One layer: `bottoms` and `tops` are blob names of which each has one writer (see Net).

    `params` is its LayerParameter message (V2, whatever the vintage) without name, type, bottom, top and blobs; `weights` are its blobs
    in Caffe's shapes, () without a caffemodel; `kind` is what the layer type's file reads from `params` (a LayerType of layers/, or
    Refused): it is read anew when they change, so that `dataclasses.replace(layer, params=...)` is a layer that fits together.
    """

    name: str
    type: str
    bottoms: tuple[str, ...] = ()
    tops: tuple[str, ...] = ()
    params: Message = Message("LayerParameter")
    weights: tuple[Blob, ...] = field(default=(), compare=False)
    source: Source = field(default=Source(), compare=False)
    kind: Kind = field(default=Kind(), compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", self.kind.for_layer(self))

    @property
    def statement(self) -> tuple[object, ...]:
        """What its kind is read from."""
        return self.name, self.type, self.params, len(self.bottoms), len(self.tops)

    def __repr__(self) -> str:
        blobs = f"; {_count(len(self.weights), 'blob')}" if self.weights else ""
        return f"<Layer {self.title}: {', '.join(self.bottoms)} -> {', '.join(self.tops)}{blobs}>"

    @property
    def title(self) -> str:
        """How errors name it: 'fc6' (InnerProduct)."""
        return visible(f"'{self.name}' ({self.type})")

    @property
    def shared_blobs(self) -> tuple[str, ...]:
        """The names under which it shares its blobs with other layers, "" for one that it does not share."""
        specs = self.params.all("param")
        return tuple(str(spec.last("name", "")) if isinstance(spec, Message) else "" for spec in specs)

    def blob_shapes(self, shapes: Mapping[str, Shape]) -> list[Shape] | None:
        """The shapes that its blobs have to have where the net's blobs have these; None where they do not follow."""
        if not self.kind.is_supported or not all(b in shapes for b in self.bottoms):
            return None
        return [tuple(w) for w in self.kind.weight_shapes([shapes[b] for b in self.bottoms])]

    def with_name(self, name: str) -> Layer:
        """The same layer under another name."""
        return self if name == self.name else replace(self, name=name)

    def with_blobs(self, names: Mapping[str, str]) -> Layer:
        """The same layer with bottoms and tops renamed: {old: new}."""
        if names.keys().isdisjoint(self.bottoms) and names.keys().isdisjoint(self.tops):
            return self
        return replace(
            self,
            bottoms=tuple(names.get(b, b) for b in self.bottoms),
            tops=tuple(names.get(t, t) for t in self.tops),
        )


def _count(n: int, what: str) -> str:
    return f"{n} {what}" + ("s" if n != 1 else "")
