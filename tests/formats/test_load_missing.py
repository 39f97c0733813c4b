"""Files to nets: names, phases, weights by Caffe's rules, and what is said when they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from loading import INPUT, SHARED, B, W, caffemodel, conv, error_of, numbers

from netsurgery import WeightsError
from netsurgery.formats.load import from_text

BILINEAR = (
    'layer { name: "up" type: "Deconvolution" bottom: "a" top: "up" '
    'convolution_param { num_output: 4 group: 4 kernel_size: 4 stride: 2 bias_term: false weight_filler { type: "bilinear" } } }\n'
)


def test_a_layer_that_is_missing_is_filled_where_the_prototxt_says_exactly_how(tmp_path: Path) -> None:
    file = caffemodel(tmp_path / "w", [("a", [W, B])])
    constant = (
        'layer { name: "s" type: "Scale" bottom: "up" top: "s" '
        "scale_param { bias_term: true filler { value: 3 } bias_filler { } } }\n"
    )
    net = from_text(INPUT + conv("a", "data") + BILINEAR + constant, "n", file)
    line = np.array([0.25, 0.75, 0.75, 0.25], np.float32)
    assert np.array_equal(net["up"].weights[0], np.broadcast_to(np.outer(line, line), (4, 1, 4, 4)))
    assert np.array_equal(net["s"].weights[0], np.full(4, 3, np.float32))
    assert np.array_equal(net["s"].weights[1], np.zeros(4, np.float32))
    assert net.notes == (
        f"layer 'up' (Deconvolution): not in {file}, filled as the prototxt says (bilinear)",
        f"layer 's' (Scale): not in {file}, filled as the prototxt says (constant)",
    )


@pytest.mark.parametrize(
    "params",
    [
        "",  # Caffe's default, a constant, is not written
        'weight_filler { type: "xavier" } bias_filler { type: "constant" }',
        'weight_filler { type: "constant" value: 1 }',
        'weight_filler { value: 1 sparse: 2 } bias_filler { type: "constant" }',
    ],
)
def test_a_layer_that_is_missing_is_an_error_otherwise(tmp_path: Path, params: str) -> None:
    file = caffemodel(tmp_path / "w", [("a", [W, B])])
    text = INPUT + conv("a", "data") + conv("b", "a", params)
    assert error_of(WeightsError, text, file) == (
        f"net.prototxt:3: layer 'b' (Convolution): has no weights in {file}\n"
        "  expected: blobs of shapes 4x4x3x3, 4 under the layer's name\n"
        "  fix: give the weights that belong to this prototxt (layers are matched by name), or --initialize-missing to fill what is "
        "missing as its fillers say"
    )


def test_initialize_missing_draws_from_the_fillers_and_says_so(tmp_path: Path) -> None:
    file = caffemodel(tmp_path / "w", [("a", [W, B])])
    text = INPUT + conv("a", "data") + conv("b", "a", 'weight_filler { type: "xavier" } bias_filler { value: 2 }')
    net = from_text(text, "n", file, initialize_missing=True, seed=3)
    again = from_text(text, "n", file, initialize_missing=True, seed=3)
    other = from_text(text, "n", file, initialize_missing=True, seed=4)
    drawn = net["b"].weights[0]
    assert 0 < np.abs(drawn).max() <= np.sqrt(3 / 36)
    assert np.array_equal(net["b"].weights[1], np.full(4, 2, np.float32))
    assert np.array_equal(drawn, again["b"].weights[0])
    assert not np.array_equal(drawn, other["b"].weights[0])
    assert net.notes == (f"layer 'b' (Convolution): not in {file}, filled as the prototxt says (xavier, constant)",)


def test_weights_that_do_not_fit_are_refused_with_initialize_missing_too(tmp_path: Path) -> None:
    file = caffemodel(tmp_path / "w", [("a", [numbers(4, 2, 3, 3), B])])
    assert "blob 0 has shape 4x2x3x3" in error_of(
        WeightsError, INPUT + conv("a", "data"), file, initialize_missing=True
    )


def test_missing_parameters_that_are_shared_are_drawn_once(tmp_path: Path) -> None:
    file = caffemodel(tmp_path / "w", [("c", [numbers(4, 4, 3, 3), B])])
    net = from_text(SHARED + conv("c", "a"), "n", file, initialize_missing=True)
    assert net["a"].weights[0] is net["b"].weights[0]
