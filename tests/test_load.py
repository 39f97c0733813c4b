"""Files to nets: names, phases, weights by Caffe's rules, and what is said when they do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cases
import numpy as np
import pytest
from wire_cases import BlobProto, NetParameter

import netsurgery
from netsurgery import NetsurgeryError, ParseError, ShapeError, UnsupportedError, WeightsError
from netsurgery.errors import UnsupportedLayersError
from netsurgery.formats.load import from_text
from netsurgery.net import Net

NETS = cases.FIXTURES / "conformance" / "nets"
INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 5 } } }\n'


def relu(name: str, bottom: str, top: str = "") -> str:
    return f'layer {{ name: "{name}" type: "ReLU" bottom: "{bottom}" top: "{top or bottom}" }}\n'


def conv(name: str, bottom: str, params: str = "", more: str = "", top: str = "") -> str:
    wires = f'bottom: "{bottom}" top: "{top or name}"'
    return (
        f'layer {{ name: "{name}" type: "Convolution" {wires} '
        f"convolution_param {{ num_output: 4 kernel_size: 3 {params} }} {more} }}\n"
    )


def blob(array: np.ndarray, legacy: bool = False) -> BlobProto:
    made = BlobProto()
    if legacy:
        made.num, made.channels, made.height, made.width = (1,) * (4 - array.ndim) + array.shape
    else:
        made.shape.dim.extend(array.shape)
        made.shape.SetInParent()
    made.data.extend(array.ravel().tolist())
    return made


def caffemodel(path: Path, layers: Sequence[tuple[str, Sequence[np.ndarray]]], legacy: bool = False) -> Path:
    """A weights file of these layers, in this order."""
    net = NetParameter()
    for name, arrays in layers:
        layer = net.layer.add()
        layer.name = name
        layer.blobs.extend(blob(a, legacy) for a in arrays)
    path.write_bytes(net.SerializeToString())
    return path


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


W, B = numbers(4, 3, 3, 3), numbers(4, seed=1)


def error_of(kind: type[NetsurgeryError], text: str, weights: Path | None = None, **options: object) -> str:
    with pytest.raises(kind) as caught:
        from_text(text, "net.prototxt", weights, **options)
    return str(caught.value)


# Names


def names(net: Net) -> list[tuple[str, str]]:
    return [(",".join(layer.bottoms), ",".join(layer.tops)) for layer in net.layers]


def test_the_last_version_of_a_blob_made_in_place_has_its_name() -> None:
    net = from_text(INPUT + conv("conv1", "data") + relu("relu1", "conv1") + relu("relu2", "conv1"))
    assert names(net) == [
        ("", "data"),
        ("data", "conv1@conv1"),
        ("conv1@conv1", "conv1@relu1"),
        ("conv1@relu1", "conv1"),
    ]


def test_an_input_keeps_its_name_when_a_layer_works_on_it_in_place() -> None:
    net = from_text(INPUT + relu("relu1", "data") + relu("relu2", "data") + relu("after", "data", "y"))
    assert names(net) == [("", "data"), ("data", "data@relu1"), ("data@relu1", "data@relu2"), ("data@relu2", "y")]
    assert dict(net.inputs) == {"data": (2, 3, 5, 5)}


def test_who_reads_before_a_layer_works_in_place_reads_the_version_before() -> None:
    net = from_text(INPUT + conv("c", "data") + conv("side", "c") + relu("r", "c") + conv("after", "c"))
    assert net["side"].bottoms == ("c@c",)
    assert net["after"].bottoms == ("c",)


def test_a_version_does_not_take_the_name_of_another_blob() -> None:
    net = from_text(INPUT + conv("c", "data") + relu("r", "c") + relu("x", "data", "c@c"))
    assert net["c"].tops == ("c@c'",)


def test_two_writers_of_a_blob_are_refused() -> None:
    text = INPUT + conv("a", "data", top="x") + conv("b", "data", top="x")
    assert error_of(NetsurgeryError, text) == (
        "net.prototxt:3: layer 'b' (Convolution): top 'x' is already written by layer 'a'\n"
        "  expected: one writer per blob (in-place layers name the same blob as bottom and top)\n"
        "  fix: give one of the two tops another name"
    )


def test_a_layer_that_cannot_work_in_place_is_refused_when_it_is_needed() -> None:
    net = from_text(INPUT + conv("c", "data", top="data"), "net.prototxt")
    with pytest.raises(UnsupportedError) as caught:
        net.shapes()
    assert str(caught.value) == (
        "net.prototxt:2: layer 'c' (Convolution): top 'data' is also its bottom\n"
        "  expected: another top: Caffe's Convolution does not work in place"
    )


def test_an_unknown_bottom_is_refused_with_the_name_that_was_meant() -> None:
    assert error_of(NetsurgeryError, INPUT + conv("conv1", "data") + relu("relu1", "conv_1", "y")) == (
        "net.prototxt:3: layer 'relu1' (ReLU): bottom 'conv_1' is not written by any layer before it\n"
        "  expected: one of: data, conv1\n"
        "  fix: did you mean 'conv1'?"
    )


def test_a_score_whose_label_is_gone_is_left_out() -> None:
    ip = 'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 2 } }\n'
    score = 'layer { name: "acc" type: "Accuracy" bottom: "ip" bottom: "label" top: "acc" }'
    net = from_text(INPUT + ip + score)
    assert [layer.name for layer in net.layers] == ["data", "ip"]
    assert net.notes == ("layer 'acc' (Accuracy) left out: it only scores, and there is no 'label'",)


# Phases


PHASES = (
    'layer { name: "train" type: "Input" top: "data" include { phase: TRAIN } input_param { shape { dim: 9 } } }\n'
    'layer { name: "test" type: "Input" top: "data" include { phase: TEST } input_param { shape { dim: 2 } } }\n'
    'layer { name: "x" type: "ReLU" bottom: "data" top: "x" include { stage: "extra" } }\n'
    'layer { name: "y" type: "TanH" bottom: "data" top: "y" exclude { min_level: 3 } }\n'
)


def test_phase_stages_and_level_select_layers() -> None:
    assert [x.name for x in from_text(PHASES).layers] == ["test", "y"]
    assert [x.name for x in from_text(PHASES, phase="TRAIN").layers] == ["train", "y"]
    assert [x.name for x in from_text(PHASES, stages=["extra"], level=3).layers] == ["test", "x"]


def test_a_phase_without_layers_is_refused() -> None:
    text = 'name: "n"\nlayer { name: "a" type: "Input" top: "a" include { phase: TRAIN } }'
    assert error_of(ParseError, text) == (
        "net.prototxt:1: no layers are left in this phase\n"
        "  expected: a net: layer { ... }\n"
        "  fix: phase is TEST, level 0, stages []: check include and exclude"
    )


# Fields of the net itself


def test_fields_of_the_net_that_only_training_needs_are_passed_over() -> None:
    text = 'force_backward: true debug_info: true state { stage: "extra" } default_forward_type: FLOAT16\n' + PHASES
    assert [x.name for x in from_text(text).layers] == ["test", "x", "y"]
    assert from_text(text).notes == ()


def test_an_unknown_field_of_the_net_is_refused_or_listed() -> None:
    text = INPUT + "fancy_mode: 3\n"
    assert error_of(UnsupportedError, text) == (
        "net.prototxt:2: field 'fancy_mode' of the net is not known\n"
        "  expected: a field that is known\n"
        "  fix: --ignore-unknown passes over fields of unknown meaning"
    )
    net = from_text(text, "net.prototxt", ignore_unknown=True)
    assert net.notes == ("net.prototxt:2: field 'fancy_mode' of the net is not known and was ignored",)


def test_ignore_unknown_passes_over_unknown_fields_only() -> None:
    unknown = INPUT + conv("c", "data", "brightness: 3")
    assert from_text(unknown, "n", ignore_unknown=True).notes == (
        "n:2: layer 'c' (Convolution): field 'brightness' is not known and was ignored",
    )
    net = from_text(INPUT + conv("c", "data", "fuse_type: FUSED_CONV_RELU"), "n", ignore_unknown=True)
    with pytest.raises(UnsupportedLayersError, match="fuse_type"):
        net.require_supported()


def test_what_forks_write_for_training_and_for_their_implementations_is_irrelevant() -> None:
    more = (
        "quantization_param { bw_layer_in: 8 } forward_type: FLOAT16 cudnn_math_override: 0 "
        "param { lr_mult: 1 decay_mult: 2 } loss_weight: 1 propagate_down: false"
    )
    params = 'engine: MKLDNN weight_filler { type: "xavier" } cudnn_flavor: MIN_MEMORY conv_algorithm: "winograd"'
    net = from_text(INPUT + conv("c", "data", params, more))
    net.require_supported()


# Weights


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
        "  fix: give the weights that belong to this prototxt (layers are matched by name), or --initialize-missing to fill what is "
        "missing as its fillers say"
    )


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


# Parameters that layers share

SHARED = (
    INPUT
    + conv("a", "data", more='param { name: "w" } param { name: "b" }')
    + conv("b", "data", more='param { name: "w" } param { name: "b" }')
)


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


# Missing weights

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


# A caffemodel alone


def test_a_caffemodel_alone_is_a_net() -> None:
    case = NETS / "lenet"
    net = netsurgery.load(case / "net.caffemodel")
    whole = netsurgery.load(case / "net.prototxt", case / "net.caffemodel")
    assert [(x.type, x.bottoms, x.tops) for x in net.layers] == [(x.type, x.bottoms, x.tops) for x in whole.layers]
    feed, want = cases.runs(case)[0]
    got = netsurgery.run(net, feed)
    assert not cases.difference(got["prob"], want["prob"])
    assert net.files == {"weights": str(case / "net.caffemodel")}
    assert (net.origin.vintage, net.origin.binary, net.origin.precision) == ("V2", True, ("float32",))


@pytest.mark.parametrize("vintage", ["V0", "V1"])
def test_old_caffemodels_alone_are_nets(vintage: str) -> None:
    case = NETS / f"vintage_{vintage.lower()}"
    net = netsurgery.load(case / "net.caffemodel")
    feed, want = cases.runs(case)[0]
    assert not cases.difference(netsurgery.run(net, feed)["prob"], want["prob"])
    assert net.origin.vintage == vintage
    assert net.notes[0] == f"{vintage} net upgraded to V2: {len(net.layers) - 1} layers"


def test_a_snapshot_of_training_is_a_net_of_the_train_phase(tmp_path: Path) -> None:
    from netsurgery.exporters.convert import convert

    made = NetParameter()
    data = made.layer.add(name="data", type="Input", top=["data", "label"])
    data.include.add().phase = 0
    for sizes in ((2, 3, 5, 5), (2,)):
        data.input_param.shape.add().dim.extend(sizes)
    made.layer.add(
        name="data_data_0_split", type="Split", bottom=["data"], top=[f"data_data_0_split_{i}" for i in (0, 1)]
    )
    ip = made.layer.add(name="ip", type="InnerProduct", bottom=["data_data_0_split_0"], top=["ip"], phase=0)
    ip.inner_product_param.num_output = 4
    ip.blobs.extend([blob(numbers(4, 75)), blob(B)])
    other = made.layer.add(name="other", type="InnerProduct", bottom=["data_data_0_split_1"], top=["other"])
    other.inner_product_param.num_output = 4
    other.blobs.extend([blob(numbers(4, 75, seed=2)), blob(B)])
    made.layer.add(name="loss", type="SoftmaxWithLoss", bottom=["ip", "label"], top=["loss"])
    file = tmp_path / "snapshot.caffemodel"
    file.write_bytes(made.SerializeToString())
    net = netsurgery.load(file)
    assert [layer.name for layer in net.layers] == ["data", "ip", "other", "loss"]
    assert net["ip"].bottoms == net["other"].bottoms == ("data",)
    assert net.notes == (
        "the file holds the net of the TRAIN phase, as snapshots do: all of its layers were taken",
        "1 Split layers that Caffe put in left out",
    )
    done = convert(file, None, tmp_path / "m.onnx")
    assert done.outputs == ("other", "prob")


def test_a_binary_net_without_blobs_takes_weights_from_another_file(tmp_path: Path) -> None:
    made = NetParameter(name="n")
    made.layer.add(name="data", type="Input", top=["data"]).input_param.shape.add().dim.extend((2, 3, 5, 5))
    layer = made.layer.add(name="a", type="Convolution", bottom=["data"], top=["a"])
    layer.convolution_param.num_output = 4
    layer.convolution_param.kernel_size.append(3)
    file = tmp_path / "net.protobin"
    file.write_bytes(made.SerializeToString())
    assert netsurgery.load(file)["a"].weights == ()
    weights = caffemodel(tmp_path / "w", [("a", [W, B])])
    net = netsurgery.load(file, weights)
    assert np.array_equal(net["a"].weights[0], W)
    assert net.files == {"prototxt": str(file), "weights": str(weights)}


def binary_layer(tmp_path: Path, type: str, extra: bytes) -> Net:
    """A binary net of a layer with fields of the wire format appended."""
    made = NetParameter()
    made.layer.add(name="data", type="Input", top=["data"]).input_param.shape.add().dim.extend((2, 3, 5, 5))
    layer = NetParameter().layer.add(name="x", type=type, bottom=["data"], top=["x"])
    body = layer.SerializeToString() + extra
    file = tmp_path / "net.caffemodel"
    file.write_bytes(made.SerializeToString() + b"\xa2\x06" + bytes([len(body)]) + body)
    return netsurgery.load(file)


@pytest.mark.parametrize(
    ("type", "extra", "number"),
    [
        ("Upsample", b"\xaa\x09\x02\x08\x02", 149),  # eric612's and others' upsample_param, MNN's something else
        ("Interp", b"\xfa\x08\x00", 143),  # PSPNet's interp_param, BVLC's input_param
        ("ReLU", b"\xfa\x08\x00", 143),
    ],
)
def test_fields_of_a_binary_net_that_forks_number_differently_are_refused(
    tmp_path: Path, type: str, extra: bytes, number: int
) -> None:
    net = binary_layer(tmp_path, type, extra)
    with pytest.raises(UnsupportedError) as caught:
        net.require_supported()
    assert str(caught.value) == (
        f"{tmp_path}/net.caffemodel: layer 'x' ({type}): field {number} of LayerParameter is not known in a binary net\n"
        "  expected: a field that is known and used\n"
        "  fix: give the prototxt as well: it names the fields, whose numbers forks reuse"
    )


def test_parameters_of_bvlc_and_ssd_layers_are_read_from_a_binary_net(tmp_path: Path) -> None:
    net = binary_layer(tmp_path, "Permute", b"\xd2\x0c\x08\x08\x00\x08\x02\x08\x03\x08\x01")
    assert net.shapes()["x"] == (2, 5, 5, 3)


def test_an_hdf5_file_alone_is_no_net() -> None:
    pytest.importorskip("h5py")
    with pytest.raises(ParseError) as caught:
        netsurgery.load(NETS / "weights_in_hdf5" / "net.caffemodel.h5")
    assert "is an HDF5 file, which holds weights only\n  fix: give the prototxt as well" in str(caught.value)


# Inputs of undeclared shape

CHANNELS = 'input: "data"\n' + conv("a", "data")


def test_input_shapes_declare_what_the_file_does_not() -> None:
    net = from_text(CHANNELS, input_shapes={"data": (1, 3, 9, 9)})
    assert dict(net.inputs) == {"data": (1, 3, 9, 9)}
    assert from_text(INPUT, input_shapes={"data": (1, 3, 9, 9)}).inputs["data"] == (2, 3, 5, 5)
    assert from_text(CHANNELS, input_shapes={"data": (1, 3, "H", "W")}).inputs["data"] is None


def test_a_shape_for_an_input_that_there_is_not_is_refused() -> None:
    assert error_of(ShapeError, CHANNELS, input_shapes={"dta": (1, 3, 9, 9)}) == (
        "net.prototxt:1: the net has no input 'dta'\n  expected: one of: data\n  fix: did you mean 'data'?"
    )


def test_a_net_whose_input_has_no_shape_is_loaded_and_exported_with_one(tmp_path: Path) -> None:
    net = from_text(CHANNELS, "n", caffemodel(tmp_path / "w", [("a", [W, B])]))
    assert net["a"].weights[0].shape == (4, 3, 3, 3)
    with pytest.raises(ShapeError) as caught:
        netsurgery.to_onnx(net)
    assert "fix: --input-shape data=1,3,224,224" in str(caught.value)
    (made,) = netsurgery.to_onnx(net, input_shapes={"data": (1, 3, "H", "W")}).graph.input
    dims = made.type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == [1, 3, "H", "W"]


def test_a_size_that_a_layer_ties_down_must_be_declared(tmp_path: Path) -> None:
    ip = 'layer { name: "ip" type: "InnerProduct" bottom: "a" top: "ip" inner_product_param { num_output: 4 } }\n'
    file = caffemodel(tmp_path / "w", [("a", [W, B]), ("ip", [numbers(4, 196), B])])
    net = from_text(CHANNELS + ip, "n", file)
    with pytest.raises(ShapeError) as caught:
        netsurgery.to_onnx(net, input_shapes={"data": (1, 3, "H", "W")})
    assert str(caught.value) == (
        "n:3: layer 'ip' (InnerProduct): axis 2 of input 'data' has no declared size, and decides a size of its blobs\n"
        "  expected: a number for that axis: the layer ties it down\n"
        "  fix: --input-shape data=1,3,224,224"
    )
    (made,) = netsurgery.to_onnx(net, input_shapes={"data": ("N", 3, 9, 9)}).graph.input
    assert [d.dim_param or d.dim_value for d in made.type.tensor_type.shape.dim] == ["N", 3, 9, 9]


# Files that are something else


def test_swapped_files_are_named_so() -> None:
    case = NETS / "lenet"
    with pytest.raises(ParseError) as caught:
        netsurgery.load(case / "net.caffemodel", case / "net.prototxt")
    assert str(caught.value) == (
        f"{case}/net.caffemodel: this looks like a binary caffemodel; were the two files swapped?\n"
        "  expected: a prototxt: protobuf text\n"
        "  fix: give the prototxt first, then the caffemodel"
    )


def test_a_prototxt_as_weights_is_named_so() -> None:
    case = NETS / "lenet"
    with pytest.raises(WeightsError, match="this looks like a prototxt"):
        netsurgery.load(case / "net.prototxt", case / "net.prototxt")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer, not the model"),
        (b"<!DOCTYPE html>\n<html></html>", "is a web page, not a model"),
        (b"PK\x03\x04\x14\x00\x00\x00", "is a zip archive (or a PyTorch model)"),
        (b"\xff\xfel\x00a\x00y\x00", "the text is UTF-16"),
        (b"\x08\x07\x12\x07pytorch\x00\x01", "this looks like an ONNX model"),
    ],
)
def test_files_that_are_something_else_are_called_by_their_names(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "net"
    file.write_bytes(content)
    with pytest.raises(NetsurgeryError) as caught:
        netsurgery.load(file)
    assert said in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_truncated_caffemodel_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "cut.caffemodel"
    file.write_bytes((NETS / "lenet" / "net.caffemodel").read_bytes()[:20000])
    for arguments in ((NETS / "lenet" / "net.prototxt", file), (file,)):
        with pytest.raises(WeightsError) as caught:
            netsurgery.load(*arguments)
        assert str(caught.value).startswith(f"{file}: layer 'ip1'")


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "none", "cannot be read: No such file or directory"),
        (tmp_path, "this is a folder"),
    ):
        with pytest.raises(NetsurgeryError) as caught:
            netsurgery.load(path)
        assert str(caught.value) == f"{path}: {said}\n  expected: a prototxt file"


def test_a_template_is_filled_by_settings(tmp_path: Path) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text(
        'input: "data" input_dim: 1 input_dim: 3 input_dim: {height} input_dim: {width}\n' + relu("r", "data", "y")
    )
    with pytest.raises(ParseError) as caught:
        netsurgery.load(file)
    assert "'height', 'width' are not filled in" in str(caught.value)
    assert netsurgery.load(file, settings={"height": "7", "width": "9"}).inputs["data"] == (1, 3, 7, 9)
    with pytest.raises(ParseError, match="there is no placeholder 'high'"):
        netsurgery.load(NETS / "lenet" / "net.caffemodel", settings={"high": "7"})


# What it came from


def test_a_net_says_what_it_was_read_from() -> None:
    from netsurgery.summary import summarize

    double = NETS / "weights_as_double"
    net = netsurgery.load(double / "net.prototxt", double / "net.caffemodel")
    assert summarize(net)["origin"] == {
        "vintage": "V2",
        "binary": False,
        "weights_vintage": "V2",
        "weights_precision": ["float64"],
        "fork_fields": {},
    }
    pools = from_text(
        INPUT
        + 'layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { kernel_size: 2 ceil_mode: false } }'
    )
    assert summarize(pools)["origin"]["fork_fields"] == {"pooling_param.ceil_mode": ["p"]}


def test_blobs_named_inside_the_inner_layer_of_a_v0_net_are_refused() -> None:
    text = 'input: "data"\nlayers {\n  layer { name: "r" type: "relu" bottom: "data" }\n  top: "r"\n}'
    assert error_of(ParseError, text) == (
        "net.prototxt:3: layer 'r' (relu): bottom stands inside the inner layer\n"
        '  expected: beside it: layers { layer { ... } bottom: "x" top: "y" }'
    )


def hdf5(path: Path, layers: dict[str, dict[int, np.ndarray]]) -> Path:
    """A snapshot as Caffe writes it: a parameter that another layer owns is not stored again."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        for name, blobs in layers.items():
            group = data.create_group(name)
            for index, array in blobs.items():
                group[str(index)] = array
    return path


