"""Fields that forks' nets set and their layers do not read in the TEST phase, and layers that do nothing in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fork_loops import hold, net
from one_layer import make, one, refusal

from netsurgery.errors import UnsupportedError
from netsurgery.formats.save import to_prototxt
from netsurgery.pycaffe.net import Net

RNG = np.random.default_rng(2)
X = RNG.normal(0, 1, (2, 3)).astype(np.float32)


@pytest.mark.parametrize("field", ["gaussian_std: 0.5", "uniform_range: 1 bias: 2", ""])
def test_noise_of_training_is_gone(field: str) -> None:
    hold(net(f'type: "Noise" top: "y" noise_param {{ {field} }}', X.shape), [X], lambda x: [x])


def test_noise_that_is_drawn_in_testing_is_refused() -> None:
    made = make(one("Noise", "noise_param { sigma: 2 }"), x=(2, 3))
    assert refusal(lambda: made.shapes(), UnsupportedError) == (
        "net.prototxt:2: layer 'y' (Noise): sigma is of naibaf7's Noise, which draws at random in the TEST phase, too\n"
        "  expected: gaussian_std or uniform_range\n"
        "  fix: remove the layer: its mean is no noise"
    )


def test_scores_are_rescaled_in_training_alone() -> None:
    text = (
        'type: "LabelSpecificRescale" top: "y" label_specific_rescale_param { positive_weight: 0.5 negative_weight: 2 }'
    )
    made = net(text, X.shape, (2,))
    made.require_supported()
    np.testing.assert_array_equal(made["y"].kind.forward([X, np.zeros(2, np.float32)], ())[0], X)
    bad = make(
        one("LabelSpecificRescale", "label_specific_rescale_param { rescale_test: true }", "xz"), x=(2, 3), z=(2,)
    )
    assert "scores are rescaled by their labels when testing" in refusal(lambda: bad.shapes(), UnsupportedError)


def test_an_inner_product_does_not_measure_distances() -> None:
    text = 'type: "InnerProduct" top: "y" inner_product_param { bias_term: false } inner_distance_param { distance_type: "L2" }'
    w = RNG.normal(0, 1, (4, 3)).astype(np.float32)
    hold(net(text, X.shape, w.shape), [X, w], lambda x, w: [x @ w.T])


def test_a_scaler_of_gradients_passes_numbers_on_and_no_gradient(tmp_path: Path) -> None:
    text = 'type: "GradientScaler" top: "y" gradient_scaler_param { lower_bound: 0 upper_bound: 1 alpha: 10 max_iter: 100 }'
    made = net(text, X.shape)
    hold(made, [X], lambda x: [x])
    (tmp_path / "n.prototxt").write_text("force_backward: true\n" + to_prototxt(made))
    running = Net(str(tmp_path / "n.prototxt"), 1)
    running.forward()
    with pytest.raises(UnsupportedError, match="scales its gradient by how far training has come"):
        running.backward()
