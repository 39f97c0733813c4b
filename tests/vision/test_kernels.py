"""Pictures of filters, activations and patches are what the numbers say; kernels by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pictures import Array
from seeing import digits, photo, picture

import netsurgery
from netsurgery import kernels, vision
from netsurgery.formats.load import from_text
from netsurgery.vision.colormap import NAMES
from netsurgery.vision.picture import grid, to_16_bits


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def filtered(net: netsurgery.Net, image: Array) -> Array:
    return netsurgery.run(net, {"data": image[None, None].astype(np.float32)}, ["y"])["y"][0]


def one_layer(outputs: int, size: int, channels: int = 1, bias: bool = False) -> netsurgery.Net:
    return netsurgery.initialize(
        from_text(
            f'input: "data" input_dim: 1 input_dim: {channels} input_dim: 12 input_dim: 14\n'
            f'layer {{ name: "conv" type: "Convolution" bottom: "data" top: "y" '
            f"convolution_param {{ num_output: {outputs} kernel_size: {size} bias_term: {str(bias).lower()} }} }}"
        )
    )


def test_a_kernel_is_a_blob_of_a_layer() -> None:
    net = one_layer(1, 3).with_weights("conv", kernels.sobel("x"))
    step = np.zeros((12, 14))
    step[:, 7:] = 1
    (got,) = filtered(net, step)
    want = np.zeros((10, 12))
    want[:, 5:7] = 4  # 1 + 2 + 1, at the edge
    assert np.array_equal(got, want)
    (down,) = filtered(net.with_weights("conv", kernels.sobel("y")), step.T[:12].repeat(2, axis=1)[:, :14])
    assert down.max() == 4 and (down >= 0).all()


def test_kernels_do_what_they_are_known_for() -> None:
    y, x = np.mgrid[:12, :14].astype(np.float32)
    ramp = 3 * x + 2 * y
    for kernel, value in (
        (kernels.sobel("x"), 3 * 8), (kernels.sobel("y"), 2 * 8), (kernels.prewitt("x"), 3 * 6), (kernels.prewitt("y"), 2 * 6),
        (kernels.laplacian(), 0), (kernels.laplacian(diagonal=True), 0), (kernels.gabor(3), 0),
    ):  # fmt: skip
        (got,) = filtered(one_layer(1, 3).with_weights("conv", kernel), ramp)
        assert np.allclose(got, value, atol=1e-4)
    (same,) = filtered(one_layer(1, 5).with_weights("conv", kernels.gaussian(5, 1.2)), ramp)
    assert np.allclose(same, ramp[2:-2, 2:-2], atol=1e-4)
    (curved,) = filtered(one_layer(1, 3).with_weights("conv", kernels.laplacian()), x**2 + y**2)
    assert np.allclose(curved, 4)
    assert np.allclose(kernels.emboss(45)[0, 0], [[0, 1, 2], [-1, 1, 1], [-2, -1, 0]], atol=1e-6)
    g = kernels.gaussian(7, 2.0)[0, 0]
    assert g.sum() == pytest.approx(1) and g[3, 3] == g.max() and g[3, 5] / g[3, 3] == pytest.approx(np.exp(-0.5))
    assert np.array_equal(kernels.sobel("x", 5)[0, 0][2], [-6, -12, 0, 12, 6])
    wave = np.cos(2 * np.pi * (np.arange(14) - 5) / 5)[None].repeat(12, axis=0)
    strength = [
        np.abs(filtered(one_layer(1, 11).with_weights("conv", kernels.gabor(11, 5, angle)), wave)).max()
        for angle in (0, 90)
    ]
    assert strength[0] > 10 * strength[1]


def test_kernels_are_fitted_to_a_layer() -> None:
    net = one_layer(4, 5, channels=3, bias=True)
    made = kernels.fit(net, "conv", kernels.identity(), kernels.gaussian(3), np.arange(18).reshape(3, 2, 3))
    net = net.with_weights("conv", *made)
    w, b = net["conv"].weights
    assert (b == 0).all() and (w[3] == 0).all() and w.shape == (4, 3, 5, 5)
    assert w[0, :, 2, 2].tolist() == pytest.approx([1 / 3] * 3) and w[0].sum() == pytest.approx(1)
    assert np.allclose(w[1, 0, 1:4, 1:4], kernels.gaussian(3)[0, 0] / 3) and (w[1, 0, 0] == 0).all()
    assert np.array_equal(w[2, :, 1:3, 1:4], np.arange(18).reshape(3, 2, 3))
    with pytest.raises(netsurgery.ShapeError) as large:
        kernels.fit(net, "conv", kernels.gaussian(7))
    assert str(large.value).endswith("a kernel of shape (1, 1, 7, 7)\n  expected: at most 5x5, of 1 or 3 channels")
    with pytest.raises(netsurgery.ShapeError, match="5 kernels"):
        kernels.fit(net, "conv", *[kernels.identity()] * 5)
    with pytest.raises(netsurgery.NetsurgeryError, match="expected: a Convolution"):
        kernels.fit(digits(), "ip1", kernels.sobel())
    for wrong in (lambda: kernels.sobel("z"), lambda: kernels.sobel(size=4), lambda: kernels.gaussian(3, 0)):
        with pytest.raises(netsurgery.NetsurgeryError):
            wrong()


def test_colour_maps_are_the_well_known_ones() -> None:
    known = {
        "viridis": [[68, 1, 84], [33, 145, 140], [253, 231, 37]],
        "magma": [[0, 0, 4], [183, 55, 121], [252, 253, 191]],
    }
    for name, table in known.items():
        assert np.abs(vision.colours(np.array([0, 0.5, 1]), name).astype(int) - table).max() <= 1
    for name in NAMES:
        shades = vision.colours(np.linspace(0, 1, 100), name).astype(float) @ [0.299, 0.587, 0.114]
        assert (np.diff(shades) > -0.6).all()  # brightness grows all along
    assert vision.colours(np.array([np.nan, -1, 2])).tolist() == [[128] * 3, [68, 1, 84], [253, 231, 37]]
    with pytest.raises(netsurgery.NetsurgeryError) as unknown:
        vision.colours(np.zeros(1), "jet")
    assert str(unknown.value) == "there is no colour map 'jet'\n  expected: viridis or magma or gray"


def test_grids_and_numbers_of_16_bits() -> None:
    made = grid([np.full((2, 3), k, np.uint8) for k in range(3)], columns=2, gap=1)
    assert made.tolist() == [
        [255] * 9, [255, 0, 0, 0, 255, 1, 1, 1, 255], [255, 0, 0, 0, 255, 1, 1, 1, 255], [255] * 9,
        [255, 2, 2, 2, 255, 255, 255, 255, 255], [255, 2, 2, 2, 255, 255, 255, 255, 255], [255] * 9,
    ]  # fmt: skip
    assert to_16_bits(np.array([1.0, 2, 3, np.nan]), 1, 3).tolist() == [0, 32768, 65535, 0]
    assert to_16_bits(np.array([5.0, 5]), 5, 5).tolist() == [0, 0]
    with pytest.raises(netsurgery.NetsurgeryError, match="at most 128 million pixels"):
        grid([np.zeros((20000, 20000), np.uint8)])


def test_a_picture_keeps_what_it_shows(tmp_path: Path) -> None:
    image = photo(np.random.default_rng(0))
    assert np.array_equal(picture(vision.to_png(image)), image)
    sixteen = np.random.default_rng(0).integers(0, 65536, (5, 6), dtype=np.uint16)
    assert np.array_equal(picture(vision.to_png(sixteen)), sixteen)