def test_hdf5_weights_leave_out_what_another_layer_owns(tmp_path: Path) -> None:
    net = from_text(SHARED, "n", hdf5(tmp_path / "w.h5", {"a": {0: W, 1: B}, "b": {}}))
    assert net["a"].weights[0] is net["b"].weights[0]
    assert np.array_equal(net["b"].weights[1], B)
    half = SHARED.replace('param { name: "w" } param { name: "b" } }\nlayer', 'param { name: "w" } }\nlayer')
    net = from_text(half, "n", hdf5(tmp_path / "half.h5", {"a": {0: W, 1: B}, "b": {1: B + 1}}))
    assert net["a"].weights[0] is net["b"].weights[0]
    assert np.array_equal(net["b"].weights[1], B + 1)


def test_hdf5_weights_that_lack_a_blob_are_refused(tmp_path: Path) -> None:
    file = hdf5(tmp_path / "w.h5", {"a": {0: W}})
    assert error_of(WeightsError, INPUT + conv("a", "data"), file) == (
        f"net.prototxt:2: layer 'a' (Convolution): has no blob 1 in {file}\n"
        "  expected: blobs of shapes 4x3x3x3, 4 under the layer's name\n"
        "  fix: give the weights that belong to this prototxt (layers are matched by name), or --initialize-missing to fill what is "
        "missing as its fillers say"
    )


