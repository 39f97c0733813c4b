"""Files to nets: names, phases, weights by Caffe's rules, and what is said when they do not fit."""

from __future__ import annotations

import pytest
from loading import INPUT, conv, error_of, relu

from netsurgery import NetsurgeryError, ParseError, UnsupportedError
from netsurgery.errors import UnsupportedLayersError
from netsurgery.formats.load import from_text
from netsurgery.net import Net


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
        "  fix: phase is TEST, level 0, stages []: bring them back: --phase TRAIN"
    )


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
