"""Pixels against real Caffe, here and now: its data layers, and caffe.Classifier with caffe.io."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import cases
import classified
import data_layers
import live
import numpy as np
import pytest

pytestmark = [
    pytest.mark.caffe,
    pytest.mark.timeout(300),
    pytest.mark.skipif(live.python() is None, reason="REAL CAFFE IS NOT HERE: netsurgery caffe install makes it"),
]
CLOSE = 255 * 1e-4


@pytest.mark.parametrize("seed", [3, 4])
def test_data_layers_give_the_pixels_that_caffes_give(seed: int, tmp_path: Path) -> None:
    data_layers.build(tmp_path, seed)
    theirs = data_layers.in_caffe(tmp_path)
    assert len(theirs) == 18
    for case in data_layers.CASES:
        want = theirs[data_layers.key(*case)]
        assert np.abs(data_layers.in_netsurgery(tmp_path, *case) - want).max() <= CLOSE, case
        if case[0] != "MemoryData":
            assert np.abs(data_layers.by_features(tmp_path, *case) - want).max() <= CLOSE, case


def test_classify_says_what_caffe_classifier_says(tmp_path: Path) -> None:
    """With oversample and without, of one channel and three, with a mean image, values and none, images larger and smaller."""
    python = str(live.python())
    if subprocess.run([python, "-c", "import skimage"], capture_output=True).returncode:
        pytest.skip("CAFFE.CLASSIFIER IS NOT ASKED: caffe.io needs scikit-image beside Caffe")
    shutil.copy(cases.FIXTURES / "pixels" / "record.py", tmp_path)
    done = subprocess.run([python, "record.py", "5"], cwd=tmp_path, capture_output=True, text=True)
    assert not done.returncode, done.stderr[-2000:]
    with np.load(tmp_path / "expected.npz") as arrays:
        theirs = dict(arrays)
    keys = [key.removeprefix("classifier/") for key in theirs if key.startswith("classifier/")]
    assert len(keys) == 24
    for key in keys:
        want = theirs[f"classifier/{key}"]
        assert np.abs(classified.scores(tmp_path, theirs, key) - want).max() <= 1e-5 * np.abs(want).max(), key
