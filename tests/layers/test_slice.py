"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/slice.py."""

from __future__ import annotations

import cases
import pytest
from one_layer import agree, make, numbers, one, refusal

import netsurgery
from netsurgery.errors import NetsurgeryError, ShapeError


def test_slice_points_with_a_free_axis() -> None:
    net = make(one("Slice", "slice_param { axis: -1 slice_point: 1 slice_point: 4 }", tops="abc"), x=(1, 2, 6))
    for n, got in zip((5, 9), agree(net, {"x": numbers(1, 2, 5)}, {"x": numbers(3, 2, 9)}), strict=True):
        assert [got[t].shape[-1] for t in "abc"] == [1, 3, n - 4]


def test_slice_into_equal_parts_never_cuts_unevenly() -> None:
    net = make(one("Slice", "slice_param { axis: 1 }", tops="abc"), x=(1, 6))
    agree(net, {"x": numbers(2, 9)}, {"x": numbers(2, 3)})
    with pytest.raises(Exception, match=r"(?i)split"):
        cases.session(netsurgery.to_onnx(net).SerializeToString()).run(None, {"x": numbers(1, 7)})
    assert refusal(lambda: netsurgery.run(net, {"x": numbers(1, 7)}), ShapeError) == (
        "net.prototxt:2: layer 'y' (Slice): axis 1: 7\n  expected: a multiple of 3, the number of tops"
    )


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ("slice_point: 1 slice_point: 2", "2 slice points for 2 tops\n  expected: none, or 1"),
        ("slice_point: 0", "slice points (0,)\n  expected: positive numbers, each greater than the last"),
        ("axis: 1 slice_dim: 1", "both axis and slice_dim are set\n  expected: one of the two"),
        ("slice_point: 7", "axis 1: 6\n  expected: at least 7"),
    ],
)
def test_slice_refuses(params: str, problem: str) -> None:
    net = make(one("Slice", f"slice_param {{ {params} }}", tops="ab"), x=(1, 6))
    assert problem in refusal(lambda: net.shapes(), NetsurgeryError)
