"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/roipooling.py."""

from __future__ import annotations

import numpy as np
import pytest
from losses import error, net_of

import netsurgery


def test_regions_of_items_that_are_not_there_are_refused() -> None:
    net = net_of(
        'layer { name: "l" type: "ROIPooling" bottom: "x" bottom: "r" top: "y" roi_pooling_param { pooled_h: 2 pooled_w: 2 } }',
        {"x": (2, 1, 4, 4), "r": (1, 5)},
    )
    assert error(net, x=np.zeros((2, 1, 4, 4)), r=[[2, 0, 0, 1, 1]]) == (
        "net.prototxt:3: layer 'l' (ROIPooling): a roi of item 2\n  expected: 0 to 1: the items of bottom 0"
    )


def test_roi_pooling_is_refused_where_runtimes_lack_its_operator() -> None:
    net = net_of(
        'layer { name: "l" type: "ROIPooling" bottom: "x" bottom: "r" top: "y" '
        "roi_pooling_param { pooled_h: 2 pooled_w: 2 } }",
        {"x": (2, 1, 4, 4), "r": (1, 5)},
    )
    with pytest.raises(netsurgery.UnsupportedError) as caught:
        netsurgery.to_onnx(net, opset=22)
    assert str(caught.value) == (
        "net.prototxt:3: layer 'l' (ROIPooling): opset 22: onnxruntime has no MaxRoiPool of it\n"
        "  expected: up to 21\n"
        "  fix: --opset 21"
    )
