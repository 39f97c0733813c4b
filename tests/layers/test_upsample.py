"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/upsample.py."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import RNG, agree, make, numbers, one, refusal

import netsurgery
from netsurgery.errors import NetsurgeryError, UnsupportedError


def test_unpooling_lets_the_last_of_several_win() -> None:
    net = make(
        one("Upsample", "upsample_param { upsample_h: 2 upsample_w: 3 }", ("x", "m")), x=(2, 2, 3, 4), m=(2, 2, 3, 4)
    )
    x, mask = numbers(2, 2, 3, 4), RNG.integers(0, 6, (2, 2, 3, 4)).astype(np.float32)
    want = np.zeros((2, 2, 6), np.float32)
    for n, c, i, j in np.ndindex(*x.shape):
        want[n, c, int(mask[n, c, i, j])] = x[n, c, i, j]
    (got,) = agree(net, {"x": x, "m": mask}, opsets=(18, 21))
    np.testing.assert_array_equal(got["y"], want.reshape(2, 2, 2, 3))
    feed = {"x": x, "m": mask + 1}
    assert "the mask points to places from 1 to 6" in refusal(lambda: netsurgery.run(net, feed), NetsurgeryError)
    assert "unpooling at opset 17" in refusal(lambda: netsurgery.to_onnx(net, opset=17), UnsupportedError)


@pytest.mark.parametrize(("kernel", "apart"), [(2, True), (3, False)])
def test_a_mask_of_windows_that_do_not_overlap_needs_no_order(kernel: int, apart: bool) -> None:
    pool = (
        'layer { name: "pool" type: "Pooling" bottom: "x" top: "p" top: "m" '
        f"pooling_param {{ kernel_size: {kernel} stride: 2 }} }}"
    )
    shape = (2, 3, 8, 6) if apart else (2, 3, 9, 7)
    params = f"upsample_param {{ upsample_h: {shape[2]} upsample_w: {shape[3]} }}"
    net = make(pool + one("Upsample", params, ("p", "m")), x=shape)
    x = RNG.integers(0, 3, shape).astype(np.float32)  # equal values: a place is the greatest of several windows
    (got,) = agree(net, {"x": x}, opsets=(17, 21) if apart else (18, 21))
    (node,) = [n for n in netsurgery.to_onnx(net).graph.node if n.op_type == "ScatterElements"]
    assert [a.name for a in node.attribute] == (["axis"] if apart else ["axis", "reduction"])
    assert np.count_nonzero(got["y"])
    if not apart:
        assert "a mask of windows that do not overlap" in refusal(
            lambda: netsurgery.to_onnx(net, opset=17), UnsupportedError
        )


def test_unpooling_at_a_fixed_size_holds_no_plane_of_zeros() -> None:
    net = make(one("Upsample", "upsample_param { scale: 2 }", ("x", "m")), x=(1, 64, 90, 120), m=(1, 64, 90, 120))
    assert netsurgery.to_onnx(net, static=True).ByteSize() < 200_000


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ("scale_h: 2", "the size is not clear"),
        ("scale: 3 pad_out_h: true", "pad_out_h or _w with scale (3, 3)\n  expected: scale 2"),
        ("scale: 1", "scale (1, 1)\n  expected: 2 or more"),
    ],
)
def test_unpooling_refuses(params: str, problem: str) -> None:
    net = make(one("Upsample", f"upsample_param {{ {params} }}", ("x", "m")), x=(1, 1, 2, 2), m=(1, 1, 2, 2))
    assert problem in refusal(lambda: net.shapes(), UnsupportedError)


def test_upsample_refuses_a_broken_scale_and_the_fields_of_unpooling() -> None:
    net = make(one("Upsample", "upsample_param { scale: 1.5 }"), x=(1, 1, 2, 2))
    assert "scale is 1.5\n  expected: a positive whole number" in refusal(lambda: net.shapes(), UnsupportedError)
    net = make(one("Upsample", "upsample_param { upsample_h: 4 }"), x=(1, 1, 2, 2))
    assert "field 'upsample_h: 4' is not used" in refusal(lambda: net.shapes(), UnsupportedError)
