"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/psroipooling.py."""

from __future__ import annotations

import cases
import numpy as np
from losses import net_of, normal

import netsurgery


def test_psroi_pooling_keeps_small_bins_exact_on_large_maps() -> None:
    """Sums over a whole map are large beside those of a bin: they are kept in double."""
    net = net_of(
        'layer { name: "l" type: "PSROIPooling" bottom: "x" bottom: "r" top: "y" '
        "psroi_pooling_param { spatial_scale: 1 output_dim: 1 group_size: 1 } }",
        {"x": (1, 1, 200, 300), "r": (1, 5)},
    )
    x = 1000 + normal(1, 1, 200, 300)
    session = cases.session(netsurgery.to_onnx(net).SerializeToString())
    (y,) = session.run(None, {"x": x, "r": np.array([[0, 297, 197, 297, 197]], np.float32)})
    assert y.item() == x[0, 0, 197, 297]
