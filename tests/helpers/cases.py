"""Case folders: nets with inputs and the outputs that real Caffe computed. fixtures/README.md says where they come from."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

import netsurgery

FIXTURES = Path(__file__).parents[2] / "fixtures"
NOT_IN_CAFFE2 = ("conformance-forks/pooling_nd_mousect/mask",)
"""Cases of what no operator of Caffe2 computes."""
MODELS = Path(os.environ.get("NETSURGERY_MODELS", "published-models"))
"""Folders of models that people published, which are not ours to hand on: each has net.prototxt, net.caffemodel and runs.npz."""
RTOL = 1e-4
"""Allowed error as a share of a blob's largest value: float32 sums in another order than Caffe's; most cases reach 1e-6."""

Blobs = dict[str, np.ndarray[Any, Any]]


def find(*folders: str) -> list[Path]:
    """The case folders below these folders of fixtures/."""
    return sorted(path.parent for folder in folders for path in (FIXTURES / folder).rglob("runs.npz"))


def name(case: Path) -> str:
    return case.relative_to(FIXTURES).as_posix()


def weights(case: Path) -> Path | None:
    return next((case / n for n in ("net.caffemodel", "net.caffemodel.h5") if (case / n).exists()), None)


def load(case: Path, **options: Any) -> netsurgery.Net:
    return netsurgery.load(case / "net.prototxt", weights(case), **options)


def runs(case: Path) -> list[tuple[Blobs, Blobs]]:
    """(inputs, outputs) of each recorded run."""
    held: dict[str, tuple[Blobs, Blobs]] = defaultdict(lambda: ({}, {}))
    with np.load(case / "runs.npz") as arrays:
        for key in arrays.files:
            run, side, blob = key.split("/", 2)
            held[run][side == "out"][blob] = arrays[key]
    return [held[run] for run in sorted(held, key=int)]


def difference(got: np.ndarray[Any, Any], want: np.ndarray[Any, Any]) -> str:
    """What is wrong with `got`, "" if nothing. Tables of detections and regions are held column by column: labels, scores and
    coordinates differ in size."""
    if got.shape != want.shape:
        return f"shape {got.shape}, Caffe's is {want.shape}"
    got, want = np.atleast_1d(got, want)  # a loss is a scalar
    table = (
        want.ndim in (2, 4) and want.shape[-1] in (5, 7) and want.shape[1] == (want.shape[-1] if want.ndim == 2 else 1)
    )
    columns = range(want.shape[-1]) if table else [slice(None)]
    for column in columns:
        g, w = np.asarray(got[..., column], np.float64), np.asarray(want[..., column], np.float64)
        same = (g == w) | (np.isnan(g) & np.isnan(w))
        off = np.where(same, 0, np.abs(g - w)).max(initial=0)
        scale = max(np.abs(w[np.isfinite(w)]).max(initial=0), 1e-6)
        if not off <= RTOL * scale:
            return f"off by {off / scale:.1e} of the largest value"
    return ""


def session(model: bytes | str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def damaged(net: netsurgery.Net) -> netsurgery.Net:
    """The net with the first blob of its last layer with weights turned around and enlarged."""
    layer = [layer for layer in net.layers if layer.weights and np.abs(layer.weights[0]).max() > 0][-1]
    return net.with_weights(layer.name, -1.5 * layer.weights[0], *layer.weights[1:])
