"""Rewrites: functions from Net to Net, one file each, named for what they do.

from netsurgery import passes

net = passes.cut(net, ["fc7"])
"""

from __future__ import annotations

from .change_num_output import change_num_output
from .convolutionalize import convolutionalize
from .cut import cut
from .delete import delete
from .deploy import deploy
from .drop_identities import drop_identities
from .dump_weights import dump_weights, load_weights
from .fold_preprocessing import fold_preprocessing
from .fold_scale import fold_scale
from .initialize import initialize
from .insert import insert
from .kernels import set_kernels
from .raw_detections import raw_detections
from .recurrent_state import recurrent_state
from .rename import rename
from .set_input_shape import set_input_shape
from .set_weights import set_weights
from .transplant import transplant
from .unfold_groups import unfold_groups

__all__ = [
    "change_num_output",
    "convolutionalize",
    "cut",
    "delete",
    "deploy",
    "drop_identities",
    "dump_weights",
    "fold_preprocessing",
    "fold_scale",
    "initialize",
    "insert",
    "load_weights",
    "raw_detections",
    "recurrent_state",
    "rename",
    "set_input_shape",
    "set_kernels",
    "set_weights",
    "transplant",
    "unfold_groups",
]
