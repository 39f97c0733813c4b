"""InnerProduct read as Convolution: the numbers of hand-converted nets in real Caffe, the old net on every window, and every refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cases
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_nets import with_random_weights

import netsurgery
from netsurgery import convolutionalize
from netsurgery.difference import diff
from netsurgery.errors import NetsurgeryError, RewriteError
from netsurgery.formats.load import from_text
from netsurgery.formats.save import to_prototxt
from netsurgery.net import Net

SURGERY = cases.find("conformance/surgery")
assert SURGERY, "fixtures/ holds no surgery cases"
MODELS = Path(__file__).parent.parent.parent / "shared" / "models"


def wire(bottoms: str, top: str) -> str:
    return " ".join([*(f'bottom: "{b}"' for b in bottoms.split()), *(f'top: "{t}"' for t in top.split())])


def layer(name: str, type: str, bottoms: str, top: str, params: str = "") -> str:
    return f'layer {{ name: "{name}" type: "{type}" {wire(bottoms, top)} {params} }}\n'


def data(*shape: int, name: str = "data") -> str:
    dims = " ".join(f"dim: {n}" for n in shape)
    return layer(name, "Input", "", name, f"input_param {{ shape {{ {dims} }} }}")


def conv(name: str, bottom: str, n: int, kernel: int = 3, **fields: int) -> str:
    more = "".join(f" {k}: {v}" for k, v in fields.items())
    return layer(
        name, "Convolution", bottom, name, f"convolution_param {{ num_output: {n} kernel_size: {kernel}{more} }}"
    )


def fc(name: str, bottom: str, n: int, more: str = "", params: str = "") -> str:
    return layer(name, "InnerProduct", bottom, name, f"{params} inner_product_param {{ num_output: {n} {more} }}")


def net(*layers: str) -> Net:
    """With weights, from lines of which errors say the number."""
    return with_random_weights(from_text("".join(layers), "net.prototxt"))


def both(made: Net, *layers: str) -> None:
    """`made` is the net of these layers, apart from its weights."""
    want = from_text("".join(layers))
    found = diff(from_text(to_prototxt(made)), want, training=True)
    assert not found.changed and not found.added and not found.removed, found.lines
    assert [x.name for x in made.layers] == [x.name for x in want.layers]
    assert made.blobs == want.blobs


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(RewriteError) as error:
        call()
    return str(error.value)


EXPECTED = (
    "\n  expected: behind a converted InnerProduct, layers that treat each position alone, over its channels (axis 1)"
    "\n  fix: cut the net before this layer, or leave the InnerProduct layers before it as they are (--only)"
)


def refused(*layers: str, **options: object) -> str:
    """The text of the refusal, without the lines that all such refusals share."""
    text = refusal(lambda: convolutionalize(net(*layers), **options))  # type: ignore[arg-type]
    assert text.endswith(EXPECTED)
    return text.removesuffix(EXPECTED)


def same_at_declared_size(old: Net, new: Net) -> None:
    """Every blob that both have holds the same numbers for each item."""
    rng = np.random.default_rng(1)
    feeds = {name: rng.normal(size=shape) for name, shape in old.inputs.items() if shape}
    want = netsurgery.run(old, feeds, dtype=np.float64)
    got = netsurgery.run(new, {k: v.reshape(new.inputs[k] or ()) for k, v in feeds.items()}, dtype=np.float64)
    common = [blob for blob in want if blob in got]
    assert set(old.outputs) <= set(common)
    for blob in common:
        np.testing.assert_allclose(got[blob].reshape(want[blob].shape), want[blob], rtol=1e-9, atol=1e-12, err_msg=blob)


def same_on_windows(old: Net, new: Net, blob: str, more: tuple[int, int] = (7, 5), one_by_one: bool = False) -> None:
    """At every position whose window of the declared size is inside a larger image, the map holds what the old net gives on it."""
    ((name, shape),) = old.inputs.items()
    assert shape
    _, c, h, w = shape
    image = np.random.default_rng(2).normal(size=(1, c, h + more[0], w + more[1]))
    got = netsurgery.run(new, {name: image}, [blob], dtype=np.float64)[blob]
    rows, columns = (int(s) for s in netsurgery.geometry(new, blob).stride if s is not None)
    places = [
        (i, j)
        for i in range(got.shape[2])
        for j in range(got.shape[3])
        if i * rows + h <= image.shape[2] and j * columns + w <= image.shape[3]
    ]
    assert len(places) >= (1 + more[0] // rows) * (1 + more[1] // columns)
    windows = np.concatenate([image[:, :, i * rows : i * rows + h, j * columns : j * columns + w] for i, j in places])
    batches = windows[:, None] if one_by_one else [windows]
    want = np.concatenate([netsurgery.run(old, {name: batch}, [blob], dtype=np.float64)[blob] for batch in batches])
    for (i, j), value in zip(places, want, strict=True):
        np.testing.assert_allclose(got[0, :, i, j], value.ravel(), rtol=1e-9, atol=1e-12, err_msg=f"{i}, {j}")


# --- real Caffe's numbers


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
    if not MODELS.is_dir():
        pytest.skip("the published models are not here")
    folder, hand = MODELS / "face_12c", MODELS / "face_12c_full_conv_by_its_author"
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


# --- before and after


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


# --- weights


def test_weights_are_the_same_bytes() -> None:
    before = net(data(1, 2, 6, 6), fc("a", "data", 3), fc("b", "a", 2))
    made = convolutionalize(before)
    for name, shape in (("a", (3, 2, 6, 6)), ("b", (2, 3, 1, 1))):
        assert made[name].weights[0].shape == shape
        assert np.shares_memory(made[name].weights[0], before[name].weights[0])
        assert made[name].weights[1] is before[name].weights[1]


def test_weights_from_a_file_still_point_into_it() -> None:
    case = next(c for c in SURGERY if c.name == "lenet")
    before = cases.load(case)
    for ours, old in zip(convolutionalize(before).layers, before.layers, strict=True):
        for new, stored in zip(ours.weights, old.weights, strict=True):
            assert np.shares_memory(new, stored)
            assert not new.flags.writeable


def test_transposed_weights_are_copied() -> None:
    before = net(data(1, 2, 5, 5), fc("fc", "data", 3, "transpose: true"))
    made = convolutionalize(before)
    assert not np.shares_memory(made["fc"].weights[0], before["fc"].weights[0])
    same_at_declared_size(before, made)
    same_on_windows(before, made, "fc")


SHARED = "param { name: 'w' } param { name: 'b' }"


def test_shared_weights_stay_one_array() -> None:
    before = net(
        data(1, 2, 6, 6),
        conv("one", "data", 2, 2),
        conv("two", "data", 2, 2),
        fc("p", "one", 3, params=SHARED),
        fc("q", "two", 3, params=SHARED),
    )
    shared = before.with_weights("q", *before["p"].weights)
    made = convolutionalize(shared)
    assert made["p"].weights[0] is made["q"].weights[0]
    assert np.shares_memory(made["p"].weights[0], before["p"].weights[0])
    assert [i.name for i in netsurgery.to_onnx(made).graph.initializer].count("p.weight") == 1


def test_a_net_without_weights_is_converted_too() -> None:
    made = convolutionalize(from_text(data(1, 2, 6, 6) + fc("fc", "data", 3)))
    assert made["fc"].weights == ()
    assert made.shapes({"data": (1, 2, 8, 8)})["fc"] == (1, 3, 3, 3)


# --- options

CHAIN = (data(1, 2, 6, 6), fc("fc6", "data", 4), fc("fc7", "fc6", 3), fc("fc8", "fc7", 2, "axis: -1"))


def test_only_some_are_converted() -> None:
    before = net(*CHAIN)
    made = convolutionalize(before, only=["fc6", "fc7"])
    assert [x.type for x in made.layers] == ["Input", "Convolution", "Convolution", "InnerProduct"]
    assert made.notes == (
        "InnerProduct became Convolution, with kernel: fc6 6x6, fc7 1x1",
        "'fc8' (InnerProduct): stays as it is, an InnerProduct",
    )
    same_at_declared_size(before, made)
    assert made.shapes({"data": (1, 2, 7, 7)})["fc7"] == (1, 3, 2, 2)


def test_only_refuses_what_cannot_follow() -> None:
    assert refusal(lambda: convolutionalize(net(*CHAIN), only=["fc7"])) == (
        "net.prototxt:3: layer 'fc7' (InnerProduct): its bottom 'fc6' is a flat vector (1, 4), since 'fc6' (InnerProduct) stays as it is\n"
        "  expected: a map (N, C, h, w), or what becomes one\n"
        "  fix: convert 'fc6', too (--only)"
    )


def test_only_refuses_other_layers() -> None:
    assert refusal(lambda: convolutionalize(net(*CHAIN, layer("p", "Softmax", "fc8", "p")), only=["p"])) == (
        "net.prototxt:5: layer 'p' (Softmax): is no InnerProduct\n  expected: InnerProduct layers (--only)"
    )
    with pytest.raises(NetsurgeryError) as error:
        convolutionalize(net(*CHAIN), only=["fc9"])
    assert str(error.value) == "net.prototxt:1: there is no layer 'fc9'\n  fix: did you mean 'fc8'?"


def test_rename_gives_layer_and_blob_new_names() -> None:
    made = convolutionalize(net(*CHAIN, layer("relu", "ReLU", "fc8", "fc8")), rename={"fc8": "fc8-conv"})
    assert made.blobs == ("data", "fc6", "fc7", "fc8-conv@fc8-conv", "fc8-conv")
    assert made["fc8-conv"].type == "Convolution"


def pooled(params: str, size: int = 6) -> Net:
    return net(
        data(1, 2, size, size),
        conv("conv", "data", 3),
        layer("pool", "Pooling", "conv", "pool", f"pooling_param {{ {params} }}"),
        layer("flat", "Flatten", "pool", "flat"),
        fc("fc", "flat", 4),
    )


def test_a_global_pooling_gives_one_answer_for_each_image() -> None:
    made = convolutionalize(pooled("pool: AVE global_pooling: true"))
    assert made.notes[1:] == (
        "'pool' (Pooling): takes in the whole map: one answer for each image, whatever its size (--sliding-pool lets it slide)",
    )
    assert made.shapes({"data": (1, 2, 9, 9)})["fc"] == (1, 4, 1, 1)
    same_at_declared_size(pooled("pool: AVE global_pooling: true"), made)


@pytest.mark.parametrize("kind", ["AVE", "MAX"])
@pytest.mark.parametrize(
    "params", ["global_pooling: true", "kernel_size: 4 stride: 4", "kernel_size: 5 stride: 3", "kernel_size: 4"]
)
def test_a_sliding_pool_has_a_kernel_of_the_map_and_stride_1(kind: str, params: str) -> None:
    before = pooled(f"pool: {kind} {params}")
    made = convolutionalize(before, sliding_pool=True)
    param = made["pool"].params.last("pooling_param")
    assert {(f.name, f.value) for f in param.fields} - {("stride", 1)} == {("pool", kind), ("kernel_size", 4)}
    same_at_declared_size(before, made)
    same_on_windows(before, made, "fc")


def test_a_fixed_pooling_of_the_whole_map_is_reported() -> None:
    assert convolutionalize(pooled("pool: AVE kernel_size: 4")).notes[1:] == (
        "'pool' (Pooling): takes in the whole map at the declared size, and slides over a larger one",
    )
    assert convolutionalize(pooled("pool: AVE kernel_size: 4 stride: 4")).notes[1:] == (
        "'pool' (Pooling): takes in the whole map at the declared size, and moves by 4x4 over a larger one: one answer for each image "
        "unless it is much larger (--sliding-pool lets it move by 1)",
    )
    assert convolutionalize(pooled("pool: AVE kernel_size: 4 stride: 4"), sliding_pool=True).notes[1:] == (
        "'pool' (Pooling): slides now, with a kernel of 4x4 and stride 1",
    )


def test_a_sliding_pool_in_a_net_without_innerproduct() -> None:
    before = net(
        data(1, 2, 6, 6),
        conv("conv", "data", 3),
        layer("pool", "Pooling", "conv", "pool", "pooling_param { pool: AVE global_pooling: true }"),
        layer("prob", "Softmax", "pool", "prob"),
    )
    assert convolutionalize(before) is before
    made = convolutionalize(before, sliding_pool=True)
    same_on_windows(before, made, "prob")


SQUEEZE = (
    data(1, 2, 6, 6),
    conv("conv", "data", 3),
    layer("squeeze", "Pooling", "conv", "squeeze", "pooling_param { pool: AVE global_pooling: true }"),
    fc("fc1", "squeeze", 3),
    layer("gate", "Sigmoid", "fc1", "gate"),
    layer("excite", "Scale", "conv gate", "excite", "scale_param { axis: 0 }"),
    layer("pool", "Pooling", "excite", "pool", "pooling_param { pool: AVE global_pooling: true }"),
    fc("fc", "pool", 4),
)


def test_squeeze_and_excitation_weighs_the_map_by_the_whole_image() -> None:
    """A gate is one vector for each image at every size: it is made flat again for the Scale that wants it so."""
    before = net(*SQUEEZE)
    made = convolutionalize(before, sliding_pool=True)
    assert made["excite"].bottoms == ("conv", "gate_flat")
    assert made.notes[1:] == (
        "'squeeze' (Pooling): looks at the whole map: answers depend on the whole image, not on their window of it alone",
        "'pool' (Pooling): slides now, with a kernel of 4x4 and stride 1",
    )
    same_at_declared_size(before, made)
    image = np.random.default_rng(0).normal(size=(1, 2, 8, 8))
    got = netsurgery.run(made, {"data": image}, dtype=np.float64)
    assert got["fc"].shape == (1, 4, 3, 3)
    gated = got["conv"] * got["gate_flat"][:, :, None, None]
    np.testing.assert_allclose(got["pool"][0, :, 0, 2], gated[0, :, :4, 2:6].mean((1, 2)), rtol=1e-12)


def test_one_answer_for_each_image_may_meet_a_flat_vector() -> None:
    before = net(
        data(1, 2, 6, 6),
        data(1, 5, name="meta"),
        layer("pool", "Pooling", "data", "pool", "pooling_param { pool: MAX global_pooling: true }"),
        fc("a", "pool", 3),
        layer("cat", "Concat", "a meta", "cat"),
        fc("b", "cat", 2),
    )
    made = convolutionalize(before)
    assert made.notes[1] == "'b' (InnerProduct): stays as it is, an InnerProduct"
    same_at_declared_size(before, made)
    assert made.shapes({"data": (1, 2, 9, 9)})["b"] == (1, 2)


# --- refusals

BODY = (data(1, 2, 6, 6), conv("conv", "data", 3), fc("fc", "conv", 8))


def test_refuses_a_reshape_of_answers_into_a_map() -> None:
    more = layer("r", "Reshape", "fc", "r", "reshape_param { shape { dim: 0 dim: 2 dim: 2 dim: 2 } }")
    assert refused(*BODY, more) == (
        "net.prototxt:4: layer 'r' (Reshape): mixes positions and channels: (1, 8) becomes (1, 2, 2, 2) at each position"
    )


def test_refuses_a_reshape_of_items_into_positions() -> None:
    more = layer("r", "Reshape", "fc", "r", "reshape_param { shape { dim: -1 dim: 4 } }")
    assert refused(*BODY, more) == (
        "net.prototxt:4: layer 'r' (Reshape): mixes the items of the batch with positions: (1, 8) becomes (2, 4)"
    )


def test_refuses_a_reshape_of_positions_into_items_before_an_innerproduct() -> None:
    flat = layer("r", "Reshape", "data", "r", "reshape_param { shape { dim: -1 dim: 8 } }")
    assert refused(data(1, 2, 6, 6), flat, fc("fc", "r", 3)) == (
        "net.prototxt:2: layer 'r' (Reshape): mixes the items of the batch with positions: (1, 2, 6, 6) becomes (9, 8)"
    )


def test_refuses_an_innerproduct_of_another_axis() -> None:
    assert refusal(lambda: convolutionalize(net(data(5, 1, 7), fc("fc", "data", 3, "axis: 2")))) == (
        "net.prototxt:2: layer 'fc' (InnerProduct): axis is 2: it answers for each of the first 2 axes of (5, 1, 7)\n"
        "  expected: axis 1: one answer for each item of the batch\n"
        "  fix: leave the layer as it is (--only)"
    )


def test_refuses_a_net_of_flat_vectors() -> None:
    assert refusal(lambda: convolutionalize(net(data(1, 7), fc("fc", "data", 3)))) == (
        "net.prototxt:2: layer 'fc' (InnerProduct): its bottom 'data' is a flat vector (1, 7)\n"
        "  expected: a map (N, C, h, w), or what becomes one\n"
        "  fix: declare the input as a map (N, C, h, w)"
    )


def test_refuses_axes_that_are_no_positions() -> None:
    turned = layer("turn", "Permute", "conv", "turn", "permute_param { order: 0 order: 2 order: 3 order: 1 }")
    before = net(*BODY[:2], turned, fc("fc", "turn", 2))
    assert refusal(lambda: convolutionalize(before)) == (
        "net.prototxt:4: layer 'fc' (InnerProduct): the last axes of its bottom 'turn' (1, 4, 4, 3) are no positions of the image: "
        "behind layer 'turn' (Permute) none are\n"
        "  expected: a map (N, channels, h, w) of the image\n"
        "  fix: leave the layer as it is (--only)"
    )


@pytest.mark.parametrize(
    ("type", "params", "why"),
    [
        ("Softmax", "softmax_param { axis: 0 }", "works along axis 0, not over the channels"),
        ("Slice", "slice_param { axis: -2 }", "works along axis -2, not over the channels"),
        ("Concat", "concat_param { axis: 0 }", "works along axis 0, not over the channels"),
        (
            "ArgMax",
            "argmax_param { out_max_val: true }",
            "gives index and value of each item as a whole, which ArgMax does not do for each position",
        ),
        ("Reduction", "reduction_param { axis: 1 }", "adds up the positions with the channels"),
        ("Permute", "permute_param { order: 1 order: 0 }", "moves the axes of a map"),
        (
            "Scale",
            "scale_param { axis: 0 num_axes: -1 }",
            "works along axis 0 and those behind it, not over the channels",
        ),
        ("Embed", "embed_param { num_output: 2 input_dim: 3 }", "puts an axis behind the positions"),
    ],
)
def test_refuses_a_layer_that_mixes_positions(type: str, params: str, why: str) -> None:
    assert refused(*BODY, layer("x", type, "fc", "x", params)) == f"net.prototxt:4: layer 'x' ({type}): {why}"


def test_refuses_a_kernel_over_answers() -> None:
    four = layer("r", "Reshape", "fc", "r", "reshape_param { shape { dim: 0 dim: 8 dim: 1 dim: 1 } }")
    assert refused(*BODY, four, conv("c", "r", 2, 3, pad=1)) == (
        "net.prototxt:5: layer 'c' (Convolution): its 3x3 kernel would see more than one position"
    )
    before = net(*BODY, four, conv("c", "r", 2, 1))
    same_on_windows(before, convolutionalize(before), "c")


def test_refuses_normalization_over_positions() -> None:
    four = layer("r", "Reshape", "fc", "r", "reshape_param { shape { dim: 0 dim: 8 dim: 1 dim: 1 } }")
    text = refused(*BODY, four, layer("mvn", "MVN", "r", "mvn", "mvn_param { across_channels: true }"))
    assert text.startswith("net.prototxt:5: layer 'mvn' (MVN): ")


@pytest.mark.parametrize("type", ["HingeLoss", "MultinomialLogisticLoss"])
def test_refuses_losses_that_take_one_label_for_each_item(type: str) -> None:
    assert refused(*BODY, data(1, name="label"), layer("loss", type, "fc label", "loss")) == (
        f"net.prototxt:5: layer 'loss' ({type}): takes one label for each item, not for each position"
    )


def test_refuses_recurrent_layers() -> None:
    cont = data(1, 1, name="cont")
    three = layer("r", "Reshape", "fc", "r", "reshape_param { shape { dim: 0 dim: 8 dim: 1 } }")
    lstm = layer("lstm", "LSTM", "r cont", "lstm", "recurrent_param { num_output: 2 }")
    with pytest.raises(RewriteError) as error:
        convolutionalize(
            from_text(
                "".join((data(1, 2, 6, 6), fc("fc", "data", 1), cont, three.replace("8", "1"), lstm)), "net.prototxt"
            )
        )
    assert str(error.value).removesuffix(EXPECTED) == (
        "net.prototxt:5: layer 'lstm' (LSTM): its bottom 'cont' (1, 1) is a flat vector, where 'r' becomes a map"
    )


def test_refuses_a_concat_of_a_map_with_a_flat_vector() -> None:
    assert refused(*BODY, data(1, 5, name="meta"), layer("cat", "Concat", "fc meta", "cat")) == (
        "net.prototxt:5: layer 'cat' (Concat): its bottom 'meta' (1, 5) is a flat vector, where 'fc' becomes a map"
    )


def test_refuses_to_join_maps_of_different_steps() -> None:
    more = (conv("wide", "conv", 3, 2, stride=2), fc("other", "wide", 8), layer("sum", "Eltwise", "fc other", "sum"))
    assert refused(*BODY, *more) == (
        "net.prototxt:6: layer 'sum' (Eltwise): its bottoms would not stay of one size: "
        "'fc' one every 1 pixels and 'other' one every 2 pixels"
    )


def test_refuses_to_join_a_map_with_one_answer_for_the_image() -> None:
    pool = layer("pool", "Pooling", "conv", "pool", "pooling_param { pool: AVE global_pooling: true }")
    more = (pool, fc("other", "pool", 8), layer("sum", "Eltwise", "fc other", "sum"))
    assert refused(*BODY, *more) == (
        "net.prototxt:6: layer 'sum' (Eltwise): its bottoms would not stay of one size: "
        "'fc' one every 1 pixels and 'other' one for the whole image"
    )


@pytest.mark.parametrize("type", ["BatchNorm", "PReLU", "Softmax"])
def test_refuses_layers_that_treat_places_of_a_flattened_map_differently(type: str) -> None:
    more = (layer("flat", "Flatten", "conv", "flat"), layer("x", type, "flat", "x"), fc("fc", "x", 4))
    assert refused(*BODY[:2], *more) == (
        f"net.prototxt:4: layer 'x' ({type}): its bottom 'flat' (1, 48) is a flattened map (3, 4, 4), "
        "whose numbers it does not treat all alike"
    )


def test_refuses_to_share_weights_with_what_sees_another_map() -> None:
    before = net(
        data(1, 2, 6, 6),
        layer("pool", "Pooling", "data", "pool", "pooling_param { kernel_size: 2 stride: 2 }"),
        conv("wide", "data", 18, 6),
        fc("p", "pool", 3, params=SHARED),
        fc("q", "wide", 3, params=SHARED),
    )
    text = (
        "net.prototxt:4: layer 'p' (InnerProduct): shares its weight 'w' with 'q' (InnerProduct), which %s\n"
        "  expected: a weight of one shape: both see (2, 3, 3)\n"
        "  fix: give the two layers weights of their own: remove param { name } of one"
    )
    assert refusal(lambda: convolutionalize(before)) == text % "would see (18, 1, 1)"
    assert refusal(lambda: convolutionalize(before, only=["p"])) == text % "stays as it is"


# --- the promise


@st.composite
def classifiers(draw: st.DrawFn) -> tuple[str, str]:
    """An unpadded net that ends in InnerProducts, in which no pooling window is clipped; and its last blob."""
    sizes = [draw(st.integers(8, 14)), draw(st.integers(8, 14))]
    lines = [data(1, draw(st.integers(1, 3)), *sizes)]
    blob = "data"

    def add(type: str, params: str = "", in_place: bool = False, bottoms: str = "") -> None:
        nonlocal blob
        top = blob if in_place else f"b{len(lines)}"
        lines.append(layer(f"l{len(lines)}", type, bottoms or blob, top, params))
        blob = top

    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["conv", "pool", "act", "lrn", "inception"]))
        kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 2))
        span = kernel
        if kind == "conv":
            dilation = draw(st.integers(1, 2))
            span = dilation * (kernel - 1) + 1
            params = f"num_output: 3 kernel_size: {kernel} stride: {stride} dilation: {dilation}"
        if kind in ("conv", "pool", "inception") and min(sizes) < span + 2:
            continue
        if kind == "conv":
            add("Convolution", f"convolution_param {{ {params} }}")
            sizes = [(n - span) // stride + 1 for n in sizes]
        elif kind == "pool":
            stride = stride if all((n - kernel) % stride == 0 for n in sizes) else 1
            stride = min(stride, kernel)
            pool = draw(st.sampled_from(["MAX", "AVE"]))
            add("Pooling", f"pooling_param {{ pool: {pool} kernel_size: {kernel} stride: {stride} }}")
            sizes = [(n - kernel) // stride + 1 for n in sizes]
        elif kind == "inception":
            bottom = blob
            add("Convolution", f"convolution_param {{ num_output: 2 kernel_size: {kernel} }}")
            left, blob = blob, bottom
            add("Pooling", f"pooling_param {{ pool: MAX kernel_size: {kernel} stride: 1 }}")
            add("Concat", bottoms=f"{left} {blob}")
            sizes = [n - kernel + 1 for n in sizes]
        elif kind == "lrn":
            add("LRN", "lrn_param { local_size: 3 alpha: 0.5 }")
        elif blob != "data":
            add(draw(st.sampled_from(["ReLU", "TanH", "PReLU"])), in_place=True)
    if draw(st.booleans()):
        add(
            draw(st.sampled_from(["Flatten", "Reshape"])),
            "flatten_param { axis: 1 } reshape_param { shape { dim: 0 dim: -1 } }",
        )
    for _ in range(draw(st.integers(1, 3))):
        options = draw(st.sampled_from(["", "transpose: true", "bias_term: false"]))
        add("InnerProduct", f"inner_product_param {{ num_output: {draw(st.integers(1, 4))} {options} }}")
        act = draw(st.sampled_from(["", "ReLU", "Sigmoid", "PReLU", "BatchNorm", "Scale", "Dropout", "Softmax"]))
        if act:
            add(act, in_place=True)
    return "".join(lines), blob


@settings(max_examples=80, deadline=None)
@given(classifiers(), st.integers(0, 100), st.integers(0, 7), st.integers(0, 7))
def test_a_position_of_the_map_is_the_old_net_on_its_window(
    made: tuple[str, str], seed: int, down: int, right: int
) -> None:
    text, blob = made
    before = with_random_weights(from_text(text), seed)
    same_on_windows(before, convolutionalize(before), blob, (down, right))


@settings(max_examples=15, deadline=None)
@given(classifiers(), st.integers(0, 100))
def test_one_export_runs_at_the_declared_and_at_a_larger_size(made: tuple[str, str], seed: int) -> None:
    text, blob = made
    after = convolutionalize(with_random_weights(from_text(text), seed))
    session = cases.session(netsurgery.to_onnx(after).SerializeToString())
    n, c, h, w = after.inputs["data"] or ()
    for shape in ((n, c, h, w), (2, c, h + 5, w + 3)):
        feed = {"data": np.random.default_rng(seed).normal(size=shape).astype(np.float32)}
        (got,) = session.run([blob], feed)
        want = netsurgery.run(after, feed, [blob])[blob]
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
