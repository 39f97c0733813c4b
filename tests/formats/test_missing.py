"""What a net lacks is said with what brings it, and that works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


FC1 = 'layer { name: "e" type: "InnerProduct" bottom: "data" top: "e1" inner_product_param { num_output: 4 } %s }\n'
RELU = 'layer { name: "r" type: "ReLU" bottom: "e1" top: "r" }\n'
DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 } } %s }\n'
RULES: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    "of several writers the one that leaves the phase": (
        DATA % "include { phase: TRAIN }" + DATA % 'include { phase: TEST stage: "on-test" }' + FC1 % "" + RELU,
        {},
        "--stage on-test",
        {"stages": ("on-test",)},
    ),
    "an exclusion": (
        DATA % "" + FC1 % 'exclude { stage: "deploy" }' + RELU,
        {"stages": ("deploy",)},
        "without --stage deploy",
        {},
    ),
    "not a stage": (
        DATA % "" + FC1 % 'include { not_stage: "deploy" }' + RELU,
        {"stages": ("deploy",)},
        "without --stage deploy",
        {},
    ),
    "the second rule": (
        DATA % "" + FC1 % 'include { not_stage: "deploy" phase: TEST } include { min_level: 3 stage: "a" stage: "b" }' + RELU,
        {"stages": ("deploy",), "phase": "TRAIN"},
        "--stage a --stage b --level 3",
        {"stages": ("deploy", "a", "b"), "phase": "TRAIN", "level": 3},
    ),
    "a level that is too high": (
        DATA % "" + FC1 % "include { max_level: 2 }" + RELU,
        {"level": 4},
        "--level 2",
        {"level": 2},
    ),
}  # fmt: skip


@pytest.mark.parametrize("text, options, fix, followed", RULES.values(), ids=RULES)
def test_what_brings_a_layer_back_does(text: str, options: dict[str, Any], fix: str, followed: dict[str, Any]) -> None:
    with pytest.raises(NetsurgeryError) as refused:
        from_text(text, **options)
    assert refused.value.fix.startswith(f"bring it back: {fix}; or give '")
    assert from_text(text, **followed).outputs == ("r",)


def test_the_stage_of_the_file_itself_is_told() -> None:
    text = 'state { stage: "deploy" }\n' + DATA % "" + FC1 % 'include { not_stage: "deploy" }' + RELU
    with pytest.raises(NetsurgeryError) as refused:
        from_text(text)
    assert refused.value.expected == "a net that is whole in phase TEST, level 0, stages ['deploy']"
    assert refused.value.fix == "give 'e1' as an input: --input-shape e1=1,3,224,224"
    assert from_text(text, input_shapes={"e1": (1, 3, 224, 224)}).outputs == ("r",)


def test_a_net_without_layers_in_the_phase_says_which_phase_has_some() -> None:
    text = DATA % "include { phase: TRAIN }" + FC1 % "include { phase: TRAIN }"
    with pytest.raises(NetsurgeryError) as refused:
        from_text(text)
    assert str(refused.value) == (
        "<text>:1: no layers are left in this phase\n  expected: a net: layer { ... }\n"
        "  fix: phase is TEST, level 0, stages []: bring them back: --phase TRAIN"
    )
    assert from_text(text, phase="TRAIN").outputs == ("e1",)


def test_a_bottom_that_nobody_writes_can_be_an_input() -> None:
    with pytest.raises(NetsurgeryError) as refused:
        from_text(RELU)
    assert str(refused.value) == (
        "<text>:1: layer 'r' (ReLU): bottom 'e1' is not written by any layer before it\n"
        "  expected: one of: an input (the net has none)\n  fix: make it an input: --input-shape e1=1,3,224,224"
    )
    assert from_text(RELU, input_shapes={"e1": (1, 3, 224, 224)}).outputs == ("r",)
