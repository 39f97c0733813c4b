"""InnerProduct read as Convolution: the numbers of hand-converted nets in real Caffe, the old net on every window, and every refusal."""

from __future__ import annotations

from pathlib import Path

import cases
import numpy as np
import pytest
from fully_convolutional import conv, data, fc, layer, net, same_at_declared_size, same_on_windows

import netsurgery
from netsurgery import convolutionalize
from netsurgery.difference import diff
from netsurgery.formats.load import from_text
from netsurgery.formats.save import to_prototxt
from netsurgery.net import Net

SURGERY = cases.find("conformance/surgery")


assert SURGERY, "fixtures/ holds no surgery cases"


def both(made: Net, *layers: str) -> None:
    """`made` is the net of these layers, apart from its weights."""
    want = from_text("".join(layers))
    found = diff(from_text(to_prototxt(made)), want, training=True)
    assert not found.changed and not found.added and not found.removed, found.lines
    assert [x.name for x in made.layers] == [x.name for x in want.layers]
    assert made.blobs == want.blobs


@pytest.mark.parametrize("case", SURGERY, ids=cases.name)
def test_onnx_and_run_give_what_the_net_converted_by_hand_gives_in_caffe(case: Path) -> None:
    made = convolutionalize(cases.load(case))
    session = cases.session(netsurgery.to_onnx(made).SerializeToString())
    outputs = [o.name for o in session.get_outputs()]
    for feed, want in cases.runs(case):
        got = dict(zip(outputs, session.run(None, feed), strict=True))
        ours = netsurgery.run(made, feed)
        assert set(want) <= set(got)
        for blob in want:
            assert not cases.difference(got[blob], want[blob]), (blob, cases.difference(got[blob], want[blob]))
            assert not cases.difference(ours[blob], want[blob]), (blob, cases.difference(ours[blob], want[blob]))


@pytest.mark.parametrize("case", SURGERY, ids=cases.name)
def test_a_kernel_turned_around_is_noticed(case: Path) -> None:
    made = convolutionalize(cases.load(case))
    before = {x.name for x in cases.load(case).layers if x.type == "Convolution"}
    first = next(x for x in made.layers if x.type == "Convolution" and x.name not in before)
    wrong = made.with_weights(first.name, first.weights[0][:, :, ::-1, ::-1], *first.weights[1:])
    feed, want = cases.runs(case)[-1]
    got = netsurgery.run(wrong, feed)
    assert any(cases.difference(got[blob], want[blob]) for blob in want)


def test_face_12c_becomes_what_its_author_made_of_it() -> None:
    if not cases.MODELS.is_dir():
        pytest.skip("NETSURGERY_MODELS names no folder of published models")
    folder, hand = cases.MODELS / "face_12c", cases.MODELS / "face_12c_full_conv_by_its_author"
    made = convolutionalize(
        netsurgery.load(folder / "net.prototxt", folder / "net.caffemodel"),
        rename={"fc2": "fc2-conv", "fc3": "fc3-conv"},
    )
    want = netsurgery.load(hand / "net.prototxt", hand / "net.caffemodel")
    assert [(x.name, x.type, x.bottoms, x.tops) for x in made.layers] == [
        (x.name, x.type, x.bottoms, x.tops) for x in want.layers
    ]
    for ours, theirs in zip(made.layers, want.layers, strict=True):
        assert [w.tobytes() for w in ours.weights] == [w.tobytes() for w in theirs.weights]
        assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    with np.load(hand / "runs.npz") as z:
        for run in ("0", "1", "2"):
            got = netsurgery.run(made, {"data": z[f"{run}/in/data"]})["prob"]
            assert not cases.difference(got, z[f"{run}/out/prob"])


