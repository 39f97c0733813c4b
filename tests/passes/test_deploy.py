"""Nets for training made nets to use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_nets import with_random_weights

import netsurgery
from netsurgery.difference import diff
from netsurgery.errors import NetsurgeryError, RewriteError, ShapeError
from netsurgery.formats.load import from_text
from netsurgery.formats.save import to_prototxt
from netsurgery.net import Net
from netsurgery.passes.deploy import deploy, needs_deploy

DATA = """layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { mirror: true crop_size: 16 } data_param { source: "train" batch_size: 64 } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { crop_size: 16 mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.5 }
  data_param { source: "test" batch_size: 8 } }
"""
CONV = 'layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 } }\n'
RELU = 'layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }\n'
DROP = 'layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" include { phase: TRAIN } }\n'
FC = 'layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc" inner_product_param { num_output: 5 } }\n'
ACCURACY = (
    'layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy" include { phase: TEST } }\n'
)
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }\n'
PROB = 'layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }\n'
TRAIN_VAL = 'name: "net"\n' + DATA + CONV + RELU + DROP + FC + ACCURACY + LOSS


def given(shape: str = "dim: 1 dim: 3 dim: 16 dim: 16", name: str = "data") -> str:
    return f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {shape} }} }} }}\n'


def same(made: Net, text: str) -> None:
    want = from_text(text)
    found = diff(from_text(to_prototxt(made)), want, training=True)
    assert not found.changed and not found.added and not found.removed, found.lines
    assert [x.name for x in made.layers] == [x.name for x in want.layers]
    assert made.blobs == want.blobs


def test_train_val_becomes_deploy() -> None:
    net = from_text(TRAIN_VAL)
    assert needs_deploy(net)
    made = deploy(net)
    same(made, given() + CONV + RELU + FC + PROB)
    assert made.notes == (
        "deploy: layer 'accuracy' (Accuracy) left out: it scores",
        "deploy: layer 'loss' (SoftmaxWithLoss) became 'prob' (Softmax) with top 'prob'",
        "deploy: layer 'data' (Data): 'label' left out, nothing needs it",
        "deploy: layer 'data' (Data) became input 'data' of 1x3x16x16: as its parameters say",
        "deploy: input 'data' is expected as the layer prepared it: mean_value 104, 117, 123 subtracted, then scaled by 0.5",
    )
    assert not needs_deploy(made)
    assert deploy(made) == made and deploy(made).notes == made.notes


def test_what_it_gives_is_what_the_loss_made() -> None:
    text = TRAIN_VAL.replace('top: "loss" }', 'top: "loss" top: "shares" }')
    net = with_random_weights(from_text(text))
    made = deploy(net)
    assert made.outputs == ("shares",)
    x = np.random.default_rng(0).normal(size=(8, 3, 16, 16)).astype(np.float32)
    want = netsurgery.run(net, {"data": x, "label": np.zeros(8, np.float32)}, ["shares"])["shares"]
    np.testing.assert_allclose(netsurgery.run(made, {"data": x}, ["shares"])["shares"], want, rtol=1e-6)


def test_the_training_phase_is_deployed_as_well() -> None:
    made = deploy(from_text(TRAIN_VAL, phase="TRAIN"), {"data": (1, 3, 16, 16)})
    assert made["drop"].params.has("include")
    same(made.without("drop"), given() + CONV + RELU + FC + PROB)


def test_channels_come_from_the_first_weights(tmp_path: Path) -> None:
    gray = TRAIN_VAL.replace("mean_value: 104 mean_value: 117 mean_value: 123", "mean_value: 100")
    full = with_random_weights(from_text(given("dim: 1 dim: 2 dim: 16 dim: 16") + CONV + RELU + FC))
    netsurgery.save_caffe(full, tmp_path / "n.prototxt", tmp_path / "n.caffemodel")
    made = deploy(from_text(gray, "", tmp_path / "n.caffemodel"))
    assert made.inputs == {"data": (1, 2, 16, 16)}
    assert made.notes[-2] == (
        "deploy: layer 'data' (Data) became input 'data' of 1x2x16x16: the size as its parameters say, the channels as the weights "
        "of 'conv' want"
    )
    vector = 'layer { name: "data" type: "HDF5Data" top: "data" top: "label" hdf5_data_param { batch_size: 2 source: "x" } }\n'
    text = vector + FC.replace("conv", "data") + LOSS
    full = with_random_weights(from_text(given("dim: 1 dim: 7") + FC.replace("conv", "data")))
    netsurgery.save_caffe(full, tmp_path / "v.prototxt", tmp_path / "v.caffemodel")
    assert deploy(from_text(text, "", tmp_path / "v.caffemodel")).inputs == {"data": (1, 7)}


def test_an_option_gives_the_shape() -> None:
    unsized = TRAIN_VAL.replace("crop_size: 16 mean", "mean")
    made = deploy(from_text(unsized), {"data": (2, 3, 16, 16)})
    same(made, given("dim: 2 dim: 3 dim: 16 dim: 16") + CONV + RELU + FC + PROB)
    assert "deploy: layer 'data' (Data) became input 'data' of 2x3x16x16: as given" in made.notes
    assert deploy(from_text(given() + CONV), {"data": (3, 3, 16, 16)}).inputs == {"data": (3, 3, 16, 16)}


def test_refusals() -> None:
    unsized = from_text(TRAIN_VAL.replace("crop_size: 16 mean", "mean"), "train_val.prototxt")
    with pytest.raises(RewriteError) as error:
        deploy(unsized)
    assert str(error.value) == (
        "train_val.prototxt:4: layer 'data' (Data): the shape of input 'data' does not follow\n"
        "  expected: crop_size or another size in its parameters, and channels that the first weights want\n"
        "  fix: --input-shape data=1,3,224,224, or input_shapes={'data': (1, 3, 224, 224)} in Python"
    )
    with pytest.raises(ShapeError) as error:
        deploy(unsized, {"data": (1, -1)})
    assert str(error.value) == "input 'data' was given the shape (1, -1)\n  expected: whole numbers from 1 on"
    with pytest.raises(NetsurgeryError) as error:
        deploy(unsized, {"data": (1, 3, 16, 16), "fc": (1, 5)})
    assert (
        str(error.value)
        == "train_val.prototxt:10: layer 'fc' (InnerProduct): 'fc' is no input\n  expected: one of: data"
    )


@pytest.mark.parametrize(
    ("loss", "want"),
    [
        (LOSS, PROB),
        (
            LOSS.replace('top: "loss"', 'top: "loss" softmax_param { axis: 1 }'),
            PROB.replace('top: "prob"', 'top: "prob" softmax_param { axis: 1 }'),
        ),
        (LOSS.replace("SoftmaxWithLoss", "SigmoidCrossEntropyLoss"), PROB.replace("Softmax", "Sigmoid")),
        (LOSS.replace("SoftmaxWithLoss", "EuclideanLoss"), ""),
        (
            LOSS.replace('bottom: "fc" bottom: "label"', 'bottom: "label" bottom: "fc"').replace(
                "SoftmaxWith", "Euclidean"
            ),
            "",
        ),
        (LOSS.replace("SoftmaxWithLoss", "HingeLoss"), ""),
        (LOSS.replace("SoftmaxWithLoss", "CenterLoss"), ""),
        (PROB + LOSS, PROB),
        (PROB + LOSS.replace("fc", "prob").replace("SoftmaxWith", "MultinomialLogistic"), PROB),
    ],
)
def test_losses_leave_their_activation(loss: str, want: str) -> None:
    same(deploy(from_text(DATA + CONV + FC + loss)), given() + CONV + FC + want)


def test_several_heads_are_named_by_what_they_judge() -> None:
    heads = FC + LOSS + FC.replace('"fc"', '"fd"') + LOSS.replace('"fc"', '"fd"').replace('"loss"', '"loss2"')
    made = deploy(from_text(DATA + CONV + heads))
    assert made.outputs == ("fc_prob", "fd_prob")


def test_labels_go_with_what_is_computed_from_them() -> None:
    label = 'layer { name: "first" type: "Slice" bottom: "label" top: "a" top: "b" slice_param { axis: 0 slice_point: 4 } }\n'
    made = deploy(from_text(DATA + label + CONV + FC + LOSS.replace('"label"', '"a"')), {"label": (8,)})
    assert "b" in made.blobs  # an output that is no loss: it stays, and what it needs
    read = LOSS.replace('"label"', '"b"').replace('"loss"', '"loss2"')
    made = deploy(
        from_text(DATA + label + CONV + FC + LOSS.replace('"label"', '"a"') + read.replace("SoftmaxWith", "Euclidean"))
    )
    same(made, given() + CONV + FC + PROB)
    assert "deploy: layer 'first' (Slice) left out: only losses and scores need it" in made.notes


def test_targets_computed_from_the_data_go() -> None:
    flat = 'layer { name: "flat" type: "Flatten" bottom: "data" top: "flat" }\n'
    loss = 'layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "fc" bottom: "flat" top: "loss" }\n'
    made = deploy(from_text(DATA + flat + CONV + FC + loss))
    same(made, given() + CONV + FC + PROB.replace("Softmax", "Sigmoid"))


@pytest.mark.parametrize("type", ["ContrastiveLoss", "PairLoss"])
def test_both_arms_of_a_siamese_net_stay(type: str) -> None:
    arm = CONV.replace('"data"', '"data_p"').replace('"conv"', '"conv_p"')
    slices = (
        'layer { name: "slice" type: "Slice" bottom: "data" top: "x" top: "data_p" slice_param { slice_point: 3 } }\n'
    )
    loss = f'layer {{ name: "loss" type: "{type}" bottom: "conv" bottom: "conv_p" bottom: "label" top: "loss" }}\n'
    made = deploy(from_text(DATA + slices + CONV.replace('"data"', '"x"') + arm + loss), {"data": (1, 6, 16, 16)})
    assert made.outputs == ("conv", "conv_p")
    assert list(made.inputs) == ["data"]


def test_what_is_computed_from_losses_goes() -> None:
    mined = """layer { name: "mine" type: "BoxAnnotatorOHEM" bottom: "fc" bottom: "loss" bottom: "label" top: "hard" }
