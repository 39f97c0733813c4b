"""Rewrites: functions from Net to Net, one file each, named for what they do.

from netsurgery import passes

net = passes.cut(net, ["fc7"])
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .change_num_output import change_num_output as change_num_output
    from .convolutionalize import convolutionalize as convolutionalize
    from .cut import cut as cut
    from .delete import delete as delete
    from .deploy import deploy as deploy
    from .drop_identities import drop_identities as drop_identities
    from .dump_weights import dump_weights as dump_weights
    from .dump_weights import load_weights as load_weights
    from .fold_preprocessing import fold_preprocessing as fold_preprocessing
    from .fold_scale import fold_scale as fold_scale
    from .initialize import initialize as initialize
    from .insert import insert as insert
    from .raw_detections import raw_detections as raw_detections
    from .rename import rename as rename
    from .set_input_shape import set_input_shape as set_input_shape
    from .set_weights import set_weights as set_weights
    from .transplant import transplant as transplant
    from .unfold_groups import unfold_groups as unfold_groups

# Pass -> the module that holds it, imported when the pass is first used (PEP 562).
_HOME = {
    "change_num_output": "change_num_output",
    "convolutionalize": "convolutionalize",
    "cut": "cut",
    "delete": "delete",
    "deploy": "deploy",
    "drop_identities": "drop_identities",
    "dump_weights": "dump_weights",
    "fold_preprocessing": "fold_preprocessing",
    "fold_scale": "fold_scale",
    "initialize": "initialize",
    "insert": "insert",
    "load_weights": "dump_weights",
    "raw_detections": "raw_detections",
    "rename": "rename",
    "set_input_shape": "set_input_shape",
    "set_weights": "set_weights",
    "transplant": "transplant",
    "unfold_groups": "unfold_groups",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})


class _Package(ModuleType):
    """Lets `passes.cut` be the function although a module has the same name: importing a submodule would put the module there."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
