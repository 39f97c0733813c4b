"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/local.py."""

from __future__ import annotations

from losses import compute, net_of, normal

import netsurgery


def test_weights_of_a_local_layer_tie_the_input_to_one_size() -> None:
    net = net_of(
        'layer { name: "l" type: "Local" bottom: "x" top: "y" local_param { num_output: 2 kernel_size: 3 stride: 2 pad: 1 } }',
        {"x": (1, 2, 5, 6)},
        {"l": [normal(2, 1, 18, 9), normal(1, 1, 2, 9)]},
    )
    (x,) = netsurgery.to_onnx(net).graph.input
    assert [d.dim_value for d in x.type.tensor_type.shape.dim] == [0, 2, 5, 6]
    compute(net, x=normal(3, 2, 5, 6))