def test_a_classifier() -> None:
    before = net(
        data(1, 3, 12, 10),
        conv("conv", "data", 4),
        layer("flat", "Flatten", "conv", "flat"),
        fc("fc6", "flat", 5, "weight_filler { type: 'xavier' }"),
        layer("relu6", "ReLU", "fc6", "fc6"),
        layer("drop6", "Dropout", "fc6", "fc6"),
        fc("fc7", "fc6", 2, "bias_term: false"),
        layer("prob", "Softmax", "fc7", "prob"),
    )
    made = convolutionalize(before)
    both(
        made,
        data(1, 3, 12, 10),
        conv("conv", "data", 4),
        layer(
            "fc6",
            "Convolution",
            "conv",
            "fc6",
            "convolution_param { num_output: 5 kernel_h: 10 kernel_w: 8 weight_filler { type: 'xavier' } }",
        ),
        layer("relu6", "ReLU", "fc6", "fc6"),
        layer("drop6", "Dropout", "fc6", "fc6"),
        layer(
            "fc7", "Convolution", "fc6", "fc7", "convolution_param { num_output: 2 bias_term: false kernel_size: 1 }"
        ),
        layer("prob", "Softmax", "fc7", "prob"),
    )
    assert made.notes == ("InnerProduct became Convolution, with kernel: fc6 10x8, fc7 1x1",)
    same_at_declared_size(before, made)
    same_on_windows(before, made, "prob")


def test_comments_and_settings_of_training_stay() -> None:
    text = data(1, 1, 4, 4) + (
        'layer {\n  name: "ip"\n  type: "InnerProduct"\n  bottom: "data"\n  top: "ip"\n  # learns slowly\n'
        "  param { lr_mult: 0.1 }\n  inner_product_param {\n    num_output: 2  # two classes\n    axis: 1\n  }\n}\n"
    )
    assert to_prototxt(convolutionalize(from_text(text))).endswith(
        'layer {\n  name: "ip"\n  type: "Convolution"\n  bottom: "data"\n  top: "ip"\n  # learns slowly\n'
        "  param {\n    lr_mult: 0.1\n  }\n  convolution_param {\n    num_output: 2 # two classes\n    kernel_size: 4\n  }\n}\n"
    )


def test_chains_and_heads_and_norms() -> None:
    before = net(
        data(2, 2, 9, 9),
        conv("conv", "data", 3, 2, stride=2),
        fc("fc", "conv", 6),
        layer("bn", "BatchNorm", "fc", "fc"),
        layer("scale", "Scale", "fc", "fc", "scale_param { bias_term: true axis: -1 }"),
        layer("prelu", "PReLU", "fc", "fc"),
        fc("age", "fc", 3),
        fc("pose", "fc", 3),
        layer("both", "Eltwise", "age pose", "both"),
        layer("parts", "Concat", "age pose", "parts", "concat_param { axis: -1 }"),
        layer("cut", "Slice", "parts", "left right", "slice_param { slice_point: 2 }"),
        layer("power", "Power", "left", "power", "power_param { scale: 2 }"),
        fc("last", "right", 2, "axis: -1"),
        layer("p", "Softmax", "last", "p", "softmax_param { axis: -1 }"),
    )
    made = convolutionalize(before)
    assert {x.type for x in made.layers if x.weights} == {"Convolution", "BatchNorm", "Scale", "PReLU"}
    same_at_declared_size(before, made)
    for blob in ("both", "power", "p"):
        same_on_windows(before, made, blob)


def test_reshapes_that_only_flatten_are_absorbed_and_a_flat_output_keeps_its_name() -> None:
    before = net(
        data(1, 2, 6, 6),
        conv("conv", "data", 3),
        layer("r1", "Reshape", "conv", "r1", "reshape_param { shape { dim: 1 dim: -1 } }"),
        layer("act", "TanH", "r1", "r1"),
        fc("fc", "r1", 4),
        layer("r2", "Reshape", "fc", "r2", "reshape_param { shape { dim: 0 dim: 4 dim: 1 dim: 1 } }"),
        fc("out", "r2", 3),
        layer("flat", "Flatten", "out", "flat"),
    )
    made = convolutionalize(before)
    assert [x.name for x in made.layers] == ["data", "conv", "act", "fc", "out", "flat"]
    assert made.shapes({"data": (1, 2, 9, 7)})["flat"] == (1, 3, 4, 2)
    same_at_declared_size(before, made)
    same_on_windows(before, made, "flat", one_by_one=True)  # the first Reshape says a batch of 1


def test_a_flat_blob_that_others_read_stays_for_them() -> None:
    before = net(
        data(1, 2, 5, 5),
        layer("flat", "Flatten", "data", "flat"),
        fc("fc", "flat", 4),
        layer("norm", "Softmax", "flat", "norm"),
    )
    made = convolutionalize(before)
    assert made.shapes({"data": (1, 2, 6, 6)}) | {"data": ()} == {
        "data": (),
        "flat": (1, 72),
        "fc": (1, 4, 2, 2),
        "norm": (1, 72),
    }
    same_at_declared_size(before, made)


