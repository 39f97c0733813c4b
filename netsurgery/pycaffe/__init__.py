"""pycaffe without Caffe: the face of the `caffe` module, with netsurgery behind it.

Three ways in::

    python -m netsurgery.pycaffe demo.py --gpu 0      # an unchanged script; `import caffe` in it finds this package
    import netsurgery.pycaffe as caffe                # new code, notebooks
    netsurgery.pycaffe.install()                      # from here on `import caffe` is this package

Names, arguments, memory and order are those of BVLC Caffe 1.0's pycaffe. Training (the solvers) is refused by name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .settings import has_nccl as has_nccl
from .settings import init_log as init_log
from .settings import layer_type_list as layer_type_list
from .settings import log as log
from .settings import set_device as set_device
from .settings import set_mode_cpu as set_mode_cpu
from .settings import set_mode_gpu as set_mode_gpu
from .settings import set_multiprocess as set_multiprocess
from .settings import set_random_seed as set_random_seed
from .settings import set_solver_count as set_solver_count
from .settings import set_solver_rank as set_solver_rank
from .settings import solver_count as solver_count
from .settings import solver_rank as solver_rank

if TYPE_CHECKING:
    from .finder import install as install
    from .solver import NCCL as NCCL
    from .solver import AdaDeltaSolver as AdaDeltaSolver
    from .solver import AdaGradSolver as AdaGradSolver
    from .solver import AdamSolver as AdamSolver
    from .solver import NesterovSolver as NesterovSolver
    from .solver import RMSPropSolver as RMSPropSolver
    from .solver import SGDSolver as SGDSolver
    from .solver import Timer as Timer
    from .solver import get_solver as get_solver

__version__ = "1.0.0"
"""Caffe's version, whose behaviour this is."""

TRAIN, TEST = 0, 1

# Public name -> the module that holds it, imported when the name is first used (PEP 562): `import netsurgery.pycaffe` stays fast.
_HOME = {
    "AdaDeltaSolver": "solver",
    "AdaGradSolver": "solver",
    "AdamSolver": "solver",
    "Blob": "blob",
    "Classifier": "classifier",
    "Detector": "detector",
    "Layer": "python_layer",
    "NCCL": "solver",
    "NesterovSolver": "solver",
    "Net": "net",
    "NetSpec": "net_spec",
    "RMSPropSolver": "solver",
    "SGDSolver": "solver",
    "Timer": "solver",
    "explain": "explanation",
    "get_solver": "solver",
    "install": "finder",
    "layers": "net_spec",
    "params": "net_spec",
    "to_proto": "net_spec",
}
_MODULES = ("classifier", "coord_map", "detector", "draw", "io", "net_spec", "proto")

__all__ = sorted(
    [
        *_HOME,
        *("TEST", "TRAIN", "has_nccl", "init_log", "io", "layer_type_list", "log", "set_device", "set_mode_cpu"),
        *("set_mode_gpu", "set_multiprocess", "set_random_seed", "set_solver_count", "set_solver_rank"),
        *("solver_count", "solver_rank"),
    ]
)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_MODULES})
