"""Where a name stands for several layers: what tells them apart, and what they compute."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fork_loops import Array, hold, inputs, net, run_onnx

import netsurgery
from netsurgery.errors import NetsurgeryError, UnsupportedError
from netsurgery.formats.load import from_text

RNG = np.random.default_rng(3)
MAPS = RNG.normal(0, 1, (2, 3, 9, 8)).astype(np.float32)


def by_places(x: Array, places: Array) -> Array:
    y = np.zeros_like(x)
    n, _, h, w = x.shape
    for item, i, j in np.ndindex(n, h, w):
        u, v = places[item, :, i, j]
        for row in (math.floor(v), math.floor(v) + 1):
            for column in (math.floor(u), math.floor(u) + 1):
                if 0 <= row < h and 0 <= column < w:
                    y[item, :, i, j] += (1 - abs(v - row)) * (1 - abs(u - column)) * x[item, :, row, column]
    return y


WARP = 'layer { name: "y" type: "Warp" bottom: "x" bottom: "p" top: "y" } '


def test_a_grid_shows_that_warp_is_given_places() -> None:
    shapes = inputs(x=(2, 3, 5, 6), p=(2, 2, 5, 6))
    grid = 'layer { name: "g" type: "Grid" bottom: "x" top: "g" }'
    read = from_text(shapes + WARP + grid)
    assert any("liteflownet" in note for note in read.notes)
    feeds = {"x": MAPS[:, :, :5, :6], "p": RNG.uniform(-2, 7, (2, 2, 5, 6)).astype(np.float32)}
    want = by_places(*(f.astype(np.float64) for f in feeds.values()))
    for one in (read, from_text(shapes + WARP, dialect="liteflownet")):
        np.testing.assert_allclose(netsurgery.run(one, feeds)["y"], want, atol=1e-5)
        np.testing.assert_allclose(run_onnx(one, feeds)["y"], want, atol=1e-5)
    other = netsurgery.run(from_text(shapes + WARP), feeds)["y"]
    assert not np.allclose(other, want)


def test_a_dialect_that_is_not_known() -> None:
    with pytest.raises(
        NetsurgeryError, match="dialect 'klingon' is not known\n  expected: one of: bottom-up-attention,"
    ):
        from_text(inputs(x=(1, 2)), dialect="klingon")


def test_an_embedding_takes_the_place_of_a_last_axis_of_one() -> None:
    text = (
        inputs(x=(4, 1))
        + 'layer { name: "y" type: "Embed" bottom: "x" top: "y" embed_param { input_dim: 5 num_output: 3 } }'
    )
    assert from_text(text).shapes()["y"] == (4, 1, 3)
    assert from_text(text, dialect="bottom-up-attention").shapes()["y"] == (4, 3)


def test_resample_by_a_factor() -> None:
    x = MAPS
    text = 'type: "Resample" top: "y" resample_param { type: NEAREST antialias: false factor: 2.0 }'
    hold(net(text, x.shape), [x], lambda x: [x.repeat(2, axis=2).repeat(2, axis=3)])


def test_a_conditional_random_field_is_to_be_cut_off() -> None:
    text = inputs(data=(1, 3, 5, 6)) + 'layer { name: "score" type: "ReLU" bottom: "data" top: "score" } '
    text += 'layer { name: "crf" type: "MultiStageMeanfield" bottom: "score" bottom: "score" bottom: "data" top: "y" }'
    read = from_text(text)
    with pytest.raises(UnsupportedError, match=r"cut it off: netsurgery operate .{2} --cut score"):
        read.require_supported("exported")
    assert netsurgery.passes.cut(read, ["score"]).outputs == ("score",)