def test_concat_of_flattened_maps() -> None:
    before = net(
        data(1, 2, 7, 7),
        conv("a", "data", 2),
        conv("b", "data", 3),
        layer("fa", "Flatten", "a", "fa"),
        layer("fb", "Flatten", "b", "fb"),
        layer("cat", "Concat", "fa fb", "cat"),
        fc("fc", "cat", 4),
    )
    made = convolutionalize(before)
    same_at_declared_size(before, made)
    same_on_windows(before, made, "fc")


def test_maps_of_one_and_three_axes() -> None:
    line = net(data(1, 2, 9), conv("conv", "data", 3), fc("fc", "conv", 2))
    made = convolutionalize(line)
    assert made["fc"].weights[0].shape == (2, 3, 7)
    same_at_declared_size(line, made)
    video = net(data(1, 2, 4, 5, 6), conv("conv", "data", 3), fc("fc", "conv", 2))
    made = convolutionalize(video)
    assert made["fc"].weights[0].shape == (2, 3, 2, 3, 4)
    same_at_declared_size(video, made)
    assert made.shapes({"data": (1, 2, 6, 6, 6)})["fc"] == (1, 2, 3, 2, 1)


def test_argmax_accuracy_and_losses_act_at_each_position() -> None:
    before = net(
        data(4, 2, 6, 6),
        data(4, name="label"),
        data(4, 3, name="target"),
        conv("conv", "data", 3),
        fc("fc", "conv", 3),
        layer("best", "ArgMax", "fc", "best"),
        layer("second", "ArgMax", "fc", "second", "argmax_param { axis: 1 top_k: 2 }"),
        layer("right", "Accuracy", "fc label", "right"),
        layer("loss", "SoftmaxWithLoss", "fc label", "loss"),
        layer("sigmoid", "SigmoidCrossEntropyLoss", "fc target", "sigmoid"),
        layer("distance", "EuclideanLoss", "fc target", "distance"),
    )
    made = convolutionalize(before)
    assert dict(made.inputs) == {"data": (4, 2, 6, 6), "label": (4, 1, 1, 1), "target": (4, 3, 1, 1)}
    rng = np.random.default_rng(0)
    x, label, target = rng.normal(size=(4, 2, 6, 6)), rng.integers(0, 3, 4).astype(float), rng.random((4, 3))
    want = netsurgery.run(before, {"data": x, "label": label, "target": target}, dtype=np.float64)
    maps = {"data": x, "label": label.reshape(4, 1, 1, 1), "target": target.reshape(4, 3, 1, 1)}
    got = netsurgery.run(made, maps, dtype=np.float64)
    for blob in ("best", "second", "right", "loss", "sigmoid", "distance"):
        np.testing.assert_allclose(got[blob].ravel(), want[blob].ravel(), rtol=1e-12)
    large = {"data": (4, 2, 8, 7), "label": (4, 1, 3, 2), "target": (4, 3, 3, 2)}
    shapes = made.shapes(large)
    assert (shapes["best"], shapes["second"], shapes["right"]) == ((4, 1, 3, 2), (4, 2, 3, 2), ())
    for axis in ("data", "label", "target"):
        maps[axis] = rng.integers(0, 3, large[axis]).astype(float)
    got = netsurgery.run(made, maps, dtype=np.float64)
    scores = np.moveaxis(got["fc"], 1, -1).reshape(-1, 3)
    np.testing.assert_array_equal(np.moveaxis(got["best"], 1, -1).ravel(), scores.argmax(1))
    assert got["right"] == np.mean(scores.argmax(1) == maps["label"].ravel())


def test_a_net_without_innerproduct_stays_itself() -> None:
    before = net(data(1, 2, 6, 6), conv("conv", "data", 3), layer("flat", "Flatten", "conv", "flat"))
    assert convolutionalize(before) is before


def test_converting_twice_is_converting_once() -> None:
    before = net(data(1, 2, 6, 6), conv("conv", "data", 3), fc("fc", "conv", 3))
    made = convolutionalize(before)
    assert convolutionalize(made) is made