INLINE = "blobs { shape { dim: 4 dim: 3 dim: 1 dim: 1 } " + " ".join(f"data: {n}" for n in range(12)) + " }"


def test_weights_in_the_prototxt_itself_count_and_a_file_replaces_them(tmp_path: Path) -> None:
    point = "kernel_size: 1 bias_term: false"
    text = (INPUT + conv("a", "data", point, INLINE) + conv("b", "data")).replace(
        "kernel_size: 3 kernel_size: 1", "kernel_size: 1"
    )
    net = from_text(text)
    assert np.array_equal(net["a"].weights[0], np.arange(12, dtype=np.float32).reshape(4, 3, 1, 1))
    assert net["b"].weights == ()
    with pytest.raises(WeightsError, match="layer 'b'"):
        from_text(text, "n", caffemodel(tmp_path / "a", [("a", [numbers(4, 3, 1, 1)])]))
    only_b = from_text(text, "n", caffemodel(tmp_path / "b", [("b", [W, B])]))
    assert only_b["a"].weights[0].sum() == 66
    both = from_text(text, "n", caffemodel(tmp_path / "w", [("b", [W, B]), ("a", [W[:, :, :1, :1]])]))
    assert np.array_equal(both["a"].weights[0], W[:, :, :1, :1])
    legacy = INLINE.replace("shape { dim: 4 dim: 3 dim: 1 dim: 1 }", "num: 4 channels: 3 height: 1 width: 1")
    assert from_text(text.replace(INLINE, legacy))["a"].weights[0].shape == (4, 3, 1, 1)


def test_values_that_do_not_fit_their_shape_are_refused() -> None:
    text = INPUT + conv("a", "data", "", INLINE.replace("data: 5 ", ""))
    assert error_of(WeightsError, text) == (
        "net.prototxt:2: layer 'a' (Convolution): blob 0 of shape 4x3x1x1 holds 11 values\n"
        "  expected: as many values as the shape says, in data or double_data"
    )
