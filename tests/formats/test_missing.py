"""What a net lacks is said with what brings it, and that works."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import netsurgery
from netsurgery.errors import NetsurgeryError, WeightsError
from netsurgery.formats.load import from_text
from netsurgery.passes.transplant import transplant

INPUT = 'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'
CONV = 'layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 2 kernel_size: 3 } }\n'
POOL = 'layer { name: "p" type: "Pooling" bottom: "c" top: "p" pooling_param { kernel_size: 2 stride: 2 } }\n'
FC = 'layer { name: "f" type: "InnerProduct" bottom: "p" top: "f" inner_product_param { num_output: 4 } }\n'


def test_a_rule_that_took_the_writer_is_named() -> None:
    text = INPUT.replace("input_param", 'include { stage: "fit" } input_param') + CONV
    with pytest.raises(NetsurgeryError) as refused:
        from_text(text)
    assert str(refused.value) == (
        "<text>:2: layer 'c' (Convolution): bottom 'data' has lost its writer: layer 'in' (Input) is left out by"
        " include { stage: fit }\n"
        "  expected: a net that is whole in phase TEST, level 0, stages []\n"
        "  fix: bring it back: --stage fit; or give 'data' as an input: --input-shape data=1,3,224,224"
    )
    assert from_text(text, stages=["fit"]).outputs == ("c",)
    assert from_text(text, input_shapes={"data": (1, 3, 224, 224)}).outputs == ("c",)


@pytest.mark.parametrize(
    ("rule", "fix", "options"),
    [("phase: TRAIN", "--phase TRAIN", {"phase": "TRAIN"}), ("min_level: 2", "--level 2", {"level": 2})],
)
def test_phases_and_levels_are_advised_too(rule: str, fix: str, options: dict[str, int | str]) -> None:
    text = INPUT.replace("input_param", f"include {{ {rule} }} input_param") + CONV
    with pytest.raises(NetsurgeryError) as refused:
        from_text(text)
    assert f"bring it back: {fix};" in str(refused.value)
    assert from_text(text, **options).outputs == ("c",)  # type: ignore[arg-type]


def test_a_solver_is_told_for_what_it_is() -> None:
    with pytest.raises(NetsurgeryError) as refused:
        from_text('net: "train_val.prototxt"\nbase_lr: 0.01\nmax_iter: 100\nsolver_mode: GPU\n', "solver.prototxt")
    assert str(refused.value) == (
        "solver.prototxt:1: this is a solver, which says how a net is trained\n"
        "  expected: a net: layer { ... }\n"
        "  fix: give the net that it names: train_val.prototxt"
    )


def test_operations_in_another_order_work() -> None:
    net = netsurgery.initialize(from_text(INPUT + CONV + POOL + FC), 0, "random")
    with pytest.raises(WeightsError) as refused:
        netsurgery.convolutionalize(net.without("p"))
    assert "--fully-convolutional first" in str(refused.value)
    assert netsurgery.convolutionalize(net).without("p").shapes()["f"] == (1, 4, 4, 4)


def test_a_larger_image_is_told_of_surgery() -> None:
    net = netsurgery.initialize(from_text(INPUT + CONV + POOL + FC), 0, "random")
    larger = (1, 3, 16, 16)
    for use in (
        lambda n: netsurgery.run(n, {"data": np.zeros(larger, np.float32)}),
        lambda n: netsurgery.to_onnx(n, input_shapes={"data": larger}),
    ):
        with pytest.raises(WeightsError, match="make the net fully convolutional"):
            use(net)
        use(netsurgery.convolutionalize(net))


def test_weights_of_the_other_form_are_transplanted(tmp_path: Path) -> None:
    net = netsurgery.initialize(from_text(INPUT + CONV + POOL + FC), 0, "random")
    netsurgery.save_caffe(net, tmp_path / "fc.prototxt", tmp_path / "fc.caffemodel")
    netsurgery.save_caffe(netsurgery.convolutionalize(net), tmp_path / "conv.prototxt", tmp_path / "conv.caffemodel")
    with pytest.raises(WeightsError, match=r"--transplant WEIGHTS\.caffemodel"):
        netsurgery.load(tmp_path / "conv.prototxt", tmp_path / "fc.caffemodel")
    made = transplant(netsurgery.load(tmp_path / "conv.prototxt"), tmp_path / "fc.caffemodel")
    x = {"data": np.ones((1, 3, 8, 8), np.float32)}
    np.testing.assert_allclose(netsurgery.run(made, x)["f"].ravel(), netsurgery.run(net, x)["f"].ravel(), rtol=1e-5)
