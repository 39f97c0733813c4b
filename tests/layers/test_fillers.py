"""Made-up weights: the distributions that Caffe draws from, and numbers that stay of ordinary size."""

from __future__ import annotations

import numpy as np
import pytest
from filled import INPUT, conv

import netsurgery
from netsurgery import UnsupportedError
from netsurgery.formats.load import from_text
from netsurgery.layers.core.fillers import Filler


def drawn(shape: tuple[int, ...], seed: int = 0, **filler: object) -> np.ndarray:
    return Filler(**filler).draw(shape, np.random.default_rng(seed))  # type: ignore[arg-type]


WIDE = (64, 32, 5, 5)  # fan_in 800, fan_out 1600


@pytest.mark.parametrize(
    ("filler", "mean", "std", "low", "high"),
    [
        ({"type": "constant", "value": 0.5}, 0.5, 0, 0.5, 0.5),
        ({"type": "uniform", "min": -1, "max": 3}, 1, 4 / 12**0.5, -1, 3),
        ({"type": "gaussian", "mean": 2, "std": 0.1}, 2, 0.1, 1.3, 2.7),
        ({"type": "xavier"}, 0, 800**-0.5, -((3 / 800) ** 0.5), (3 / 800) ** 0.5),
        ({"type": "xavier", "variance_norm": "FAN_OUT"}, 0, 1600**-0.5, -((3 / 1600) ** 0.5), (3 / 1600) ** 0.5),
        ({"type": "xavier", "variance_norm": "AVERAGE"}, 0, 1200**-0.5, -((3 / 1200) ** 0.5), (3 / 1200) ** 0.5),
        ({"type": "msra"}, 0, (2 / 800) ** 0.5, -0.4, 0.4),
        ({"type": "msra", "variance_norm": "FAN_OUT"}, 0, (2 / 1600) ** 0.5, -0.3, 0.3),
        ({"type": "msra", "variance_norm": "AVERAGE"}, 0, (2 / 1200) ** 0.5, -0.3, 0.3),
        # 8 of 64 numbers are kept: the variance is an eighth
        ({"type": "gaussian", "std": 1, "sparse": 8}, 0, 8**-0.5, -7, 7),
    ],
)
def test_fillers_draw_from_the_distributions_of_caffe(
    filler: dict[str, object], mean: float, std: float, low: float, high: float
) -> None:
    values = drawn(WIDE, **filler)
    assert values.dtype == np.float32
    assert values.shape == WIDE
    assert abs(values.mean(dtype=np.float64) - mean) <= 5 * std / values.size**0.5
    assert abs(values.std(dtype=np.float64) - std) <= 0.02 * std
    assert np.float32(low) <= values.min()
    assert values.max() <= np.float32(high)
    if filler["type"] in ("uniform", "xavier"):  # the whole range is used
        assert values.max() > high - 1e-3 * (high - low)
        assert values.min() < low + 1e-3 * (high - low)


def test_sparse_keeps_its_share_of_the_numbers() -> None:
    values = drawn(WIDE, type="gaussian", sparse=8)
    assert abs(np.count_nonzero(values) / values.size - 8 / 64) < 0.01


def test_the_rows_of_a_positive_unitball_sum_to_one() -> None:
    values = drawn((10, 3, 4), type="positive_unitball")
    assert values.min() >= 0
    np.testing.assert_allclose(values.sum((1, 2)), 1, rtol=1e-6)
    assert values.std() > 0.01


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (1, [1]),
        (2, [0.5, 0.5]),
        (3, [0.5, 1, 0.5]),
        (4, [0.25, 0.75, 0.75, 0.25]),
        (5, [1 / 3, 2 / 3, 1, 2 / 3, 1 / 3]),
        (6, [1 / 6, 0.5, 5 / 6, 5 / 6, 0.5, 1 / 6]),
    ],
)
def test_a_bilinear_filler_interpolates(width: int, line: list[float]) -> None:
    values = drawn((2, 3, width, width), type="bilinear")
    np.testing.assert_allclose(values, np.broadcast_to(np.outer(line, line), values.shape), rtol=1e-6)


def test_vectors_and_single_numbers_are_filled() -> None:
    assert abs(drawn((4000,), type="msra").std() - 2**0.5) < 0.1  # each is an output of one input
    assert drawn((), type="constant", value=0.25) == np.float32(0.25)
    assert drawn((), type="positive_unitball") == 1
    assert drawn((0, 3), type="xavier").shape == (0, 3)


@pytest.mark.parametrize(
    ("filler", "shape", "said"),
    [
        ("", (3,), None),
        ('type: "magic"', (3,), "filler 'magic'"),
        ('type: "xavier" sparse: 3', (3,), "filler 'xavier' with sparse"),
        ('type: "xavier" alpha: 3', (3,), "filler 'xavier' with alpha"),
        ('type: "uniform" min: 2 max: 1', (3,), "an empty range in a uniform filler"),
        ('type: "gaussian" std: 0', (3,), "an empty range in a gaussian filler"),
    ],
)
def test_what_caffe_refuses_is_refused_when_it_is_drawn(filler: str, shape: tuple[int, ...], said: str | None) -> None:
    net = from_text(INPUT + conv("c", "data", f"num_output: 4 weight_filler {{ {filler} }}"), "net.prototxt")
    net.require_supported()
    if said is None:
        assert not netsurgery.initialize(net)["c"].weights[0].any()
        return
    with pytest.raises(UnsupportedError) as caught:
        netsurgery.initialize(net)
    assert str(caught.value).startswith(f"net.prototxt:2: layer 'c' (Convolution): {said}\n")
    netsurgery.initialize(net, how="random")


def test_a_bilinear_filler_needs_square_kernels() -> None:
    text = INPUT + conv("c", "data", 'num_output: 4 kernel_h: 3 kernel_w: 5 weight_filler { type: "bilinear" }')
    with pytest.raises(UnsupportedError) as caught:
        netsurgery.initialize(from_text(text.replace("kernel_size: 3 ", ""), "n"))
    assert str(caught.value) == (
        "n:2: layer 'c' (Convolution): a bilinear filler for a blob of shape (4, 6, 3, 5)\n"
        "  expected: 4 axes, a square kernel of at most 4096\n"
        "  fix: --initialize=random does not ask the fillers"
    )
