"""Every reader against damaged files, in processes that may take 2 GB of memory and 5 s of CPU for each file: nothing but errors of ours.

`pytest -m hostile` is the long run. NETSURGERY_HOSTILE says how many files of each reader (10,000); the two main ones, of prototxts and
caffemodels, get ten times as many. NETSURGERY_HOSTILE_SEED chooses others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import hostile_readers
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netsurgery
from netsurgery import NetsurgeryError
from netsurgery.files.wire import BYTES, FIXED32, FIXED64, VARINT, put_bytes, put_tag, put_varint
from netsurgery.formats.preprocessing import read_mean

COUNT = int(os.environ.get("NETSURGERY_HOSTILE", "10000"))
SEED = int(os.environ.get("NETSURGERY_HOSTILE_SEED", "0"))
MAIN = ("prototxt", "caffemodel")
CHUNK = 10_000
ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of processes as Linux has them")


def feed(reader: str, seed: int, count: int, keep: Path) -> dict[str, int]:
    """What came of that many files in a process of its own. Files at fault are left in `keep`."""
    script = Path(hostile_readers.__file__)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{script.parent}", "OMP_NUM_THREADS": "1"}
    words = [sys.executable, str(script), reader, str(seed), str(count), str(keep)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{reader}, seed {seed}: exit code {done.returncode}\n{done.stderr[-3000:]}"
    told = json.loads(done.stdout)
    assert told["count"] == sum(told["outcomes"].values()) == count
    faults = "\n".join(f"{fault}\n{text}" for fault, text in told["faults"].items())
    assert not faults, f"{reader}, seed {seed}; files in {keep}:\n{faults}"
    outcomes: dict[str, int] = told["outcomes"]
    return outcomes


@pytest.mark.parametrize("reader", hostile_readers.readers())
def test_damaged_files_end_in_errors_of_ours(reader: str, tmp_path: Path) -> None:
    outcomes = feed(reader, 0, 150, tmp_path)
    assert len(outcomes) > 1, "some are read, some are refused"


@pytest.mark.hostile
@pytest.mark.timeout(0)
@pytest.mark.parametrize("reader", hostile_readers.readers())
def test_many_damaged_files_end_in_errors_of_ours(reader: str, tmp_path: Path) -> None:
    left = COUNT * (10 if reader in MAIN else 1)
    seed = SEED * 1000
    while left > 0:
        seed += 1
        outcomes = feed(reader, seed, min(CHUNK, left), tmp_path)
        left -= CHUNK
        print(f"{reader}, seed {seed}: {outcomes}")


NUMBERS = st.sampled_from((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 50, 100, 106, 117, 149))
VALUES = st.one_of(
    st.integers(0, 300), st.sampled_from((2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)), st.integers(0, 2**64 - 1)
)  # fmt: skip


def _field(number: int, wire: int, value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return put_bytes(number, value)
    if wire == VARINT:
        return put_tag(number, VARINT) + put_varint(value)
    width = 4 if wire == FIXED32 else 8
    return put_tag(number, wire) + (value % 2 ** (8 * width)).to_bytes(width, "little")


def _messages(values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    inner = st.builds(_field, NUMBERS, st.just(BYTES), values)
    outer = st.builds(_field, NUMBERS, st.sampled_from((VARINT, FIXED32, FIXED64)), VALUES)
    return st.lists(st.one_of(inner, outer), max_size=6).map(b"".join)


WIRE = st.recursive(st.one_of(st.binary(max_size=24), st.sampled_from((b"conv", b"data", b"ReLU"))), _messages)


@given(st.lists(st.builds(_field, st.sampled_from((100, 2, 1, 3, 4, 8)), st.just(BYTES), WIRE), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_messages_of_any_shape_are_read_or_refused(tmp_path: Path, fields: list[bytes]) -> None:
    for name in ("x.caffemodel", "init_net.pb", "model.onnx", "mean.binaryproto"):
        (tmp_path / name).write_bytes(b"".join(fields))
    for call in (
        lambda: netsurgery.load(tmp_path / "x.caffemodel"),
        lambda: netsurgery.load(tmp_path / "init_net.pb", tmp_path / "init_net.pb"),
        lambda: read_mean(str(tmp_path / "mean.binaryproto")),
        lambda: hostile_readers.readers()["onnx"].read([str(tmp_path / "model.onnx")]),
    ):
        try:
            call()
        except NetsurgeryError as error:
            assert str(error)


WORDS = st.sampled_from(
    [*"{}:[],1'\\", '"x"', '"ReLU"', "layer", "name", "type", "bottom", "top", "input", "dim", "-1", "1e39", "#c\n"]
)


@given(st.lists(WORDS, max_size=40).map(" ".join))
@settings(max_examples=150, deadline=None)
def test_words_in_any_order_are_read_or_refused(text: str) -> None:
    from netsurgery.formats.load import from_text

    try:
        from_text(text, "net.prototxt")
    except NetsurgeryError as error:
        assert str(error).startswith("net.prototxt")
