"""Scripts in the style of what people publish give what real Caffe's pycaffe gave: fixtures/pycaffe."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
CASES = sorted(path.parent for path in (ROOT / "fixtures" / "pycaffe").glob("*/script.py"))
BACKWARD = (
    *("dream_steps", "edits_before_backward", "fine_tuning", "frozen_norms", "gradcam", "gradients_conv_pool"),
    *("gradients_wiring", "layer_gradients", "neural_style", "pooling_mask", "python_layer", "python_training"),
    *("recurrent_gradients", "saliency_map", "train_phase", "views_and_sizes"),
)
"""What differentiates through PyTorch."""
TOLERANCE, RESIZED = 1e-4, 2e-3
"""Of the largest value of an array; names that end in _img went through the resizing of images."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which every script has run, in its own copy."""
    assert len(CASES) >= 43
    room = tmp_path_factory.mktemp("scripts")
    for case in CASES:
        shutil.copytree(case, room / case.name, ignore=shutil.ignore_patterns("expect.npz"))
    runner = ROOT / "tests" / "helpers" / "caffe_scripts.py"
    folders = [str(room / case.name) for case in CASES]
    subprocess.run([sys.executable, str(runner), *folders], check=True, capture_output=True, timeout=500)
    yield room


def complaint(name: str, got: Any, want: Any) -> str:
    """What is wrong with an array, "" if nothing is."""
    if got.shape != want.shape:
        return f"{name}: shape {got.shape}, not {want.shape}"
    if want.dtype.kind != "f":
        return "" if np.array_equal(got, want) else f"{name}: {got}, not {want}"
    if not np.array_equal(np.isfinite(got), np.isfinite(want)):
        return f"{name}: not finite where Caffe is, or the other way round"
    finite = np.isfinite(want)
    off = np.abs(got[finite].astype(np.float64) - want[finite]).max(initial=0)
    limit = (RESIZED if name.endswith("_img") else TOLERANCE) * np.abs(want[finite]).max(initial=0)
    return "" if off <= limit else f"{name}: off by {off:.3g} where {limit:.3g} is allowed"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_script_gives_caffes_answers(case: Path, results: Path) -> None:
    folder = results / case.name
    if case.name in BACKWARD:
        pytest.importorskip("torch")
    assert (folder / "out.npz").exists(), (folder / "error.txt").read_text()
    got, want = np.load(folder / "out.npz"), np.load(case / "expect.npz")
    assert sorted(got.files) == sorted(want.files)
    assert [c for name in want.files if (c := complaint(name, got[name], want[name]))] == []


def test_the_comparison_can_fail() -> None:
    want = np.load(CASES[0] / "expect.npz")
    damaged = [
        complaint(name, want[name] * 1.01 + 0.01, want[name]) for name in want.files if want[name].dtype.kind == "f"
    ]
    assert damaged and all(damaged)
