"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/dummydata.py."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import SUM, agree, make, numbers, one, refusal

from netsurgery.errors import UnsupportedError
from netsurgery.formats.load import from_text


def test_constant_dummy_data_is_no_input() -> None:
    filler = 'data_filler { type: "constant" value: 2.5 }'
    net = make(
        one("DummyData", f"dummy_data_param {{ {filler} num: 1 channels: 2 height: 3 width: 3 }}", ()) + SUM,
        x=(1, 1, 3, 3),
    )
    assert list(net.inputs) == ["x"]
    x = numbers(1, 4, 3, 3)
    (got,) = agree(net, {"x": x})
    np.testing.assert_array_equal(got["s"], np.concatenate([x, np.full((1, 2, 3, 3), 2.5, np.float32)], 1))


def test_random_dummy_data_is_an_input() -> None:
    params = 'dummy_data_param { data_filler { type: "gaussian" std: 2 } shape { dim: 2 dim: 3 } shape { dim: 2 } }'
    net = from_text(one("DummyData", params, (), ("y", "z")))
    assert dict(net.inputs) == {"y": (2, 3), "z": (2,)}


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        (
            'data_filler { type: "uniform" } data_filler { type: "constant" } shape { dim: 1 }',
            "some tops are constant, some random",
        ),
        ('data_filler { type: "unknown" } shape { dim: 1 }', "filler 'unknown'"),
        (
            "num: 1 channels: 1 height: 1 width: 1 shape { dim: 1 }",
            "both shape and num, channels, height, width are set",
        ),
        ("", "0 times shape for 2 tops\n  expected: one for all, or one each"),
        ("num: 1 channels: 2", "0 times height for 2 tops"),
    ],
)
def test_dummy_data_refuses(params: str, problem: str) -> None:
    net = from_text(one("DummyData", f"dummy_data_param {{ {params} }}", (), ("y", "z")))
    assert problem in refusal(net.require_supported, UnsupportedError)
