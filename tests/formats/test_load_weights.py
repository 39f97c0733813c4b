"""Files to nets: names, phases, weights by Caffe's rules, and what is said when they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from loading import INPUT, NETS, SHARED, B, W, caffemodel, conv, error_of, numbers, relu

import netsurgery
from netsurgery import WeightsError
from netsurgery.formats.load import from_text


def test_weights_are_matched_by_name_in_any_order_beside_layers_that_the_net_lacks(tmp_path: Path) -> None:
    file = caffemodel(tmp_path / "w", [("other", [B]), ("b", [W + 1, B + 1]), ("a", [W, B]), ("data", [])])
    net = from_text(INPUT + conv("a", "data") + conv("b", "data"), "n", file)
    assert [np.array_equal(x, y) for x, y in zip(net["a"].weights, (W, B), strict=True)] == [True, True]
    assert np.array_equal(net["b"].weights[1], B + 1)
    assert net.files == {"prototxt": "n", "weights": str(file)}


def test_of_a_layer_that_comes_twice_in_the_file_the_last_counts(tmp_path: Path) -> None:
    file = caffemodel(tmp_path / "w", [("a", [W, B]), ("a", [W + 1, B + 1])])
    assert np.array_equal(from_text(INPUT + conv("a", "data"), "n", file)["a"].weights[0], W + 1)


def test_of_layers_of_one_name_the_first_has_the_weights(tmp_path: Path) -> None:
    file = caffemodel(tmp_path / "w", [("a", [W, B])])
    text = INPUT + conv("a", "data") + conv("a", "data", top="y")
    assert error_of(WeightsError, text, file) == (
        f"net.prototxt:3: layer 'a' (Convolution): has no weights in {file}: another layer of its name, before it, takes them\n"
        "  expected: blobs of shapes 4x3x3x3, 4 under the layer's name\n"
        "  fix: give it a name of its own, and its weights under that, or --initialize-missing to fill what is missing as its fillers say"
    )
    assert from_text(text, "n", file, initialize_missing=True).layers[-1].weights


def test_wrong_shapes_are_refused_both_shown(tmp_path: Path) -> None:
    file = caffemodel(tmp_path / "w", [("a", [numbers(4, 5, 3, 3), B])])
    assert error_of(WeightsError, INPUT + conv("a", "data"), file) == (
        f"net.prototxt:2: layer 'a' (Convolution): blob 0 has shape 4x5x3x3 in {file}\n"
        "  expected: 4x3x3x3\n"
        "  fix: give the weights that belong to this prototxt"
    )


def test_the_same_number_of_values_in_another_shape_is_refused(tmp_path: Path) -> None:
    file = caffemodel(tmp_path / "w", [("a", [numbers(3, 4, 3, 3), B])])
    assert "blob 0 has shape 3x4x3x3" in error_of(WeightsError, INPUT + conv("a", "data"), file)


@pytest.mark.parametrize(("arrays", "said"), [([W], "1 blob in"), ([W, B, B], "3 blobs in")])
def test_a_wrong_number_of_blobs_is_refused(tmp_path: Path, arrays: list[np.ndarray], said: str) -> None:
    text = error_of(WeightsError, INPUT + conv("a", "data"), caffemodel(tmp_path / "w", [("a", arrays)]))
    assert said in text
    assert "expected: 2: 4x3x3x3, 4" in text


def test_blobs_of_a_layer_that_has_none_are_refused(tmp_path: Path) -> None:
    file = caffemodel(tmp_path / "w", [("c", [W, B]), ("r", [B])])
    assert "expected: 0: none" in error_of(WeightsError, INPUT + conv("c", "data") + relu("r", "c", "y"), file)


def test_the_weights_of_another_net_are_refused(tmp_path: Path) -> None:
    file = caffemodel(tmp_path / "w", [("c1", [W, B]), ("c2", [W, B])])
    assert error_of(WeightsError, INPUT + conv("a", "data"), file) == (
        f"{file}: holds weights for none of the net's layers: it has 'c1', 'c2'\n"
        "  expected: 'a'\n"
        "  fix: give the weights that belong to this prototxt (layers are matched by name)"
    )


LEGACY = (
    'input: "data"\n'
    + conv("c", "data")
    + 'layer { name: "ip" type: "InnerProduct" bottom: "c" top: "ip" inner_product_param { num_output: 1 } }\n'
    'layer { name: "p" type: "PReLU" bottom: "ip" top: "p" prelu_param { channel_shared: true } }\n'
)


@pytest.mark.parametrize("shape", ["", "input_dim: 2 input_dim: 3 input_dim: 5 input_dim: 5\n"])
def test_legacy_blobs_take_the_shapes_that_their_layers_want(tmp_path: Path, shape: str) -> None:
    layers = [("c", [W, B]), ("ip", [numbers(1, 36), numbers(1)]), ("p", [numbers(1)])]
    net = from_text(LEGACY.replace("\n", f"\n{shape}", 1), "n", caffemodel(tmp_path / "w", layers, legacy=True))
    assert [[w.shape for w in x.weights] for x in net.layers] == [
        [],
        [(4, 3, 3, 3), (4,)],
        [(1, 36), (1,)],
        [()],
    ]
    assert np.array_equal(net["ip"].weights[0], layers[1][1][0])


def test_a_legacy_blob_of_another_shape_is_refused(tmp_path: Path) -> None:
    file = caffemodel(tmp_path / "w", [("a", [numbers(4, 3, 3, 2), B])], legacy=True)
    assert "blob 0 has shape 4x3x3x2" in error_of(WeightsError, INPUT + conv("a", "data"), file)


def test_weights_are_views_of_the_file() -> None:
    from netsurgery.files.mapped import locate

    case = NETS / "lenet"
    net = netsurgery.load(case / "net.prototxt", case / "net.caffemodel")
    arrays = [w for layer in net.layers for w in layer.weights]
    assert arrays
    assert all(locate(w) is not None for w in arrays)


def test_shared_parameters_are_one_array_and_the_last_one_stored_counts(tmp_path: Path) -> None:
    file = caffemodel(tmp_path / "w", [("b", [W, B]), ("a", [W + 1, B + 1])])
    net = from_text(SHARED, "n", file)
    assert net["a"].weights[0] is net["b"].weights[0]
    assert np.array_equal(net["b"].weights[0], W + 1)


def test_a_shared_parameter_may_be_stored_once(tmp_path: Path) -> None:
    net = from_text(SHARED, "n", caffemodel(tmp_path / "w", [("b", [W, B])]))
    assert net["a"].weights[0] is net["b"].weights[0]
    assert np.array_equal(net["a"].weights[1], B)


def shared_with(rows: int, mode: str) -> str:
    one = (
        'layer { name: "a" type: "InnerProduct" bottom: "data" top: "a" param { name: "w" } '
        "inner_product_param { num_output: 4 bias_term: false } }\n"
    )
    other = (
        f'layer {{ name: "b" type: "InnerProduct" bottom: "a" top: "b" param {{ name: "w" {mode} }} '
        f"inner_product_param {{ num_output: {rows} bias_term: false }} }}\n"
    )
    return INPUT + one + other


def test_shared_parameters_of_different_shapes_are_refused_unless_permissive(tmp_path: Path) -> None:
    file = caffemodel(tmp_path / "w", [("a", [numbers(4, 75)])])
    assert error_of(WeightsError, shared_with(75, ""), file) == (
        "net.prototxt:3: layer 'b' (InnerProduct): blob 0 has shape 4x75: it is parameter 'w', which layer 'a' (InnerProduct) also has\n"
        "  expected: 75x4\n"
        "  fix: share parameters of one shape only, or set share_mode: PERMISSIVE if only the number of values is the same"
    )
    net = from_text(shared_with(75, "share_mode: PERMISSIVE"), "n", file)
    assert net["b"].weights[0].shape == (75, 4)
    assert np.shares_memory(net["a"].weights[0], net["b"].weights[0])
    assert "expected: 9x4" in error_of(WeightsError, shared_with(9, "share_mode: PERMISSIVE"), file)
