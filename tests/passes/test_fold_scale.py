"""Layers that move, cut, spread and count numbers: sizes, axes and refusals that the cases of fixtures/ lack."""

from __future__ import annotations

import cases
import numpy as np
import pytest
from folding import LINEAR, behind, nodes, np_blobs
from losses import compute, net_of, normal
from one_layer import agree, make, numbers, one, refusal

import netsurgery
from netsurgery.errors import UnsupportedError


def test_a_scale_folds_into_a_grouped_deconvolution() -> None:
    params = "convolution_param { num_output: 6 kernel_size: 2 group: 2 bias_term: false }"
    scale = 'layer { name: "s" type: "Scale" bottom: "y" top: "s" scale_param { bias_term: true } }'
    net = make(one("Deconvolution", params) + scale, [numbers(4, 3, 2, 2)], x=(1, 4, 3, 3))
    net = net.with_weights("s", numbers(6), numbers(6))
    model = netsurgery.to_onnx(net)
    assert [node.op_type for node in model.graph.node] == ["ConvTranspose"]
    agree(net, {"x": numbers(2, 4, 5, 3)})


def test_enets_dropout_scales_and_folds() -> None:
    module = "module: 'spatial_dropout' layer: 'SpatialDropoutLayer'"
    conv = one("Convolution", "convolution_param { num_output: 2 kernel_size: 1 }", tops=("c",)).replace('"y"', '"c"')
    drop = one("Python", f"python_param {{ {module} param_str: \"{{'phase': 'TEST', 'p': '0.2'}}\" }}", ("c",))
    net = make(conv + drop, [numbers(2, 3, 1, 1), numbers(2)], "c", x=(1, 3, 4, 4))
    assert [node.op_type for node in netsurgery.to_onnx(net).graph.node] == ["Conv"]
    (got,) = agree(net, {"x": numbers(2, 3, 5, 4)})
    np.testing.assert_allclose(got["y"], got["c"] * 1.25, rtol=1e-6)
    for settings, problem in [
        ("'phase': 'TRAIN', 'p': 0.2", "phase TRAIN in param_str: it drops channels at random"),
        ("'phase': 'TEST'", "p is not set in param_str\n  expected: a number between 0 and 1"),
        ("'phase': 'TEST', 'p': 1", "p is 1 in param_str\n  expected: a number between 0 and 1"),
    ]:
        net = make(one("Python", f'python_param {{ {module} param_str: "{settings}" }}'), x=(1, 3, 4, 4))
        assert problem in refusal(net.require_supported, UnsupportedError)


@pytest.mark.parametrize(
    ("power", "pad", "kinds"),
    [
        ("scale: 0.0078125", 1, ["Conv"]),
        ("scale: 0.0078125 shift: -1", 0, ["Conv"]),
        ("scale: 0.0078125 shift: -1", 1, ["Mul", "Add", "Conv"]),  # what is padded is zero, not -1
        ("scale: 2 power: 3", 0, ["Mul", "Pow", "Conv"]),
        ("scale: 0 shift: 2", 0, ["Shape", "Expand", "Conv"]),
    ],
)
def test_what_a_power_does_to_the_pixels_is_folded_where_it_is_exact(power: str, pad: int, kinds: list[str]) -> None:
    conv = one("Convolution", f"convolution_param {{ num_output: 4 kernel_size: 3 pad: {pad} }}", ("p",))
    net = make(
        f'layer {{ name: "p" type: "Power" bottom: "x" top: "p" power_param {{ {power} }} }}' + conv,
        [numbers(4, 3, 3, 3), numbers(4)],
        x=(1, 3, 8, 9),
    )
    model = netsurgery.to_onnx(net)
    assert [node.op_type for node in model.graph.node] == kinds
    for x in (100 * numbers(1, 3, 8, 9), 100 * numbers(2, 3, 6, 5)):  # sums of large numbers may nearly cancel
        exact = netsurgery.run(net, {"x": x}, dtype=np.float64)["y"]
        (got,) = cases.session(model.SerializeToString()).run(None, {"x": x})
        assert np.abs(got - exact).max() <= 2e-6 * np.abs(exact).max()


