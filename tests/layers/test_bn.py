"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/bn.py."""

from __future__ import annotations

import numpy as np
import pytest
from losses import error, net_of


@pytest.mark.parametrize(
    ("fields", "tops", "blobs"),
    [
        ("", 'top: "y"', 4),
        ("bn_param { slope_filler { value: 1 } frozen: true }", 'top: "y"', 4),
        ("bn_param { icnet: true bn_mode: LEARN }", 'top: "y"', 0),
        ("bn_param { bn_mode: INFERENCE }", 'top: "y"', 2),
        ("bn_param { scale_filler { value: 1 } }", 'top: "y"', 2),
        ("", 'top: "y" top: "m" top: "v"', 2),
    ],
)
def test_bn_is_told_apart_without_weights(fields: str, tops: str, blobs: int) -> None:
    net = net_of(f'layer {{ name: "l" type: "BN" bottom: "x" {tops} {fields} }}', {"x": (2, 3, 4, 4)})
    if not blobs:
        assert error(net, x=np.zeros((2, 3, 4, 4))) == (
            "net.prototxt:2: layer 'l' (BN): bn_mode with the blobs of PSPNet's form\n  expected: 2 blobs, or no bn_mode"
        )
    else:
        assert net["l"].kind.weight_shapes([(2, 3, 4, 4)]) == [(1, 3, 1, 1)] * blobs
