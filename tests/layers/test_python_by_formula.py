"""Python layers whose recorded cases are too large for fixtures/: held against what their code does, gone through number by number."""

from __future__ import annotations

import numpy as np
from one_layer import agree, make, numbers, one, refusal

from netsurgery.errors import ShapeError


def python(module: str, layer: str, bottoms: tuple[str, ...], tops: tuple[str, ...] = ("y",)) -> str:
    return one("Python", f"python_param {{ module: '{module}' layer: '{layer}' }}", bottoms, tops)


def test_an_image_moves_in_steps_of_a_part_of_a_pixel() -> None:
    net = make(python("warping_layer", "WarpingLayer", ("x", "f")), x=(1, 3, 6, 7), f=(1, 2, 6, 7))
    feeds = [{"x": numbers(1, 3, h, w), "f": 2 * numbers(1, 2, h, w)} for h, w in ((6, 7), (3, 9))]
    for feed, got in zip(feeds, agree(net, *feeds), strict=True):
        h, w = feed["x"].shape[2:]
        want = np.zeros(got["y"].shape)
        for c, i, j in np.ndindex(3, h, w):
            u, v = (np.float32(p) + feed["f"][0, k, i, j] for k, p in ((0, j), (1, i)))
            (left, a), (up, b) = (divmod(round(float(t * np.float32(32))), 32) for t in (u, v))
            for di, down in ((0, 1 - b / 32), (1, b / 32)):
                for dj, right in ((0, 1 - a / 32), (1, a / 32)):
                    row, column = min(max(up + di, 0), h - 1), min(max(left + dj, 0), w - 1)
                    want[0, c, i, j] += down * right * feed["x"][0, c, row, column]
        np.testing.assert_allclose(got["y"], want, atol=1e-5)
    two = make(python("warping_layer", "WarpingLayer", ("x", "f")), x=(2, 3, 6, 7), f=(2, 2, 6, 7))
    assert "batch of the image: 2" in refusal(two.shapes, ShapeError)


def test_channels_are_weighed() -> None:
    text = python("rpn.dumlayer", "dumLayer", ("w", "x"), ("y", "z"))
    feed = {"w": numbers(2, 512, 1), "x": numbers(2, 512, 14, 14)}
    (got,) = agree(make(text, w=(2, 512, 1), x=(2, 512, 14, 14)), feed)
    np.testing.assert_allclose(got["z"], feed["w"][..., None] * feed["x"], rtol=1e-6)
    np.testing.assert_allclose(got["y"][:, 0], got["z"].mean(axis=1), atol=1e-6)
    alone = make(python("rpn.dumlayer", "dumLayer", ("w", "x")), w=(2, 512, 1), x=(2, 512, 14, 14))
    np.testing.assert_array_equal(agree(alone, feed)[0]["y"], got["y"])
    few = make(text, w=(2, 4, 1), x=(2, 4, 14, 14))
    assert "channels of bottom 0: 4" in refusal(few.shapes, ShapeError)


def test_a_layer_without_tops_does_nothing() -> None:
    text = python("rpn.dummylayer", "dummyLayer", ("x",), ()) + 'layer { name: "z" type: "ReLU" bottom: "x" top: "z" }'
    (got,) = agree(make(text, x=(2, 3)), {"x": numbers(2, 3)})
    assert set(got) >= {"z"}
