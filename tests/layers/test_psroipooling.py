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


def test_psroi_pooling_sums_with_a_pixels_outputs_side_by_side() -> None:
    """CumSum and Gather take long along the last axis of maps and by single numbers."""
    net = net_of(
        'layer { name: "l" type: "PSROIPooling" bottom: "x" bottom: "r" top: "y" '
        "psroi_pooling_param { spatial_scale: 1 output_dim: 3 group_size: 2 } }",
        {"x": (1, 12, 5, 6), "r": (1, 5)},
    )
    nodes = netsurgery.to_onnx(net).graph.node
    (turned,) = (n for n in nodes if n.op_type == "Transpose" and len(n.attribute[0].ints) == 5)
    assert list(turned.attribute[0].ints) == [0, 2, 3, 4, 1]
    kinds = [n.op_type for n in nodes]
    assert kinds.index("Transpose") < kinds.index("CumSum")
    assert kinds.count("Gather") == 4
    assert "GatherND" not in kinds
