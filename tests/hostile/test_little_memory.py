"""Large things that are read without taking a multiple of their size."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from little_memory import little_memory

import netsurgery.vision
from netsurgery.files.images import read_gray


def test_gray_takes_little_more_than_the_picture(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    pillow.new("RGB", (2000, 1000)).save(tmp_path / "x.png")
    read_gray(tmp_path / "x.png")
    with little_memory(18 << 20):  # three bytes of a pixel, twice, and one of gray
        assert read_gray(tmp_path / "x.png").shape == (1000, 2000)


def test_constants_of_a_netdef_take_no_memory(tmp_path: Path) -> None:
    def op(kind: str, words: str, argument: str = "") -> str:
        return f'op {{ type: "{kind}" {words} {argument} }}\n'

    shape = 'arg { name: "shape" ints: 1 ints: 2147483647 } arg { name: "value" f: 0.5 }'
    (tmp_path / "init_net.pbtxt").write_text(op("ConstantFill", 'output: "c"', shape))
    (tmp_path / "predict_net.pbtxt").write_text(
        'external_input: "x" external_input: "c"\n' + op("Add", 'input: "x" input: "c" output: "y"')
    )
    paths = (tmp_path / "init_net.pbtxt", tmp_path / "predict_net.pbtxt")
    netsurgery.load(*paths, input_shapes={"x": (1, 2147483647)})
    with little_memory(8 << 20):
        net = netsurgery.load(*paths, input_shapes={"x": (1, 2147483647)})
        assert {w.shape for layer in net.layers for w in layer.weights} == {(2147483647,)}


@pytest.mark.skipif(sys.platform == "win32", reason="has no FIFOs")
@pytest.mark.timeout(60)
def test_a_url_of_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(netsurgery.NetsurgeryError) as refused:
        netsurgery.vision.read_image(f"file://{tmp_path}/fifo")
    assert str(refused.value) == (
        f"{tmp_path}/fifo: is no ordinary file\n  expected: an image\n  fix: save it as a file first"
    )
