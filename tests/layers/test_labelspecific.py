"""LabelSpecific layers: in the TEST phase the scores pass, whatever the labels are; what would change them is refused."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import agree, make, numbers, one, refusal

from netsurgery.errors import UnsupportedError

PARAMS = {
    "LabelSpecificAdd": "label_specific_add_param { bias: -0.5 }",
    "LabelSpecificMargin": "label_specific_margin_param { margin: 2 }",
    "LabelSpecificRescale": "label_specific_rescale_param { positive_weight: 2 }",
}
SHAPES = {"x": (2, 4), "label": (2,)}


@pytest.mark.parametrize("type", PARAMS)
def test_scores_pass(type: str) -> None:
    feed = {"x": numbers(2, 4), "label": np.array([3, 0], np.float32)}
    (computed,) = agree(make(one(type, PARAMS[type], ["x", "label"]), **SHAPES), feed)
    np.testing.assert_array_equal(computed["y"], feed["x"])


def test_rescaling_by_labels_is_refused() -> None:
    text = one("LabelSpecificRescale", "label_specific_rescale_param { rescale_test: true }", ["x", "label"])
    net = make(text, **SHAPES)
    assert refusal(net.shapes, UnsupportedError) == (
        "net.prototxt:3: layer 'y' (LabelSpecificRescale): scores are rescaled by their labels when testing\n"
        "  expected: false"
    )


@pytest.mark.parametrize("type", PARAMS)
def test_what_training_adds_is_refused(type: str) -> None:
    net = make(one(type, "", ["x", "label"], ["y", "z"]), **SHAPES)
    assert "its second top, what training adds, is not computed in the TEST phase" in str(net["y"].kind.error)
