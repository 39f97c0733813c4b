"""Pixels are those that real Caffe's data layers gave: ImageData from PNG and JPEG, Data from LMDB, MemoryData, in colour and gray, with a
mean image, mean values and none, a crop smaller than the image and its mean, and a scale."""

from __future__ import annotations

from pathlib import Path

import cases
import data_layers
import numpy as np
import pytest

with np.load(cases.FIXTURES / "pixels" / "data_layers.npz") as _recorded:
    EXPECTED = dict(_recorded)
CLOSE = 255 * 1e-4
CASES = [pytest.param(case, id=data_layers.key(*case)) for case in data_layers.CASES]
CROPPED = [case for case in CASES if "MemoryData" not in case.id]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pixels")
    data_layers.build(path, 0)
    return path


@pytest.mark.parametrize("case", CASES)
def test_layers_give_what_caffes_gave(case: tuple[str, int, str], folder: Path) -> None:
    assert len(CASES) == len(EXPECTED) == 18
    theirs = EXPECTED[data_layers.key(*case)]
    ours = data_layers.in_netsurgery(folder, *case)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= CLOSE


@pytest.mark.parametrize("case", CROPPED)
def test_features_see_what_caffes_layers_gave(case: tuple[str, int, str], folder: Path) -> None:
    theirs = EXPECTED[data_layers.key(*case)]
    ours = data_layers.by_features(folder, *case)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= CLOSE
    kind, channels, mean = case
    other = data_layers.by_features(folder, kind, channels, "none" if mean != "none" else "mean values")
    assert np.abs(other - theirs).max() > 1, "another transform_param is told apart"


def test_memory_data_is_as_it_was_set_whatever_transform_param_says() -> None:
    for channels in (3, 1):
        for mean in data_layers.MEANS:
            assert (EXPECTED[data_layers.key("MemoryData", channels, mean)] == data_layers.stored(channels)).all()