@pytest.mark.parametrize("linear", LINEAR)
@pytest.mark.parametrize(
    "layers",
    [
        ["BatchNorm", "Scale scale_param { bias_term: true }"],
        ["BatchNorm batch_norm_param { eps: 0.5 }"],
        ["Scale", "Bias"],
        ["Scale scale_param { axis: -1 num_axes: 0 }", "Bias bias_param { num_axes: 0 }"],
        ["Power power_param { scale: 0.5 shift: -2 }"],
    ],
)
def test_what_scales_channels_is_folded(linear: str, layers: list[str]) -> None:
    net = behind(linear, *layers)
    x = {"x": numbers(*LINEAR[linear][1])}
    ours = netsurgery.run(net, x, dtype=np.float64)["h"]
    assert len(nodes(net)) == 1 + (linear == "InnerProduct")  # flattened before
    assert len(nodes(net, fold=False)) > len(nodes(net))
    for fold in (True, False):
        session = cases.session(netsurgery.to_onnx(net, fold=fold).SerializeToString())
        (got,) = session.run(None, x)
        np.testing.assert_allclose(got, ours, rtol=1e-5, atol=1e-5 * np.abs(ours).max())


@pytest.mark.parametrize(
    ("linear", "layer"),
    [
        ("Convolution", "Scale scale_param { axis: 2 }"),
        ("Convolution", "Scale scale_param { axis: 0 }"),
        ("Convolution", "Scale scale_param { num_axes: 2 }"),
        ("Deconvolution", "Bias bias_param { axis: -1 }"),
        ("InnerProduct", "Scale scale_param { axis: 0 num_axes: -1 }"),
        ("InnerProduct", "BatchNorm batch_norm_param { use_global_stats: false }"),
        ("Convolution", "PReLU"),
    ],
)
def test_what_does_not_scale_channels_is_not_folded(linear: str, layer: str) -> None:
    net = behind(linear, layer)
    assert nodes(net) == nodes(net, fold=False)
    agree(net, {"x": numbers(*LINEAR[linear][1])})


def test_a_blob_that_others_read_is_not_folded_away() -> None:
    net = behind("Convolution", "Scale")
    assert nodes(net, outputs=["h@linear", "h"]) == ["Conv", "Mul"]
    assert nodes(net, outputs=["h"]) == ["Conv"]


@pytest.mark.parametrize("fields", ["bn_param { bn_mode: INFERENCE }", ""])
def test_bn_becomes_part_of_a_depthwise_convolution(fields: str) -> None:
    blobs = [normal(1, 3, 1, 1) for _ in range(2 if fields else 4)]
    if not fields:
        blobs[3] = np.abs(blobs[3])
    net = net_of(
        'layer { name: "c" type: "ConvolutionDepthwise" bottom: "x" top: "y" convolution_param { kernel_size: 2 bias_term: false } }'
        f'layer {{ name: "b" type: "BN" bottom: "y" top: "y" {fields} }}',
        {"x": (1, 3, 4, 5)},
        {"c": [normal(3, 1, 2, 2)], "b": blobs},
    )
    assert [node.op_type for node in netsurgery.to_onnx(net).graph.node] == ["Conv"]
    compute(net, x=normal(2, 3, 6, 5))


@pytest.mark.parametrize(
    ("layers", "operators"),
    [
        (["Scale scale_param { bias_term: true }"], ["BatchNormalization", "Relu"]),
        (["Scale"], ["BatchNormalization", "Relu"]),
        (["Scale", "Scale scale_param { bias_term: true }"], ["BatchNormalization", "Relu"]),
        (["Convolution convolution_param { num_output: 2 kernel_size: 3 }"], ["Conv", "Relu"]),
        (
            ["Convolution convolution_param { num_output: 2 kernel_size: 3 pad: 1 }"],
            ["BatchNormalization", "Conv", "Relu"],
        ),
        (["Scale scale_param { axis: 2 }"], ["BatchNormalization", "Mul", "Relu"]),
    ],
)
def test_a_layer_that_scales_channels_becomes_part_of_what_is_behind(layers: list[str], operators: list[str]) -> None:
    text, top = "", "x"
    for i, layer in enumerate(["BatchNorm", *layers, "ReLU"]):
        kind, _, params = layer.partition(" ")
        text += f'layer {{ name: "{i}" type: "{kind}" bottom: "{top}" top: "{i}" {params} }}\n'
        top = str(i)
    net = make(text, x=(2, 4, 5, 6))
    for layer in net.layers[1:]:
        blobs = [np.abs(numbers(*blob.shape)) + np.float32(0.5) for blob in np_blobs(layer, net)]
        net = net.with_weights(layer.name, *blobs) if blobs else net
    assert nodes(net) == operators
    agree(net, {"x": numbers(2, 4, 5, 6)}, {"x": numbers(1, 4, 5, 6)})
