"""Damaged files, thousands of them: only NetsurgeryError, no hang, no memory out of proportion. (Larger runs: other seeds, more rounds.)"""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import cases
import pytest
from damage import damaged

import netsurgery
from netsurgery import NetsurgeryError
from netsurgery.formats.load import from_text
from netsurgery.layers import find, names

CASES = [case for case in cases.find("conformance", "conformance-forks") if cases.weights(case)]
TEXTS = [(case / "net.prototxt").read_bytes() for case in CASES]


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """What is imported on first use is not to be counted."""
    for name in names():
        find(name)
    for case in CASES[::10]:
        cases.load(case).shapes()


class Watched:
    """Memory of a reading, held to the limit: ten times the file, or what a first import of a module may take."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __enter__(self) -> None:
        tracemalloc.reset_peak()
        self.before = tracemalloc.get_traced_memory()[0]

    def __exit__(self, *failure: object) -> None:
        assert tracemalloc.get_traced_memory()[1] - self.before < max(10 * self.size, 16 << 20)


@pytest.fixture
def traced() -> object:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("seed", range(4))
def test_damaged_prototxts_raise_nothing_but_our_errors(seed: int) -> None:
    rng = random.Random(seed)
    outcomes = set()
    for _ in range(400):
        case = rng.randrange(len(CASES))
        data = damaged(TEXTS[case], TEXTS, rng, text=True)
        weights = cases.weights(CASES[case]) if rng.random() < 0.5 else None
        with Watched(len(data) + (weights.stat().st_size if weights else 0)):
            try:
                net = from_text(data, "net.prototxt", weights)
                net.shapes()
                outcomes.add("read")
            except NetsurgeryError as error:
                assert str(error)
                outcomes.add(type(error).__name__)
    assert outcomes >= {"read", "ParseError"}


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("seed", range(4))
def test_damaged_weights_files_raise_nothing_but_our_errors(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    models = [weights.read_bytes() for case in CASES if (weights := cases.weights(case))]
    file = tmp_path / "damaged"
    outcomes = set()
    for _ in range(400):
        case = rng.randrange(len(CASES))
        file.write_bytes(data := damaged(models[case], models, rng, text=False))
        with Watched(len(data)):
            try:
                netsurgery.load(*((file,) if rng.random() < 0.4 else (CASES[case] / "net.prototxt", file)))
                outcomes.add("read")
            except NetsurgeryError as error:
                assert str(error)
                outcomes.add(type(error).__name__)
    assert outcomes >= {"read", "WeightsError"}
