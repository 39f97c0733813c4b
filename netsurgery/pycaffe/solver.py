"""Caffe's solvers: refused by name. netsurgery does not train."""

from __future__ import annotations

import time
from typing import Any, NoReturn

from ..errors import UnsupportedError


class _Refused:
    """A class that says, when it is called, that training is not supported."""

    def __init__(self, *args: Any, **options: Any) -> None:
        refuse(type(self).__name__)


def refuse(name: str) -> NoReturn:
    """Raises: UnsupportedError that says what to do instead of training with `name`."""
    raise UnsupportedError(
        f"caffe.{name} trains, which netsurgery does not",
        expected="nets that are run, differentiated or edited: caffe.Net(prototxt, weights, phase)",
        fix="take steps of your own with net.forward(), net.backward() and net.params, "
        "or train netsurgery.to_torch(net) with PyTorch",
    )


class SGDSolver(_Refused):
    """Stochastic gradient descent; refused."""


class NesterovSolver(_Refused):
    """Nesterov's accelerated gradient; refused."""


class AdaGradSolver(_Refused):
    """AdaGrad; refused."""


class RMSPropSolver(_Refused):
    """RMSProp; refused."""


class AdaDeltaSolver(_Refused):
    """AdaDelta; refused."""


class AdamSolver(_Refused):
    """Adam; refused."""


class NCCL(_Refused):
    """Training on several cards; refused."""


def get_solver(filename: str) -> NoReturn:
    """Raises: UnsupportedError."""
    refuse("get_solver")


class Timer:
    """Caffe's stop watch: `start`, `stop`, and `ms` or `elapsed_ms` for milliseconds."""

    def __init__(self) -> None:
        self._begin = self._end = time.perf_counter()

    def start(self) -> None:
        self._begin = time.perf_counter()

    def stop(self) -> None:
        self._end = time.perf_counter()

    @property
    def ms(self) -> float:
        return 1000 * (self._end - self._begin)

    elapsed_ms = ms
