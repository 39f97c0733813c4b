"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/flowwarp.py."""

from __future__ import annotations

import numpy as np
from losses import compute, net_of


def test_flow_warp_sees_the_last_pixel_alone_behind_it() -> None:
    net = net_of(
        'layer { name: "l" type: "FlowWarp" bottom: "x" bottom: "f" top: "y" flow_warp_param { fill_value: NOT_A_NUMBER } }',
        {"x": (1, 1, 1, 4), "f": (1, 2, 1, 4)},
    )
    flow = np.zeros((1, 2, 1, 4))
    flow[0, 0, 0] = [-0.25, 0.5, 1.75, 1]
    y = compute(net, x=np.reshape([1, 2, 4, 8], (1, 1, 1, 4)), f=flow)
    np.testing.assert_array_equal(y.ravel(), [np.nan, 3, 8, np.nan])
