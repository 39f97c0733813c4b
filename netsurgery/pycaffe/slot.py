"""One layer of a running net: its blobs, its parameters, and the flags that backward goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ..errors import Source
from ..message import Message
from .blob import Blob, BlobVec
from .errors import CaffeError

if TYPE_CHECKING:
    from .blob import Array
    from .op import Op


class Past(Protocol):
    """A forward that a layer has been through."""

    weights: dict[int, Array]
    """The parameters, by id of their blob."""

    def bottom(self, slot: Slot, index: int) -> Array:
        """What it read."""


IDENTITY = ("name", "type", "bottom", "top", "blobs")


class Slot:
    """A layer in its place. `public` is what `net.layers` shows: a LayerView, or the script's own Python layer."""

    op: Op
    public: Any

    def __init__(self, message: Message, phase: str) -> None:
        self.message = message
        self.name, self.type = str(message.last("name", "")), str(message.last("type", ""))
        self.source: Source = message.source
        self.params = message.without(*IDENTITY)
        self.phase = str(message.last("phase", phase))
        self.bottom_names: list[str] = message.all("bottom")
        self.top_names: list[str] = message.all("top")
        self.bottoms: list[Blob] = []
        self.tops: list[Blob] = []
        self.blobs = BlobVec()
        self.loss_weights: list[float] = []
        self.need_backward = False
        self.bottom_need: list[bool] = []
        self.param_need: list[bool] = []
        self.shape_key: object = None
        self.trace: Past | None = None
        self.scratch: tuple[Past | None, Array] | None = None
        """What a backward left where the forward had kept something."""

    @property
    def title(self) -> str:
        return f"'{self.name}' ({self.type})"

    @property
    def in_place(self) -> bool:
        """Whether a top is its bottom."""
        return any(top is bottom for top, bottom in zip(self.tops, self.bottoms, strict=False))

    def set_losses(self) -> None:
        """The loss weight of each top, which fills its diff: 1 for the first top of a loss when the file does not say.

        Raises: CaffeError for another number of weights than tops."""
        weights = [float(w) for w in self.params.all("loss_weight")]
        if not weights and self.type.endswith("Loss"):
            weights = [1.0, *[0.0] * (len(self.tops) - 1)]
        if weights and len(weights) != len(self.tops):
            raise CaffeError(
                f"{len(weights)} loss weights for {len(self.tops)} tops",
                layer=self,
                expected="a loss_weight for each top, or none",
            )
        self.loss_weights = weights or [0.0] * len(self.tops)

    def fill_losses(self) -> None:
        """The loss weights, as the diffs that backward starts from."""
        for top, weight in zip(self.tops, self.loss_weights, strict=True):
            if weight:
                top.write_diff(weight)

    def lr_mult(self, index: int) -> float:
        """The learning rate of a parameter blob: 0 freezes it."""
        specs = self.params.all("param")
        return float(specs[index].last("lr_mult", 1.0)) if index < len(specs) else 1.0


class LayerView:
    """What `net.layers[i]` is: `type` and `blobs`."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    @property
    def type(self) -> str:
        return self._slot.type

    @property
    def blobs(self) -> BlobVec:
        return self._slot.blobs

    def setup(self, bottom: object = None, top: object = None) -> None:
        """Built-in layers are set up with their net; nothing happens."""

    def reshape(self, bottom: object = None, top: object = None) -> None:
        """Gives the layer's tops the shapes that follow from its bottoms."""
        self._slot.op.reshape()
