"""Layers of forks for which no numbers of Caffe's exist: held to the forks' own loops, written out here element by element."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from fork_loops import Array, Loops, hold, net


def each(rule: Callable[[float], float]) -> Loops:
    """A rule for each number."""
    return lambda x, *_: [np.vectorize(rule)(x)]


NUMBERS = {
    "BReLU": ('type: "BReLU" top: "y" brelu_param { minval: -0.25 maxval: 0.5 }', lambda v: min(max(v, -0.25), 0.5)),
    "BReLU without bounds": ('type: "BReLU" top: "y"', lambda v: min(max(v, 0), 1)),
    "HardSwish": ('type: "HardSwish" top: "y"', lambda v: v * min(max(v + 3, 0), 6) / 6),
    "HardSigmoid": ('type: "HardSigmoid" top: "y"', lambda v: min(max(0.2 * v + 0.5, 0), 1)),
    "HardSigmoid by fields": (
        'type: "HardSigmoid" top: "y" hardsigmoid_param { alpha: 0.5 beta: 0.25 }',
        lambda v: min(max(0.5 * v + 0.25, 0), 1),
    ),
    "GELU": (
        'type: "GELU" top: "y"',
        lambda v: 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))),
    ),
    "NegSquare": ('type: "NegSquare" top: "y"', lambda v: -(v * v)),
    "Insanity": ('type: "Insanity" top: "y"', lambda v: max(v, 0) + min(v, 0) / (5 / (math.log(10) - math.log(5)))),
    "SoftTruncation": ('type: "SoftTruncation" top: "y"', lambda v: 1 - math.exp(-v / 2)),
    "Eltwise of one, scaled": ('type: "Eltwise" top: "y" eltwise_param { coeff: -2 }', lambda v: -2 * v),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_layers_of_single_numbers(name: str) -> None:
    text, rule = NUMBERS[name]
    x = np.random.default_rng(0).normal(0, 3, (2, 3, 4, 5)).astype(np.float32)
    hold(net(text, x.shape), [x], each(rule))


def exp_max(x: Array) -> list[Array]:
    y = np.empty_like(x)
    for n, i, j in np.ndindex(x.shape[0], *x.shape[2:]):
        for c in range(x.shape[1]):
            y[n, c, i, j] = 2 ** (1 + 0.5 * (x[n, c, i, j] - max(x[n, :, i, j])))
    return [y]


def grid(x: Array) -> list[Array]:
    y = np.empty((x.shape[0], 2, *x.shape[2:]))
    for n, i, j in np.ndindex(x.shape[0], *x.shape[2:]):
        y[n, 0, i, j], y[n, 1, i, j] = j, i
    return [y]


def group_norm(x: Array, *blobs: Array) -> list[Array]:
    y = np.empty_like(x)
    size = x.shape[1] // 2
    for n, g in np.ndindex(x.shape[0], 2):
        part = x[n, g * size : (g + 1) * size]
        y[n, g * size : (g + 1) * size] = (part - part.mean()) / math.sqrt(part.var() + 1e-5)
    return [y * blobs[0] + blobs[1] if blobs else y]


def mat_mul(a: Array, b: Array) -> list[Array]:
    y = np.zeros((*a.shape[:2], a.shape[3], b.shape[2]))
    for n, c, i, j in np.ndindex(*y.shape):
        y[n, c, i, j] = sum(a[n, c, k, i] * b[n, c, j, k] for k in range(a.shape[2]))
    return [y]


def merge_crop(a: Array, b: Array) -> list[Array]:
    y = np.empty((a.shape[0], 2 * a.shape[1], *a.shape[2:]))
    pad = [(m - n) // 2 for n, m in zip(a.shape[2:], b.shape[2:], strict=True)]
    for n, c, i, j in np.ndindex(*a.shape):
        y[n, c, i, j] = a[n, c, i, j]
        y[n, a.shape[1] + c, i, j] = b[n, c, i + pad[0], j + pad[1]]
    return [y]


def aligned(x: Array, *_: Array) -> list[Array]:
    n, c, h, w = x.shape
    y = np.empty((n, c, 2 * h, 2 * w))
    for i, j in np.ndindex(2 * h, 2 * w):
        v, u = i * (h - 1) / (2 * h - 1), j * (w - 1) / (2 * w - 1)
        r, s = int(v), int(u)
        t, q = min(r + 1, h - 1), min(s + 1, w - 1)
        upper = x[:, :, r, s] * (1 - u + s) + x[:, :, r, q] * (u - s)
        lower = x[:, :, t, s] * (1 - u + s) + x[:, :, t, q] * (u - s)
        y[:, :, i, j] = upper * (1 - v + r) + lower * (v - r)
    return [y]


def hyper_columns(picture: Array, small: Array, large: Array) -> list[Array]:
    (n, _, h, w), rows, normals = picture.shape, [], []
    for item, i, j in np.ndindex(n, h, w):
        row: list[float] = []
        for x in (small, large):
            scale = h // x.shape[2]
            r, c = i / scale + 1 / (2 * scale) - 0.5, j / scale + 1 / (2 * scale) - 0.5
            u, v = math.floor(r), math.floor(c)
            a, b = r - u, c - v
            a, b = 1 if u < 0 else 0 if u + 1 >= x.shape[2] else a, 1 if v < 0 else 0 if v + 1 >= x.shape[3] else b
            for channel in range(x.shape[1]):
                total = 0.0
                for down, across, share in (
                    (0, 0, (1 - a) * (1 - b)),
                    (1, 0, a * (1 - b)),
                    (0, 1, (1 - a) * b),
                    (1, 1, a * b),
                ):
                    total += share * x[item, channel, u + down, v + across] if share else 0
                row.append(total)
        rows.append(row)
        normals.append(picture[item, :3, i, j] * (2 * 0.00390625) - 1)
    return [np.array(rows), np.array(normals)]


def of_length_one(x: Array) -> list[Array]:
    y = np.empty((*x.shape, *[1] * (4 - x.ndim)))
    for n in range(len(x)):
        y[n] = x[n].reshape(y.shape[1:]) / math.sqrt(sum(v * v for v in x[n].ravel()) + 1e-7)
    return [y]


MAPS = {
    "NormL2": ('type: "NormL2" top: "y"', of_length_one, [(2, 3, 4, 5)]),
    "NormL2 of vectors": ('type: "NormL2" top: "y"', of_length_one, [(3, 7)]),
    "ExpMax": ('type: "ExpMax" top: "y" expmax_param { base: 2 scale: 0.5 shift: 1 }', exp_max, [(2, 3, 4, 5)]),
    "Grid": ('type: "Grid" top: "y"', grid, [(2, 3, 4, 5)]),
    "GroupNorm": ('type: "GroupNorm" top: "y" group_norm_param { group: 2 }', group_norm, [(2, 6, 4, 5)]),
    "GroupNorm without blobs": (
        'type: "GroupNorm" top: "y" group_norm_param { group_num: 2 }',
        group_norm,
        [(2, 6, 4, 5)],
    ),
    "MatMul": (
        'type: "MatMul" top: "y" matmul_param { transpose_a: true transpose_b: true }',
        mat_mul,
        [(2, 3, 4, 5), (2, 3, 6, 4)],
    ),
    "MergeCrop": ('type: "MergeCrop" top: "y"', merge_crop, [(2, 3, 4, 5), (2, 3, 7, 7)]),
    "BilinearInterpolation": (
        'type: "BilinearInterpolation" top: "y" bilinear_interpolation_param { interpolation_factor: 2 }',
        aligned,
        [(2, 3, 4, 5)],
    ),
    "BilinearInterpolation to a size": (
        'type: "BilinearInterpolation" top: "y"',
        aligned,
        [(2, 3, 4, 5), (1, 1, 8, 10)],
    ),
    "HyperColumns": (
        'type: "HyperColumns" top: "y" top: "z"',
        hyper_columns,
        [(2, 3, 8, 12), (2, 4, 2, 3), (2, 2, 4, 6)],
    ),
}


@pytest.mark.parametrize("name", MAPS)
def test_layers_of_maps(name: str) -> None:
    text, loops, shapes = MAPS[name]
    rng = np.random.default_rng(1)
    hold(net(text, *shapes), [rng.normal(0, 1, shape).astype(np.float32) for shape in shapes], loops)


def masks(marks: Array) -> list[Array]:
    """Of the original's rules for each landmark, in its order."""
    scale, half, side, coefficient = 0.25, (44 - 1) / 2 * 0.2, 11, 0.04
    units = [[(4, -1 / 2), (5, -1 / 2)], [(1, -1 / 3), (8, -1 / 3)], [(2, 1 / 3), (7, 1 / 3)], [(24, 1), (29, 1)]]
    units += [[(21, 0), (26, 0)], [(43, 0), (45, 0)], *[[(31, 0), (37, 0)]] * 3, [(39, 1 / 2), (41, 1 / 2)]]
    units += [[(34, 0), (40, 0)]] * 2
    tops = [np.zeros((len(marks), 1, side, side)) for _ in range(13)]
    for n, x in enumerate(marks):
        ruler = abs(x[44] - x[50])
        for k, pair in enumerate(units):
            for mark, share in pair:
                cx, cy = x[2 * mark], x[2 * mark + 1] + share * ruler
                ends = [
                    math.floor(abs(v) + 0.5) * (1 if v > 0 else -1)
                    for c in (cx, cy)
                    for v in ((c - half) * scale, (c + half) * scale)
                ]
                left, right, top, bottom = (min(max(e, 0), side - 1) for e in ends)
                for row in range(top, bottom + 1):
                    for column in range(left, right + 1):
                        far = abs(row - cy * scale) + abs(column - cx * scale)
                        value = max(1 - far * coefficient * 100 / (44 * scale), 0)
                        tops[k][n, 0, row, column] = value
                        tops[12][n, 0, row, column] = max(tops[12][n, 0, row, column], value)
    return tops


def test_masks_around_landmarks() -> None:
    tops = " ".join(f'top: "m{k}"' for k in range(13))
    text = f'type: "AUMaskBasedLand" {tops} au_mask_based_land_param {{ img_size: 44 spatial_ratio: 0.2 spatial_scale: 0.25'
    marks = np.random.default_rng(5).uniform(-3, 47, (2, 98)).astype(np.float32)
    hold(net(f"{text} fill_coeff: 0.04 }}", marks.shape), [marks], masks)
