"""Pixels against real Caffe, here and now: its data layers, and caffe.Classifier with caffe.io."""

from __future__ import annotations

from pathlib import Path

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
