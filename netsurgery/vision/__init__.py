"""What people do with a net: preprocessing, heatmaps, pictures of filters and activations, features, kernels.

from netsurgery import vision

found = vision.heatmap(net, "photo.jpg", preprocessing=vision.Preprocessing(mean=[104, 117, 123]))
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..formats.preprocessing import Preprocessing as Preprocessing
    from ..formats.preprocessing import read_mean as read_mean
    from .classify import Prediction as Prediction
    from .classify import classify as classify
    from .classify import classify_files as classify_files
    from .colormap import colours as colours
    from .features import feature_files as feature_files
    from .features import features as features
    from .filters import activations as activations
    from .filters import filters as filters
    from .heatmap import Heatmap as Heatmap
    from .heatmap import Options as Options
    from .heatmap import heatmap as heatmap
    from .heatmap_files import heatmaps as heatmaps
    from .images import find_images as find_images
    from .images import read_image as read_image
    from .labels import read_labels as read_labels
    from .maximize import Maximum as Maximum
    from .maximize import maximize as maximize
    from .overlay import overlay as overlay
    from .patches import Patch as Patch
    from .patches import patches as patches
    from .picture import to_png as to_png
    from .preprocess import deprocess as deprocess
    from .preprocess import oversample as oversample
    from .preprocess import preprocess as preprocess
    from .resize import resize as resize

# Public name -> the module that holds it, imported when the name is first used (PEP 562).
_HOME = {
    "Heatmap": ".heatmap",
    "Maximum": ".maximize",
    "Options": ".heatmap",
    "Patch": ".patches",
    "Prediction": ".classify",
    "Preprocessing": "..formats.preprocessing",
    "activations": ".filters",
    "classify": ".classify",
    "classify_files": ".classify",
    "colours": ".colormap",
    "deprocess": ".preprocess",
    "feature_files": ".features",
    "features": ".features",
    "filters": ".filters",
    "find_images": ".images",
    "heatmap": ".heatmap",
    "heatmaps": ".heatmap_files",
    "maximize": ".maximize",
    "overlay": ".overlay",
    "oversample": ".preprocess",
    "patches": ".patches",
    "preprocess": ".preprocess",
    "read_image": ".images",
    "read_labels": ".labels",
    "read_mean": "..formats.preprocessing",
    "resize": ".resize",
    "to_png": ".picture",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name], __name__), name)
    if name == "kernels":
        return import_module(".kernels", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, "kernels"})


class _Package(ModuleType):
    """Lets `vision.heatmap` be the function although a module has the same name: importing a submodule would put the module there."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
