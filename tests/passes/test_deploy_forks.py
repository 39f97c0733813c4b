"""What forks leave in nets for training, and what deploy does about it."""

from __future__ import annotations

import pytest

import netsurgery
from netsurgery.formats.load import from_text
from netsurgery.passes.deploy import deploy

DATA = """layer { name: "data" type: "Data" top: "data" top: "label"
  transform_param { crop_size: 8 mean_value: 1 mean_value: 2 mean_value: 3 } data_param { source: "test" batch_size: 4 } }
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param { num_output: 5 } }
"""
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "%s" bottom: "label" top: "loss" }\n'


def deployed(text: str) -> netsurgery.Net:
    net = deploy(from_text(DATA + text))
    net.require_supported()
    return net


@pytest.mark.parametrize("type", ["DiceCoefLoss", "EuclideanLoss2", "SegAccuracy", "MatWrite", "CosinAddm", "Unheard"])
def test_a_layer_of_unknown_type_that_looks_at_labels_goes_where_nobody_reads_it(type: str) -> None:
    net = deployed(f'layer {{ name: "odd" type: "{type}" bottom: "fc" bottom: "label" top: "odd" }}')
    assert net.outputs == ("fc",)
    assert any("layer 'odd'" in note and "left out: it scores" in note for note in net.notes)


def test_a_layer_of_unknown_type_in_front_of_a_loss_goes_with_it() -> None:
    odd = 'layer { name: "odd" type: "CosinAddm" bottom: "fc" bottom: "label" top: "odd" }\n'
    net = deployed(odd + LOSS % "odd")
    assert net.outputs == ("fc",)
    assert tuple(net.inputs) == ("data",)


@pytest.mark.parametrize("top", ["fc", "fc_margin"])
def test_scores_moved_by_labels_are_plain_scores(top: str) -> None:
    add = f'layer {{ name: "add" type: "LabelSpecificAdd" bottom: "fc" bottom: "label" top: "{top}" }}\n'
    net = deployed(add + LOSS % top)
    assert [layer.type for layer in net.layers] == ["Input", "InnerProduct", "Softmax"]
    assert net.outputs == ("prob",)
    assert any("in testing it copies" in note for note in net.notes)


def test_silence_keeps_what_remains() -> None:
    net = deployed('layer { name: "quiet" type: "Silence" bottom: "fc" bottom: "label" }\n' + LOSS % "fc")
    assert tuple(net.inputs) == ("data",)
    net = deployed('layer { name: "quiet" type: "Silence" bottom: "label" }\n' + LOSS % "fc")
    assert "quiet" not in net
