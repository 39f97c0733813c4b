"""Names that are like another are not suggested for it; spellings and slips are."""

from __future__ import annotations

import pytest

import netsurgery
from netsurgery.errors import NetsurgeryError
from netsurgery.formats.load import from_text
from netsurgery.layers import names
from netsurgery.layers.core.suggest import meant

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'
KNOWN = [
    "ReLU",
    "ELU",
    "PReLU",
    "Convolution",
    "Deconvolution",
    "Swish",
    "Crop",
    "ROIPooling",
    "Pooling",
    "LSTM",
    "Softmax",
]
KNOWN += ["InnerProduct", "SoftmaxWithLoss", "Eltwise", "BatchNorm", "Slice", "Scale"]


@pytest.mark.parametrize(
    "word",
    ["LeakyReLU", "HardSwish", "AutoCrop", "ROIAlign", "DeformableConvolution", "Unpooling", "BiLSTM", "SReLU", "Pooling3D"]
    + ["CReLU", "Conv3D", "GroupConvolution", "Softmin", "Log", "Splice2"],
)  # fmt: skip
def test_another_layer_is_not_suggested(word: str) -> None:
    assert meant(word, KNOWN) is None


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("RELU", "ReLU"),
        ("convolution", "Convolution"),
        ("INNER_PRODUCT", "InnerProduct"),
        ("inner_product", "InnerProduct"),
        ("SOFTMAX_LOSS", "SoftmaxWithLoss"),
        ("Conv", "Convolution"),
        ("Convolutoin", "Convolution"),
        ("InnerPorduct", "InnerProduct"),
        ("Eltwsie", "Eltwise"),
        ("Poolin", "Pooling"),
        ("Softmx", "Softmax"),
    ],
)
def test_spellings_and_slips_are(word: str, name: str) -> None:
    assert meant(word, KNOWN) == name
    assert name in names(), "what is suggested is there"


def test_another_value_is_not_suggested() -> None:
    assert meant("SUB", ["SUM", "PROD", "MAX"]) is None
    assert meant("max", ["MAX", "AVE"]) == "MAX"
    assert meant("FAN_UOT", ["FAN_IN", "FAN_OUT", "AVERAGE"]) == "FAN_OUT"


@pytest.mark.parametrize("type", ["CONVOLUTION", '"CONVOLUTION"', '"convolution"', '"Convolutoin"'])
def test_the_advice_of_a_type_works(type: str) -> None:
    text = (
        INPUT
        + f'layer {{ name: "c" type: {type} bottom: "x" top: "y" convolution_param {{ num_output: 2 kernel_size: 3 }} }}'
    )
    with pytest.raises(NetsurgeryError) as refused:
        from_text(text).require_supported()
    assert "Convolution" in str(refused.value).split("fix: ")[1]
    assert from_text(text.replace(type, '"Convolution"')).shapes()["y"] == (1, 2, 6, 6)


@pytest.mark.parametrize(
    ("layer", "field"),
    [
        ('type: "Pooling" bottom: "x" top: "y" pooling_param { kernel_size: 2 pool: %s }', "pool"),
        ('type: "Eltwise" bottom: "x" bottom: "x" top: "y" eltwise_param { operation: %s }', "operation"),
    ],
)
def test_what_is_expected_is_accepted(layer: str, field: str) -> None:
    with pytest.raises(NetsurgeryError) as refused:
        from_text(INPUT + f'layer {{ name: "l" {layer % "OTHER"} }}')
    listed = str(refused.value).split("expected: one of: ")[1].split("\n")[0].split(", ")
    assert len(listed) > 1, field
    for word in listed:
        netsurgery.to_onnx(from_text(INPUT + f'layer {{ name: "l" {layer % word} }}'))
