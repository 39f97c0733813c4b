"""What runs a model: the interface of runtimes, each of which has a file of its own (on_*.py), and which file is whose.

To add one: write its file, add its line to RUNTIMES or OPINIONS.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ...errors import NetsurgeryError, UnsupportedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...net import Net

    Array = NDArray[Any]
    Feeds = Mapping[str, Array]
    Model = Any
    """A path, an onnx.ModelProto, its bytes, or a Net."""


class UnavailableError(NetsurgeryError):
    """A runtime that is not there: not installed, not importable, of a version that cannot do it."""


class Runtime(Protocol):
    """A model made ready to be run. Blobs bear the names that the model gives them."""

    name: str
    """How reports call it: "onnxruntime"."""

    path: str
    """The file of the model, "" for one in memory."""

    advisory: ClassVar[bool]
    """Whether it is known to differ from Caffe here and there, so that its opinion decides nothing beside others."""

    of_model: ClassVar[bool]
    """Whether, as an opinion, it runs the model itself, whose names it uses, and not the net."""

    note: ClassVar[str]
    """What reports should say of it."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Name -> version of what computes."""

    @property
    def inputs(self) -> Mapping[str, tuple[int | None, ...] | None]:
        """The shape of every input, None for sizes that are free; None for a shape that is not declared."""

    @property
    def outputs(self) -> tuple[str, ...]: ...

    @property
    def blobs(self) -> Collection[str]:
        """Every value that can be asked for, outputs included."""

    def run(self, feeds: Feeds, blobs: Collection[str]) -> dict[str, Array]:
        """The values of these blobs. Asked for outputs alone, the model runs as it is.

        Raises: NetsurgeryError if it fails."""


# What can run the model that is checked: name -> file. The default is chosen by the model: a Net, or ONNX.
RUNTIMES = {"netsurgery": "netsurgery", "onnxruntime": "onnxruntime", "caffe2": "caffe2"}

# What can say what the numbers should be.
OPINIONS = {
    "netsurgery": "netsurgery",
    "caffe": "caffe",
    "opencv": "opencv",
    "onnx": "onnx_reference",
    "caffe2": "caffe2",
}


def open_model(model: Model, runtime: str | None = None) -> Runtime:
    """The model that is to be checked, in its runtime: a Net in netsurgery.run, NetDefs in Caffe2, all else in onnxruntime unless
    `runtime` says other.

    Raises: UnavailableError, UnsupportedError; ParseError for what is no model.
    """
    from ...net import Net

    usual = "netsurgery" if isinstance(model, Net) else "caffe2" if is_caffe2(model_path(model)) else "onnxruntime"
    name = runtime or usual
    opened: Runtime = _load(RUNTIMES, name, "runtime").open_model(model)
    return opened


def open_opinion(name: str, net: Net, model: Model) -> Runtime:
    """What says what the numbers should be, by name; a path that ends in .npz names recorded numbers.

    Raises: UnavailableError, UnsupportedError."""
    if name.endswith(".npz"):
        from .recorded import open_opinion as open_recorded

        return open_recorded(name)
    opened: Runtime = _load(OPINIONS, name, "--against").open_opinion(net, model)
    return opened


def _load(table: Mapping[str, str], name: str, what: str) -> Any:
    from importlib import import_module

    if name not in table:
        more = ", or FILE.npz" if table is OPINIONS else ""
        raise UnsupportedError(f"{what} '{name}' is not known", expected=f"one of: {', '.join(table)}{more}")
    return import_module(f".{table[name]}", __package__)


def is_caffe2(path: str) -> bool:
    """Whether a path names NetDefs of Caffe2's: a folder that holds them, or one of the files."""
    import os

    return os.path.isfile(os.path.join(path, "predict_net.pb")) or path.endswith(".pb")


def model_path(model: Model) -> str:
    """The file of a model, "" for one in memory."""
    import os

    return os.fspath(model) if isinstance(model, str | os.PathLike) else ""
