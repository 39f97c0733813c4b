"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/continuationindicator.py."""

from __future__ import annotations

from losses import error, net_of


def test_an_indicator_without_sizes_is_refused() -> None:
    net = net_of(
        'layer { name: "l" type: "ContinuationIndicator" top: "y" continuation_indicator_param { time_step: 4 } }', {}
    )
    assert error(net) == (
        "net.prototxt:2: layer 'l' (ContinuationIndicator): batch_size is 0\n  expected: a positive number, or a bottom"
    )
