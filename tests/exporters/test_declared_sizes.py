"""The sizes that a net declares go together, or it is refused: also where axes are free and no weights say anything."""

from __future__ import annotations

import cases
import numpy as np
import pytest

import netsurgery
from netsurgery.errors import ShapeError
from netsurgery.formats.load import from_text

HALF = 'layer { name: "half" type: "Pooling" bottom: "data" top: "half" pooling_param { kernel_size: 2 stride: 2 } }\n'
MEAN = 'layer { name: "mean" type: "Pooling" bottom: "data" top: "mean" pooling_param { pool: AVE global_pooling: true } }\n'


def image(*shape: int) -> str:
    dims = " ".join(f"dim: {n}" for n in shape)
    return f'layer {{ name: "in" type: "Input" top: "data" input_param {{ shape {{ {dims} }} }} }}\n'


def one(type: str, params: str = "", bottoms: str = 'bottom: "data"') -> str:
    return f'layer {{ name: "y" type: "{type}" {bottoms} top: "y" {params} }}'


BOTH = 'bottom: "data" bottom: "half"'
MISFITS = {
    "axis 2 of bottom 2: 1": image(2, 4, 9, 9)
    + MEAN
    + one("Eltwise", "eltwise_param { operation: PROD }", 'bottom: "data" bottom: "mean"'),
    "axis 2 of bottom 2: 5": image(1, 4, 9, 9) + HALF + one("Eltwise", "", BOTH),
    "axis 2: 5 from 7 on, out of 9": image(1, 4, 9, 9) + HALF + one("Crop", "crop_param { axis: 2 offset: 7 }", BOTH),
    "axis 2 of a bottom: 5": image(1, 4, 9, 9) + HALF + one("Concat", "", BOTH),
    "the kernel spans 7, the padded bottom 4": image(1, 4, 4, 4) + one("Pooling", "pooling_param { kernel_size: 7 }"),
    "a size of 3 does not fill 4 bins: kernel 1, pad 1": image(1, 4, 3, 3)
    + one("SPP", "spp_param { pyramid_height: 4 }"),
    "axis 2 of the second bottom: 1": image(2, 4, 9, 9)
    + MEAN
    + one("Scale", "scale_param { axis: 0 }", 'bottom: "data" bottom: "mean"'),
    "192 numbers do not fill shape (0, 5, -1)": image(1, 3, 8, 8)
    + one("Reshape", "reshape_param { shape { dim: 0 dim: 5 dim: -1 } }"),
    "axis 1: 3": image(1, 3, 8, 8)
    + 'layer { name: "s" type: "Slice" bottom: "data" top: "a" top: "b" }',
}  # fmt: skip


@pytest.mark.parametrize("problem", MISFITS)
def test_sizes_that_do_not_go_together_are_refused(problem: str) -> None:
    net = from_text(MISFITS[problem])
    with pytest.raises(ShapeError) as refused:
        netsurgery.to_onnx(net)
    assert refused.value.problem == problem


def test_other_sizes_than_declared_may_be_asked_for() -> None:
    net = from_text(MISFITS["the kernel spans 7, the padded bottom 4"])
    model = netsurgery.to_onnx(net, input_shapes={"data": (1, 4, 9, 9)})
    assert cases.session(model.SerializeToString()).get_outputs()[0].shape == [1, 4, 3, 3]


def test_a_crop_beyond_its_bottom_fails_when_the_model_runs() -> None:
    """Slice gives less where there is less; Caffe aborts."""
    up = 'layer { name: "up" type: "Deconvolution" bottom: "half" top: "up" convolution_param { num_output: 2 kernel_size: 2 stride: 2 } }'
    floor = HALF.replace("stride: 2", "stride: 2 ceil_mode: false")
    crop = one("Crop", "crop_param { axis: 2 }", 'bottom: "up" bottom: "data"')
    net = netsurgery.initialize(from_text(image(1, 2, 8, 8) + floor + up + crop), 0, "random")
    session = cases.session(netsurgery.to_onnx(net).SerializeToString())
    x = np.zeros((1, 2, 10, 12), np.float32)
    assert session.run(["y"], {"data": x})[0].shape == (1, 2, 10, 12)
    with pytest.raises(Exception, match="Reshape"):
        session.run(["y"], {"data": x[:, :, :9]})
    with pytest.raises(ShapeError):
        netsurgery.run(net, {"data": x[:, :, :9]})


def test_an_axis_is_named_after_the_axis_that_it_equals() -> None:
    """...whose blob may have more axes."""
    from netsurgery.exporters.convert import input_axes

    net = from_text(
        image(1, 3, 8, 8)
        + 'layer { name: "w" type: "Input" top: "w" input_param { shape { dim: 3 } } }'
        + one("Scale", "scale_param { axis: 1 }", 'bottom: "data" bottom: "w"')
    )
    axes = [axis.size for axis in input_axes(net) if axis.input == "w"]
    session = cases.session(netsurgery.to_onnx(net).SerializeToString())
    assert axes == ["data_c"] == {x.name: x.shape for x in session.get_inputs()}["w"]


def test_what_stands_behind_an_exception_to_a_size_is_exported() -> None:
    """Caffe gives a kernel that reaches past the padding one position, where its formula gives none: blobs behind it fit that one."""
    kernel = "convolution_param { num_output: 8 kernel_size: 3 stride: 2 }"
    behind = 'layer { name: "fc" type: "InnerProduct" bottom: "y" top: "fc" inner_product_param { num_output: 5 } }'
    net = netsurgery.initialize(from_text(image(2, 8, 4, 2) + one("Convolution", kernel) + "\n" + behind), 0, "random")
    model = netsurgery.to_onnx(net)
    feed = {"data": np.random.default_rng(0).normal(0, 1, (3, 8, 4, 2)).astype(np.float32)}
    (got,) = cases.session(model.SerializeToString()).run(None, feed)
    assert not cases.difference(got, netsurgery.run(net, feed)["fc"])
    assert model.graph.input[0].type.tensor_type.shape.dim[3].dim_value == 2
