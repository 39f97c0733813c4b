"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/ctcgreedydecoder.py."""

from __future__ import annotations

import numpy as np
import pytest
from losses import compute, net_of


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("", [1, 1, 2, -1, -1, -1]),
        ("ctc_merge_repeated: false", [1, 1, 1, 2, 2, -1]),
        ("blank_index: 2", [1, 0, 1, -1, -1, -1]),
        ("blank_index: -1 ctc_merge_repeated: false", [1, 1, 0, 1, -1, -1]),
    ],
)
def test_the_ctc_decoder_spells(fields: str, expected: list[int]) -> None:
    best = [1, 1, 0, 1, 2, 2]
    net = net_of(
        f'layer {{ name: "l" type: "CTCGreedyDecoder" bottom: "x" top: "y" ctc_decoder_param {{ {fields} }} }}',
        {"x": (6, 1, 3)},
    )
    assert compute(net, x=np.eye(3)[best][:, None]).ravel().tolist() == expected
