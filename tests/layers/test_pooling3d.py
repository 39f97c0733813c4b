"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/pooling3d.py."""

from __future__ import annotations

import numpy as np
from losses import compute, error, net_of


def test_pooling_3d_may_end_in_the_padding() -> None:
    """Kernel 2, stride 2, pad 1 on 4 columns: BVLC would drop a third window, C3D keeps it: half of it is the padding."""
    net = net_of(
        'layer { name: "l" type: "Pooling3D" bottom: "x" top: "y" '
        "pooling3d_param { pool: AVE kernel_size: 2 kernel_depth: 1 stride: 2 pad: 1 } }",
        {"x": (1, 1, 1, 4, 4)},
    )
    y = compute(net, x=np.ones((1, 1, 1, 4, 4)))
    np.testing.assert_array_equal(y[0, 0, 0], [[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]])


def test_pooling_3d_of_nothing_is_the_lowest_number() -> None:
    layer = (
        'layer {{ name: "l" type: "Pooling3D" bottom: "x" top: "y" '
        "pooling3d_param {{ pool: {} kernel_size: 1 kernel_depth: 1 stride: 3 }} }}"
    )
    y = compute(net_of(layer.format("MAX"), {"x": (1, 1, 1, 2, 2)}), x=np.ones((1, 1, 1, 2, 2)))
    lowest = np.finfo(np.float32).min
    np.testing.assert_array_equal(y[0, 0, 0], [[1, lowest], [lowest, lowest]])
    assert error(net_of(layer.format("AVE"), {"x": (1, 1, 1, 2, 2)}), x=np.ones((1, 1, 1, 2, 2))) == (
        "net.prototxt:2: layer 'l' (Pooling3D): a window lies outside the bottom, of size 2\n"
        "  expected: windows that hold at least one value"
    )
