"""netsurgery: Caffe models of every vintage, operated on, and handed over as ONNX with proof.

In short::

    import netsurgery

    net = netsurgery.load("deploy.prototxt", "weights.caffemodel")
    netsurgery.save_onnx(net, "model.onnx")
    netsurgery.assert_equivalent(net, "model.onnx")
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import MismatchError as MismatchError
    from .errors import NetsurgeryError as NetsurgeryError
    from .errors import ParseError as ParseError
    from .errors import RewriteError as RewriteError
    from .errors import ShapeError as ShapeError
    from .errors import UnsupportedError as UnsupportedError
    from .errors import WeightsError as WeightsError
    from .exporters.caffe2 import save_caffe2 as save_caffe2
    from .exporters.caffe2 import to_caffe2 as to_caffe2
    from .exporters.onnx import to_onnx as to_onnx
    from .exporters.onnx_file import save_onnx as save_onnx
    from .formats.layer_text import layer as layer
    from .formats.load import load as load
    from .formats.save import save_caffe as save_caffe
    from .formats.save import to_prototxt as to_prototxt
    from .geometry import Geometry as Geometry
    from .geometry import geometry as geometry
    from .layers import register as register
    from .layers._type import LayerType as LayerType
    from .net import Layer as Layer
    from .net import Net as Net
    from .passes.convolutionalize import convolutionalize as convolutionalize
    from .passes.deploy import deploy as deploy
    from .passes.initialize import initialize as initialize
    from .run import run as run
    from .verify.check import assert_equivalent as assert_equivalent
    from .verify.check import verify as verify
    from .verify.diff import diff as diff
    from .verify.record import record as record
    from .verify.report import Report as Report

# Public name -> the module that holds it, imported when the name is first used (PEP 562): `import netsurgery` stays fast.
_HOME = {
    "Geometry": "geometry",
    "Layer": "net",
    "LayerType": "layers._type",
    "MismatchError": "errors",
    "Net": "net",
    "NetsurgeryError": "errors",
    "ParseError": "errors",
    "Report": "verify.report",
    "RewriteError": "errors",
    "ShapeError": "errors",
    "UnsupportedError": "errors",
    "WeightsError": "errors",
    "assert_equivalent": "verify.check",
    "convolutionalize": "passes.convolutionalize",
    "deploy": "passes.deploy",
    "diff": "verify.diff",
    "geometry": "geometry",
    "initialize": "passes.initialize",
    "layer": "formats.layer_text",
    "load": "formats.load",
    "record": "verify.record",
    "register": "layers",
    "run": "run",
    "save_caffe": "formats.save",
    "save_caffe2": "exporters.caffe2",
    "save_onnx": "exporters.onnx_file",
    "to_caffe2": "exporters.caffe2",
    "to_onnx": "exporters.onnx",
    "to_prototxt": "formats.save",
    "verify": "verify.check",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    if name in ("passes", "vision"):
        return import_module(f".{name}", __name__)
    if name == "kernels":
        return import_module(".vision.kernels", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})


class _Package(ModuleType):
    """Lets `netsurgery.run` be the function although a module has the same name: importing a submodule would put the module there."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