layer { name: "silence" type: "Silence" bottom: "loss" }
layer { name: "loss2" type: "SmoothL1Loss" bottom: "fc" bottom: "label" bottom: "hard" top: "loss2" loss_param { sort: 1 } }
"""
    same(deploy(from_text(DATA + CONV + FC + LOSS + mined)), given() + CONV + FC + PROB)


def test_what_reads_the_activation_of_a_loss_stays() -> None:
    best = 'layer { name: "best" type: "ArgMax" bottom: "shares" top: "best" }\n'
    shares = LOSS.replace('top: "loss" }', 'top: "loss" top: "shares" }')
    same(
        deploy(from_text(DATA + CONV + FC + shares + best)),
        given() + CONV + FC + PROB.replace('"prob"', '"shares"') + best,
    )


def test_inputs_that_outputs_need_are_no_labels() -> None:
    crop = (
        given("dim: 1 dim: 1 dim: 9 dim: 9", "size")
        + 'layer { name: "crop" type: "Crop" bottom: "conv" bottom: "size" top: "crop" }\n'
    )
    made = deploy(from_text(DATA + CONV + crop + FC + LOSS))
    assert set(made.inputs) == {"data", "size"} and made.outputs == ("crop", "prob")
    plain = from_text(given() + CONV + crop)
    assert deploy(plain) == plain and deploy(plain).notes == plain.notes


def test_constant_dummy_data_stays_and_random_becomes_an_input() -> None:
    def dummy(filler: str) -> str:
        return (
            'layer { name: "more" type: "DummyData" top: "more" dummy_data_param { shape { dim: 1 dim: 4 dim: 14 dim: 14 } '
            f'data_filler {{ type: "{filler}" }} }} }}\n'
        )

    add = 'layer { name: "sum" type: "Eltwise" bottom: "conv" bottom: "more" top: "sum" }\n'
    rest = FC.replace('"conv"', '"sum"')
    same(
        deploy(from_text(DATA + CONV + dummy("constant") + add + rest + LOSS)),
        given() + CONV + dummy("constant") + add + rest + PROB,
    )
    made = deploy(from_text(DATA + CONV + dummy("gaussian") + add + rest + LOSS))
    same(made, given() + CONV + given("dim: 1 dim: 4 dim: 14 dim: 14", "more") + add + rest + PROB)


def test_label_inputs_go() -> None:
    text = (
        """layer { name: "data" type: "Input" top: "data" top: "label"
      input_param { shape { dim: 1 dim: 3 dim: 16 dim: 16 } shape { dim: 1 } } }\n"""
        + CONV
        + FC
        + LOSS
    )
    same(deploy(from_text(text)), given() + CONV + FC + PROB)


def test_python_and_unknown_data_layers_become_inputs() -> None:
    for type, params in (("Python", 'python_param { module: "m" layer: "L" }'), ("MyOwnData", "")):
        data = f'layer {{ name: "source" type: "{type}" top: "data" top: "label" {params} }}\n'
        made = deploy(from_text(data + CONV + FC + LOSS), {"data": (1, 3, 16, 16)})
        same(made, given().replace('name: "data"', 'name: "source"') + CONV + FC + PROB)


def test_a_net_without_weights_keeps_its_first_data_top() -> None:
    pool = (
        'layer { name: "pool" type: "Pooling" bottom: "data" top: "fc" pooling_param { pool: AVE kernel_size: 16 } }\n'
    )
    same(deploy(from_text(DATA + pool + LOSS + ACCURACY)), given() + pool + PROB)


def test_caffe_numbers_of_the_train_val_case() -> None:
    case = Path(__file__).parents[2] / "fixtures" / "conformance" / "nets" / "train_val"
    if not case.exists():
        pytest.skip("no case nets/train_val in fixtures")
    net = netsurgery.load(case / "net.prototxt", case / "net.caffemodel")
    made = deploy(net)
    with np.load(case / "runs.npz") as runs:
        got = netsurgery.run(made, {"data": runs["0/in/data"]}, ["ip"])["ip"]
        np.testing.assert_allclose(got, runs["0/out/ip"], rtol=1e-4, atol=1e-6)
