"""netsurgery: Caffe models of every vintage, operated on, and handed over as ONNX with proof.

In short::

    import netsurgery

    net = netsurgery.load("deploy.prototxt", "weights.caffemodel")
    netsurgery.save_onnx(net, "model.onnx")
    netsurgery.assert_equivalent(net, "model.onnx")
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import html_table

if TYPE_CHECKING:
    from .difference import diff as diff
    from .drawing.draw import Drawing as Drawing
    from .drawing.draw import draw as draw
    from .errors import MismatchError as MismatchError
    from .errors import NetsurgeryError as NetsurgeryError
    from .errors import ParseError as ParseError
    from .errors import RewriteError as RewriteError
    from .errors import ShapeError as ShapeError
    from .errors import UnsupportedError as UnsupportedError
    from .errors import WeightsError as WeightsError
    from .exporters.caffe2.export import save_caffe2 as save_caffe2
    from .exporters.caffe2.export import to_caffe2 as to_caffe2
    from .exporters.onnx.export import to_onnx as to_onnx
    from .exporters.onnx.save import save_onnx as save_onnx
    from .exporters.onnx.session import session as session
    from .exporters.torch.module import to_torch as to_torch
    from .formats.layer_text import layer as layer
    from .formats.load import load as load
    from .formats.save import save_caffe as save_caffe
    from .formats.save import to_prototxt as to_prototxt
    from .interpreter import run as run
    from .layers import register as register
    from .layers.core.layer_type import LayerType as LayerType
    from .net import Layer as Layer
    from .net import Net as Net
    from .passes.convolutionalize import convolutionalize as convolutionalize
    from .passes.cut import cut as cut
    from .passes.deploy import deploy as deploy
    from .passes.initialize import initialize as initialize
    from .receptive_field import Geometry as Geometry
    from .receptive_field import geometry as geometry
    from .verification.check import assert_equivalent as assert_equivalent
    from .verification.check import verify as verify
    from .verification.record import record as record
    from .verification.reports.report import Report as Report
    from .vision.gradient import gradient as gradient

# onnxruntime reads this when it is imported; it would report to its makers, and keep a database for that in the user's home.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Public name -> the module that holds it, imported when the name is first used (PEP 562): `import netsurgery` stays fast.
_HOME = {
    "Drawing": "drawing.draw",
    "Geometry": "receptive_field",
    "Layer": "net",
    "LayerType": "layers.core.layer_type",
    "MismatchError": "errors",
    "Net": "net",
    "NetsurgeryError": "errors",
    "ParseError": "errors",
    "Report": "verification.reports.report",
    "RewriteError": "errors",
    "ShapeError": "errors",
    "UnsupportedError": "errors",
    "WeightsError": "errors",
    "assert_equivalent": "verification.check",
    "convolutionalize": "passes.convolutionalize",
    "cut": "passes.cut",
    "deploy": "passes.deploy",
    "diff": "difference",
    "draw": "drawing.draw",
    "geometry": "receptive_field",
    "gradient": "vision.gradient",
    "initialize": "passes.initialize",
    "layer": "formats.layer_text",
    "load": "formats.load",
    "record": "verification.record",
    "register": "layers",
    "run": "interpreter",
    "save_caffe": "formats.save",
    "save_caffe2": "exporters.caffe2.export",
    "save_onnx": "exporters.onnx.save",
    "session": "exporters.onnx.session",
    "to_caffe2": "exporters.caffe2.export",
    "to_onnx": "exporters.onnx.export",
    "to_prototxt": "formats.save",
    "to_torch": "exporters.torch.module",
    "verify": "verification.check",
}

html_table.of_net = lambda net: import_module(".summary", __name__).to_html(net)

__all__ = sorted([*_HOME, "kernels", "passes", "vision"])


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    if name in ("passes", "vision"):
        return import_module(f".{name}", __name__)
    if name == "kernels":
        return import_module(".passes.kernels", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__]
