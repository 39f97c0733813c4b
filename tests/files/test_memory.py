"""Memory that is given back: what was there is there when it is asked for again."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from netsurgery.files.mapped import map_file
from netsurgery.files.memory import let_go, trim


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[2])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems give nothing back")
def test_pages_of_a_file_are_given_back_and_come_again(tmp_path: Path) -> None:
    numbers = np.arange(1 << 22, dtype=np.float32)
    numbers.tofile(tmp_path / "numbers")
    array = np.frombuffer(map_file(tmp_path / "numbers"), np.float32)
    assert np.array_equal(array, numbers)
    before = resident()
    let_go(array[1:-1])
    assert before - resident() > 0.9 * array.nbytes / 4096
    assert np.array_equal(array, numbers)


def test_arrays_elsewhere_are_left_alone() -> None:
    array = np.arange(5000.0)
    let_go(array)
    let_go(array[::2])
    trim()
    assert array[-1] == 4999
