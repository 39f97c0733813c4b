"""What Caffe keeps for the whole process: mode, device, random seed, log."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass

import numpy as np


@dataclass
class Settings:
    """The state that `set_mode_gpu`, `set_device` and `set_random_seed` change."""

    gpu: bool = False
    device: int = 0
    seed: int | None = None
    warned: bool = False


SETTINGS = Settings()
_RANDOM = [np.random.default_rng()]


def random() -> np.random.Generator:
    """The generator that fillers, Dropout and data layers draw from."""
    return _RANDOM[0]


def set_mode_cpu() -> None:
    """Compute on the CPU."""
    SETTINGS.gpu = False


def set_mode_gpu() -> None:
    """Compute by onnxruntime's CUDA or DirectML provider, if this onnxruntime has one; else the CPU computes, and says so once."""
    SETTINGS.gpu = True
    if not gpu_providers() and not SETTINGS.warned:
        SETTINGS.warned = True
        warnings.warn(
            "set_mode_gpu: this onnxruntime has no CUDA or DirectML provider, the CPU computes "
            "(pip install onnxruntime-gpu for one)",
            stacklevel=2,
        )


def gpu_providers() -> list[str]:
    """The providers of this onnxruntime that run on a graphics card."""
    import onnxruntime

    providers = onnxruntime.get_available_providers()
    return [name for name in ("CUDAExecutionProvider", "DmlExecutionProvider") if name in providers]


def set_device(gpu_id: int) -> None:
    """Which card `set_mode_gpu` means."""
    SETTINGS.device = int(gpu_id)


def set_random_seed(seed: int) -> None:
    """Seeds what is drawn at random from now on. The numbers are not those that Caffe's generator would draw."""
    SETTINGS.seed = int(seed)
    _RANDOM[0] = np.random.default_rng(int(seed) % 2**64)


def layer_type_list() -> list[str]:
    """The names of all layer types that a net may have."""
    from ..layers import names

    return [name for name in names() if ":" not in name]


def init_log(*args: object) -> None:
    """Caffe's log is not written here; nothing happens."""


def log(message: str) -> None:
    """Writes a line to standard error, as Caffe's log does."""
    sys.stderr.write(f"{message}\n")


def solver_count() -> int:
    return 1


def set_solver_count(count: int) -> None:
    """Solvers are not supported; nothing happens."""


def solver_rank() -> int:
    return 0


def set_solver_rank(rank: int) -> None:
    """Solvers are not supported; nothing happens."""


def set_multiprocess(multiprocess: bool) -> None:
    """Solvers are not supported; nothing happens."""


def has_nccl() -> bool:
    return False
