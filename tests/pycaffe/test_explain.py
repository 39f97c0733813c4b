"""explain: the lines that it gives run, and give what the script got."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seeing
from PIL import Image

import netsurgery
from netsurgery.pycaffe import TEST, Net, io
from netsurgery.pycaffe.explanation import at_exit, explain


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    netsurgery.save_caffe(seeing.color_net(), "deploy.prototxt", "deploy.caffemodel")
    Image.fromarray(seeing.photo(np.random.default_rng(0), 16, 16)).save("image.jpg", quality=95)
    return Net("deploy.prototxt", TEST, weights="deploy.caffemodel")


def follow(text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Does what the comments say, then runs the lines."""
    for line in text.splitlines():
        if line.startswith("# once: netsurgery "):
            code, _, err = seeing.call(monkeypatch, capsys, *shlex.split(line)[3:])
            assert code == 0, err
    names: dict[str, Any] = {}
    exec(text, names)
    return names


def test_the_lines_do_what_the_script_did(
    net: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    transformer = io.Transformer({"data": net.blobs["data"].data.shape})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_channel_swap("data", (2, 1, 0))
    transformer.set_raw_scale("data", 255)
    transformer.set_mean("data", np.array([104.5, 117.0, 123.25]))
    transformer.set_input_scale("data", 0.0125)
    net.blobs["data"].data[...] = transformer.preprocess("data", io.load_image("image.jpg"))
    prob, conv2 = net.forward()["prob"], net.blobs["conv2"].data
    text = explain(net)
    assert text.count("\n") <= 7
    names = follow(text, monkeypatch, capsys)
    assert np.abs(names["prob"] - prob).max() < 1e-5
    assert np.abs(names["conv2"] - conv2).max() < 1e-4 * np.abs(conv2).max()
    assert "--output prob --output conv2" in text
    transformer.set_raw_scale("data", 200)
    assert np.abs(follow(explain(net), monkeypatch, capsys)["conv2"] - conv2).max() > 1e-2 * np.abs(conv2).max()


def test_a_net_without_weights_or_transformer_is_explained_too(
    net: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = Net(net._path, TEST)
    io.Transformer.instances.clear()
    text = explain(bare)
    assert "net.save(" in text.splitlines()[0]
    exec(text.splitlines()[0].removeprefix("# once, in the script: "), {"net": bare})
    names = follow(text, monkeypatch, capsys)
    assert names["data"].shape == (1, 3, 16, 16) and names["prob"].shape == (1, 3)


def test_on_a_terminal_it_is_said_once_and_not_if_quiet(
    net: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_exit([net])
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    at_exit([1, net])
    assert "InferenceSession" in capsys.readouterr().err
    monkeypatch.setenv("NETSURGERY_QUIET", "1")
    at_exit([net])
    assert capsys.readouterr().err == ""
