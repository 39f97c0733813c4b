"""Kernels in words are what their functions give, each at its output channel."""

from __future__ import annotations

import numpy as np
import pytest

import netsurgery
from netsurgery import kernels
from netsurgery.errors import NetsurgeryError
from netsurgery.formats.load import from_text
from netsurgery.passes.kernels import DESIGNS, design
from netsurgery.passes.operations import operate

NET = from_text("""
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 12 dim: 12 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 5 } }
""")

WORDS = {
    "sobel-x": kernels.sobel("x"),
    "sobel-y:5": kernels.sobel("y", 5),
    "prewitt-x": kernels.prewitt("x"),
    "prewitt-y:7": kernels.prewitt("y", 7),
    "laplacian": kernels.laplacian(),
    "laplacian-diagonal": kernels.laplacian(True),
    "gaussian": kernels.gaussian(),
    "gaussian:7:1.5": kernels.gaussian(7, 1.5),
    "emboss:135": kernels.emboss(135),
    "gabor:9:4:30:2": kernels.gabor(9, 4, 30, 2),
    "identity:5": kernels.identity(5),
}


@pytest.mark.parametrize("text", WORDS)
def test_words_are_kernels(text: str) -> None:
    assert np.array_equal(design(text), WORDS[text])


def test_every_design_is_tried() -> None:
    assert {text.partition(":")[0] for text in WORDS} == set(DESIGNS)


def test_a_layer_takes_them_in_order() -> None:
    net = operate(NET, [("set_kernel", ("conv=sobel-x, gaussian:5,emboss",))])
    image = np.random.default_rng(0).random((12, 12)).astype(np.float32)
    maps = netsurgery.run(net, {"data": np.stack([image, image])[None]}, ["conv"])["conv"][0]
    for got, kernel in zip(maps, (kernels.sobel("x"), kernels.gaussian(5), kernels.emboss()), strict=False):
        size = kernel.shape[-1]
        whole = np.pad(kernel[0, 0], (5 - size) // 2)
        want = [[float((image[i : i + 5, j : j + 5] * whole).sum()) for j in range(8)] for i in range(8)]
        assert np.allclose(got, want, atol=1e-5)
    assert not maps[3].any()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("conv", "--set-kernel conv\n  expected: LAYER=KERNEL,..., such as conv=sobel-x,gaussian:5,emboss"),
        (
            "conv=sobel",
            f"there is no kernel 'sobel'\n  expected: {', '.join(DESIGNS)}\n  fix: did you mean 'sobel-y'?",
        ),
        ("conv=gaussian:5:wide", "the kernel 'gaussian:5:wide'\n  expected: gaussian:SIZE:SIGMA"),
        ("conv=laplacian:3", "the kernel 'laplacian:3'\n  expected: laplacian"),
        ("conv=gaussian:5:nan", "the kernel 'gaussian:5:nan'\n  expected: gaussian:SIZE:SIGMA"),
        ("conv=sobel-x:4", "a kernel of size 4\n  expected: an odd number, 3 to 1001"),
        (
            "conv=sobel-x:999999999999999999999",
            "a kernel of size 999999999999999999999\n  expected: an odd number, 3 to 1001",
        ),
        ("conv=gaussian:99999999", "a kernel of size 99999999\n  expected: a positive number, at most 1001"),
    ],
)
def test_other_words_are_refused(text: str, problem: str) -> None:
    with pytest.raises(NetsurgeryError) as refused:
        operate(NET, [("set_kernel", (text,))])
    assert str(refused.value) == problem


def test_what_does_not_fit_is_refused() -> None:
    for text, problem in (
        ("conv=" + "emboss," * 4 + "emboss", "5 kernels"),
        ("conv=gaussian:7", r"a kernel of shape \(1, 1, 7, 7\)"),
        ("data=emboss", "has no kernels"),
    ):
        with pytest.raises(NetsurgeryError, match=problem):
            operate(NET, [("set_kernel", (text,))])
