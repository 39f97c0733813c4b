"""Damaged files, thousands of them: only NetsurgeryError, no hang, no memory out of proportion. (Larger runs: other seeds, more rounds.)"""

from __future__ import annotations

import random
import re
import tracemalloc
from pathlib import Path

import cases
import pytest

import netsurgery
from netsurgery import NetsurgeryError
from netsurgery.formats.load import from_text
from netsurgery.layers import find, names

CASES = [case for case in cases.find("conformance", "conformance-forks") if cases.weights(case)]
TEXTS = [(case / "net.prototxt").read_bytes() for case in CASES]
WORDS = (
    b"{",
    b"}",
    b'"',
    b"[",
    b"]",
    b"#",
    b"\\",
    b":",
    b"\0",
    b"\xff",
    b"nan",
    b"-1",
    b"layer {",
    b"layers {",
    b'bottom: "x" ',
)
NUMBERS = (b"4294967295", b"2147483647", b"99999999", b"65536", b"255", b"7", b"0", b"-1", b"3.5")


def damaged(data: bytes, others: list[bytes], rng: random.Random, text: bool) -> bytes:
    """The data with a few bits, bytes, pieces, lines or numbers changed."""
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        if not data:
            break
        at = rng.randrange(len(data))
        end = min(len(data), at + rng.choice((1, 10, 100, 1000)))
        match rng.randrange(10 if text else 7):
            case 0:
                data = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
            case 1:
                data = data[:at]
            case 2:
                other = rng.choice(others)
                begin = rng.randrange(len(other))
                data = data[:at] + other[begin : begin + rng.choice((10, 100, 10000))] + data[rng.choice((at, end)) :]
            case 3:
                data = data[:at] + data[end:]
            case 4:
                data = data[:at] + data[at:end] * rng.choice((2, 3, 10)) + data[end:]
            case 5:
                data = (
                    data[:at]
                    + bytes([rng.choice((0, 0x0A, 0x12, 0x7F, 0x80, 0xFF))]) * rng.choice((1, 2, 9))
                    + data[at + 1 :]
                )
            case 6:
                data = data[:at] + rng.randbytes(end - at if end - at < 20 else 20) + data[end:]
            case 7:
                data = data[:at] + rng.choice(WORDS) + data[at:]
            case 8:
                found = list(re.finditer(rb"\d+", data))
                if found:
                    number = rng.choice(found)
                    data = data[: number.start()] + rng.choice(NUMBERS) + data[number.end() :]
            case 9:
                lines = data.split(b"\n")
                lines[rng.randrange(len(lines))] = rng.choice(rng.choice(others).split(b"\n"))
                data = b"\n".join(lines)
    return data


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
