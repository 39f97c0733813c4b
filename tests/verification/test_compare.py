"""compare.measure, which goes through blobs block by block, against the definitions over whole arrays."""

from __future__ import annotations

import numpy as np
import pytest

from netsurgery.verification.compare import ATOL, BLOCK, Tolerance, measure

Array = np.ndarray


def drawn(seed: int, shape: tuple[int, ...]) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    expected = rng.normal(0, 10.0 ** rng.integers(-3, 4), shape)
    return expected, (expected + rng.normal(0, 10.0 ** rng.integers(-8, -3), shape)).astype(np.float32)


@pytest.mark.parametrize("shape", [(), (1,), (7, 5), (3, 2, 5, 7), (BLOCK,), (2, BLOCK + 1), (5, 3 * BLOCK // 2)])
@pytest.mark.parametrize("seed", range(3))
def test_measures_are_those_of_the_whole(shape: tuple[int, ...], seed: int) -> None:
    expected, got = drawn(seed, shape)
    error, largest = np.abs(np.float64(got) - expected), np.abs(expected).max()
    m = measure(expected, got)
    assert m.max_abs == error.max()
    assert m.max_rel == pytest.approx(error.max() / largest)
    assert m.where == np.unravel_index(error.argmax(), shape)
    assert (m.expected, m.got) == (expected[m.where], got[m.where])
    assert (m.low, m.high) == (expected.min(), expected.max())
    assert m.passed == (error.max() <= ATOL + 1e-4 * largest)
    signal, noise = (expected**2).sum(), (error**2).sum()
    assert m.snr_db == pytest.approx(10 * np.log10(signal / noise))
    cosine = (expected * np.float64(got)).sum() / np.sqrt(signal * (np.float64(got) ** 2).sum())
    assert m.cosine == pytest.approx(cosine)


@pytest.mark.parametrize("columns", [0, 1, -1])
def test_columns_are_held_each_to_its_own_largest_value(columns: int) -> None:
    expected, got = drawn(1, (40, 6, 3))
    scale = 10.0 ** (np.arange(expected.shape[columns]) % 7)
    shape = [1, 1, 1]
    shape[columns] = -1
    expected, got = expected * scale.reshape(shape), got * scale.reshape(shape)
    m = measure(expected, got, columns=columns)
    axes = tuple(i for i in range(3) if i != columns % 3)
    error, largest = np.abs(got - expected), np.abs(expected).max(axis=axes, keepdims=True)
    assert m.max_rel == pytest.approx((error / largest).max())
    assert m.where == np.unravel_index((error / largest).argmax(), error.shape)
    assert m.max_abs == error.max()
    limit = m.max_rel
    assert measure(expected, got, Tolerance(1.01 * limit, 0), columns).passed
    assert not measure(expected, got, Tolerance(0.99 * limit, 0), columns).passed


@pytest.mark.parametrize("at", [0, BLOCK - 1, BLOCK, 2 * BLOCK + 3])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_told_at_the_first_place(at: int, bad: float) -> None:
    expected, _ = drawn(0, (3 * BLOCK,))
    got = expected.copy()
    got[[at, 3 * BLOCK - 1]] = bad
    m = measure(expected, got)
    assert not m.passed
    assert m.where == (at,)
    assert m.problem == f"{bad:g} where the reference has {expected[at]:g} (2 such values)"
    assert measure(got, got).passed
    assert measure(got, got).low == -np.inf


def test_beyond_float32_is_infinite() -> None:
    assert measure(np.array([1e39, 1.0]), np.array([np.inf, 1.0])).passed
    assert measure(np.array([np.inf, 1.0]), np.array([1e39, 1.0])).passed  # a reference of float32, a net in float64
    assert not measure(np.array([1e39, 1.0]), np.array([-np.inf, 1.0])).passed
