"""onnxruntime's sessions, with the options that measurement chose."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...errors import NetsurgeryError, ParseError, Source
from ...files.boundary import open_file
from .external import external_ends
from .light import read_light

if TYPE_CHECKING:
    import onnx
    import onnxruntime

ERRORS_ONLY = 3
"""onnxruntime's log level: its warnings say what it optimised away."""


def session(
    model: str | os.PathLike[str] | bytes | onnx.ModelProto,
    *,
    threads: int | None = None,
    prepack: bool | None = None,
    providers: Sequence[Any] | None = None,
) -> onnxruntime.InferenceSession:
    """A session of onnxruntime on a model: a file, its bytes, or what `to_onnx` gives.

    threads: how many compute a node together; None: as many as there are cores that this process may use.
    prepack: whether the matrices of InnerProducts are packed into memory of onnxruntime's own. That takes about 1 s for each GB at the
    start and as much memory again; without it a batch of 4 and more runs some 5 % slower. None: where weights lie in the model,
    and not where they are mapped from a file beside it (`--weights external` and `link`).
    providers: onnxruntime's, the first that can compute a node does; None: the CPU.

    Memory is not planned by size where an input's size is free, since every size that was ever met would be remembered.

    Raises: NetsurgeryError for what onnxruntime cannot open.
    """
    name = os.fspath(model) if isinstance(model, str | os.PathLike) else ""
    content: Any = name or (model if isinstance(model, bytes) else model.SerializeToString())  # type: ignore[union-attr]
    if prepack is None:
        prepack = not (name and _is_mapped(name))
    return open_session(content, options(threads=threads, prepack=prepack), providers)


def open_session(content: str | bytes, chosen: Any, providers: Sequence[Any] | None = None) -> Any:
    """A session on a file, or its bytes, with options as `options` gives them.

    Raises: NetsurgeryError for what onnxruntime cannot open.
    """
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    if isinstance(content, str) and os.path.exists(content) and not os.path.isdir(content):
        open_file(content, "an ONNX model", NetsurgeryError).close()  # onnxruntime waits for what a FIFO may hold
    failures = (
        *(state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf),
        *(state.NoSuchFile, state.NotImplemented, state.RuntimeException),
    )
    try:
        return onnxruntime.InferenceSession(content, chosen, providers=providers or ["CPUExecutionProvider"])
    except failures as error:
        raise NetsurgeryError(
            f"onnxruntime {onnxruntime.__version__} does not open it: {' '.join(str(error).split())}",
            source=Source(content if isinstance(content, str) else ""),
            expected="an ONNX model",
        ) from None


def options(*, threads: int | None = None, prepack: bool = True, free: bool = True, spin: bool = True) -> Any:
    """What `session` opens a model with. free: whether sizes of inputs may change; spin: whether threads wait for work at full speed, which
    takes the cores from whoever else works in this process."""
    import onnxruntime

    chosen = onnxruntime.SessionOptions()
    chosen.log_severity_level = ERRORS_ONLY
    chosen.intra_op_num_threads = threads or cores()
    chosen.enable_mem_pattern = not free
    if not prepack:
        chosen.add_session_config_entry("session.disable_prepacking", "1")
    if not spin:
        chosen.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return chosen


def cores() -> int:
    """How many cores this process may use: OMP_NUM_THREADS, else those that it may run on."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isascii() and asked.isdigit() and int(asked):
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _is_mapped(path: str) -> bool:
    """Whether a model's large weights lie in a file of their own."""
    own = os.path.basename(os.path.realpath(path))
    try:
        return any(location != own for location in external_ends(read_light(path).proto, path))
    except ParseError:
        return False  # onnxruntime says what is wrong
