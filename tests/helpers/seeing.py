"""What the tests of netsurgery.vision share: nets, images, and calls of the command line."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cases
import numpy as np
import pytest
from PIL import Image

import netsurgery
from netsurgery.cli import main
from netsurgery.formats.load import from_text
from netsurgery.formats.preprocessing import Preprocessing

DIGITS = cases.FIXTURES / "digits"
NET = str(DIGITS / "deploy.prototxt"), str(DIGITS / "digits.caffemodel")
LABELS = str(DIGITS / "labels.txt")
PIXELS = Preprocessing(raw_scale=1)
"""What the digits net expects: gray of 0 to 1."""

COLOR_NET = """
name: "color"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 16 dim: 16 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param { num_output: 4 kernel_size: 5 stride: 2 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2" convolution_param { num_output: 6 kernel_size: 3 } }
layer { name: "fc" type: "InnerProduct" bottom: "conv2" top: "fc" inner_product_param { num_output: 3 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""


def digits() -> netsurgery.Net:
    return netsurgery.load(*NET)


def color_net(seed: int = 0) -> netsurgery.Net:
    """A small net of three channels, without padding: window 16, stride 2."""
    return netsurgery.initialize(from_text(COLOR_NET), seed, "random")


def canvas_module() -> ModuleType:
    """fixtures/digits/canvas.py"""
    pytest.importorskip("sklearn")
    spec = importlib.util.spec_from_file_location("digits_canvas", DIGITS / "canvas.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def photo(rng: np.random.Generator, height: int = 40, width: int = 60) -> np.ndarray[Any, Any]:
    """A smooth image with some noise."""
    small = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    large = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    return np.clip(large + rng.integers(-9, 10, large.shape), 0, 255).astype(np.uint8)


def save(path: Path, image: np.ndarray[Any, Any]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return str(path)


def picture(data: bytes | Path) -> np.ndarray[Any, Any]:
    """A picture read back."""
    return np.asarray(Image.open(io.BytesIO(data) if isinstance(data, bytes) else data))


def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `netsurgery words...`."""
    monkeypatch.setattr(sys, "argv", ["netsurgery", *map(str, words)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    out = capsys.readouterr()
    return int(ended.value.code or 0), out.out, out.err
