"""What runs a model: the interface of runtimes, each of which has a file of its own."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...net import Net
    from ..feeds import Feed

    Array = NDArray[Any]
    Feeds = Mapping[str, Array]
    Model = Any
    """A path, an onnx.ModelProto, its bytes, or a Net."""


class Runtime(ABC):
    """A model made ready to be run. Blobs bear the names that the model gives them."""

    name: str
    """How reports call it: "onnxruntime"."""

    path: str
    """The file of the model, "" for one in memory."""

    advisory: ClassVar[bool] = False
    """Whether it is known to differ from Caffe here and there, so that its opinion decides nothing beside others."""

    of_model: ClassVar[bool] = False
    """Whether, as an opinion, it runs the model itself, whose names it uses, and not the net."""

    note: str = ""
    """What reports should say of it."""

    in_double: bool = False
    """Whether it computes in float64: its numbers are not excused by float32's rounding."""

    sources: Mapping[str, str] = MappingProxyType({})
    """The sha256 of the files whose numbers it holds, by kind ("prototxt", "weights"), where it tells them."""

    @property
    @abstractmethod
    def versions(self) -> Mapping[str, str]:
        """Name -> version of what computes."""

    @property
    @abstractmethod
    def inputs(self) -> Mapping[str, tuple[int | None, ...] | None]:
        """The shape of every input, None for sizes that are free; None for a shape that is not declared."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]: ...

    @property
    @abstractmethod
    def blobs(self) -> Collection[str]:
        """Every value that can be asked for, outputs included."""

    @property
    def is_ours(self) -> bool:
        """Whether its blobs mean what Caffe's of the same name do: a net of Caffe's, or a model that netsurgery wrote."""
        return True

    def feeds(self, net: Net) -> Sequence[Feed] | None:
        """The inputs whose values it holds, if it holds recorded numbers. Raises: NetsurgeryError if they are not those of the net."""
        return None

    def set_apart(self, seconds: float) -> None:  # noqa: B027 - only ONNX models do
        """Lets an ONNX model run in a process of its own, where opening it, and a run, may take so long."""

    @abstractmethod
    def run(self, feeds: Feeds, blobs: Collection[str]) -> dict[str, Array]:
        """The values of these blobs. Asked for outputs alone, the model runs as it is.

        Raises: NetsurgeryError if it fails."""

    def voucher(self, blob: str) -> str:
        """Who computed a blob, for reports; "" where netsurgery's own interpreter did."""
        return self.name


class NetRuntime(Runtime):
    """A net of Caffe's in a runtime: blobs bear the net's names."""

    def __init__(self, net: Net) -> None:
        self.net, self.path = net, net.files.get("prototxt", "")

    @property
    def inputs(self) -> Mapping[str, tuple[int | None, ...] | None]:
        return dict(self.net.inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.net.outputs


def is_caffe2(path: str) -> bool:
    """Whether a path names NetDefs of Caffe2's: a folder that holds them, or one of the files."""
    return os.path.isfile(os.path.join(path, "predict_net.pb")) or path.endswith(".pb")


def model_path(model: Model) -> str:
    """The file of a model, "" for one in memory."""
    return os.fspath(model) if isinstance(model, str | os.PathLike) else ""
