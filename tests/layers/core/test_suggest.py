"""Names that are like another are not suggested for it; spellings and slips are."""

from __future__ import annotations

import numpy as np
import pytest

import netsurgery
from netsurgery import _proto
from netsurgery.errors import NetsurgeryError
from netsurgery.formats.load import from_text
from netsurgery.layers import names
from netsurgery.layers.core.suggest import meant, meant_field

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
        netsurgery.run(from_text(INPUT + f'layer {{ name: "l" {layer % word} }}'), {"x": np.ones((1, 3, 8, 8))})


ENUMS = {
    "Pooling": ("pooling_param", "kernel_size: 2", "pool"),
    "SPP": ("spp_param", "pyramid_height: 2", "pool"),
    "Reduction": ("reduction_param", "", "operation"),
    "Eltwise": ("eltwise_param", "", "operation"),
}


@pytest.mark.parametrize("type", ENUMS)
def test_each_word_of_an_enum_is_taken_or_refused(type: str) -> None:
    """...never a fault of ours, nor another operation."""
    param, rest, field = ENUMS[type]
    enum = _proto.message(_proto.message("LayerParameter")[param].type)[field].type
    bottoms = 'bottom: "x" ' * (1 + (type == "Eltwise"))
    refused = 0
    for word in _proto.enum(enum):
        net = from_text(
            INPUT + f'layer {{ name: "l" type: "{type}" {bottoms} top: "y" {param} {{ {rest} {field}: {word} }} }}'
        )
        try:
            net.require_supported()
        except NetsurgeryError as error:
            assert f"{field} is {word}" in str(error)
            refused += 1
            continue
        netsurgery.to_onnx(net)
    assert 0 < refused < len(_proto.enum(enum))


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("num_ouput", "num_output"),
        ("numoutput", "num_output"),
        ("bias_trem", "bias_term"),
        ("kernel", "kernel_size"),
        ("bias", "bias_term"),
        ("kernel_d", None),
        ("pad_d", None),
        ("stride_t", None),
        ("mix_size", None),
        ("slice_axis", None),
        ("positive_slope", None),
    ],
)
def test_a_field_is_suggested_only_for_a_slip(word: str, name: str | None) -> None:
    fields = [
        *_proto.message("ConvolutionParameter"),
        *_proto.message("PriorBoxParameter"),
        *_proto.message("SliceParameter"),
        *_proto.message("ReLUParameter"),
    ]
    assert meant_field(word, fields, _proto.words()) == name


def test_the_advice_of_a_field_works() -> None:
    text = INPUT + (
        'layer { name: "c" type: "Convolution" bottom: "x" top: "y" conv_param { num_output: 2 kernel_size: 3 %s: 1 } }'
    )
    for word, fix in (("stride", "did you mean 'convolution_param'?"), ("pad_d", "--ignore-unknown passes over")):
        with pytest.raises(NetsurgeryError) as refused:
            from_text(
                text.replace("conv_param", "convolution_param") % word if word == "pad_d" else text % word
            ).require_supported()
        assert fix in str(refused.value)
    assert from_text(text.replace("conv_param", "convolution_param") % "stride").shapes()["y"] == (1, 2, 6, 6)
    assert from_text(text.replace("conv_param", "convolution_param") % "pad_d", ignore_unknown=True).shapes()["y"] == (
        1,
        2,
        6,
        6,
    )


@pytest.mark.parametrize(("word", "fix"), [("4", '"Convolution"'), ("RELU", '"ReLU"'), ("FOO", ""), ("99999", "")])
def test_a_type_without_quotes_is_told_where_it_is_one(word: str, fix: str) -> None:
    with pytest.raises(NetsurgeryError) as refused:
        from_text(INPUT + f'layer {{ name: "c" type: {word} bottom: "x" top: "y" }}')
    assert refused.value.fix == (fix and f"type: {fix}")
