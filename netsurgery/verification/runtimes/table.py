"""Which runtimes there are. To add one: write its file, add its line to RUNTIMES or OPINIONS."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ...errors import UnsupportedError
from ...net import Net
from .base import Runtime, is_caffe2, model_path

if TYPE_CHECKING:
    from .base import Model

# What can run the model that is checked: name -> file. The default is chosen by the model: a Net, or ONNX.
RUNTIMES = {
    "netsurgery": "netsurgery",
    "onnxruntime": "onnxruntime",
    "caffe2": "caffe2",
    "openvino": "openvino",
    "opencv": "opencv_onnx",
    "torch": "torch",
    "mnn": "mnn",
    "tract": "tract",
    "web": "web",
}

# What can say what the numbers should be.
OPINIONS = {
    "netsurgery": "netsurgery",
    "caffe": "caffe",
    "opencv": "opencv",
    "onnx": "onnx_reference",
    "caffe2": "caffe2",
}


def open_model(model: Model, runtime: str | None = None, seconds: float = 0) -> Runtime:
    """The model that is to be checked, in its runtime: a Net in netsurgery.run, NetDefs in Caffe2, all else in onnxruntime unless
    `runtime` says other. `seconds` is what an ONNX model may take for a run, in a process of its own; 0: here, and without a limit.

    Raises: UnavailableError, UnsupportedError; ParseError for what is no model.
    """
    usual = "netsurgery" if isinstance(model, Net) else "caffe2" if is_caffe2(model_path(model)) else "onnxruntime"
    name = runtime or usual
    opened: Runtime = _load(RUNTIMES, name, "runtime").open_model(model)
    if seconds:
        opened.set_apart(seconds)
    return opened


def open_opinion(name: str, net: Net, model: Model) -> Runtime:
    """What says what the numbers should be, by name; a path that ends in .npz names recorded numbers.

    Raises: UnavailableError, UnsupportedError."""
    if name.endswith(".npz"):
        recording: Runtime = import_module(".recorded", __package__).open_opinion(name)
        return recording
    opened: Runtime = _load(OPINIONS, name, "--against").open_opinion(net, model)
    return opened


def _load(table: Mapping[str, str], name: str, what: str) -> Any:
    if name not in table:
        more = ", or FILE.npz" if table is OPINIONS else ""
        raise UnsupportedError(f"{what} '{name}' is not known", expected=f"one of: {', '.join(table)}{more}")
    return import_module(f".{table[name]}", __package__)
