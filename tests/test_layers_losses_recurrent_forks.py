"""Losses, recurrent layers and fork layers where the cases of real Caffe have nothing: options, edges and refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cases
import numpy as np
import onnx
import pytest

import netsurgery
from netsurgery.formats.load import from_text

Array = np.ndarray[Any, Any]


def make(
    layers: str, inputs: Mapping[str, Sequence[int]], weights: Mapping[str, Sequence[Array]] = {}
) -> netsurgery.Net:
    """A net of inputs and `layers`."""
    text = "\n".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" '
        f"input_param {{ shape {{ {' '.join(f'dim: {n}' for n in shape)} }} }} }}"
        for name, shape in inputs.items()
    )
    net = from_text(f"{text}\n{layers}", "net.prototxt")
    for name, blobs in weights.items():
        net = net.with_weights(name, *blobs)
    return net


def loss(type: str, bottoms: str, fields: str = "", tops: str = 'top: "y"') -> str:
    named = " ".join(f'bottom: "{b}"' for b in bottoms.split())
    return f'layer {{ name: "l" type: "{type}" {named} {tops} {fields} }}'


def compute(net: netsurgery.Net, **feeds: Any) -> Array:
    """Blob y by the interpreter; ONNX of the oldest and the newest opset, of one export, must give all outputs the same."""
    given = {name: np.asarray(value, np.float32) for name, value in feeds.items()}
    ours = netsurgery.run(net, given, dtype=np.float64)
    for opset in (17, 21):
        model = netsurgery.to_onnx(net, opset=opset)
        onnx.checker.check_model(model, full_check=True)
        session = cases.session(model.SerializeToString())
        names = [o.name for o in session.get_outputs()]
        fed = {i.name: given[i.name] for i in session.get_inputs()}
        for name, got in zip(names, session.run(None, fed), strict=True):
            assert not cases.difference(got, ours[name]), (opset, name, cases.difference(got, ours[name]))
    return ours["y"]


def error(net: netsurgery.Net, **feeds: Any) -> str:
    with pytest.raises(netsurgery.NetsurgeryError) as caught:
        netsurgery.run(net, {name: np.asarray(value, np.float32) for name, value in feeds.items()})
    return str(caught.value)


rng = np.random.default_rng(0)


def normal(*shape: int) -> Array:
    return rng.standard_normal(shape).astype(np.float32)


def labels(classes: int, *shape: int) -> Array:
    return rng.integers(0, classes, shape).astype(np.float32)


# --- losses


@pytest.mark.parametrize(("legacy", "expected"), [("false", (9 + (4 - 2) ** 2) / 4), ("true", (9 + 0) / 4)])
def test_contrastive_loss_of_a_similar_and_a_dissimilar_pair(legacy: str, expected: float) -> None:
    net = make(
        loss("ContrastiveLoss", "a b s", f"contrastive_loss_param {{ margin: 4 legacy_version: {legacy} }}"),
        {"a": (2, 2, 1, 1), "b": (2, 2), "s": (2, 1)},
    )
    y = compute(net, a=np.reshape([3, 0, 0, 2], (2, 2, 1, 1)), b=np.zeros((2, 2)), s=[[1.9], [0.9]])
    assert y == pytest.approx(expected)


def test_euclidean_loss_takes_bottoms_of_one_count() -> None:
    net = make(loss("EuclideanLoss", "a b"), {"a": (2, 3, 2), "b": (2, 6)})
    a, b = normal(4, 3, 2), normal(4, 6)
    assert compute(net, a=a, b=b) == pytest.approx(np.square(a.reshape(4, 6) - b).sum() / 8)


@pytest.mark.parametrize("shape", [(3,), (3, 1, 1, 1), (3, 2)])
def test_hinge_loss_reads_the_first_labels(shape: tuple[int, ...]) -> None:
    x, label = normal(3, 2, 2), labels(4, *shape)
    signs = np.where(np.arange(4) == label.reshape(-1)[:3, None], -1, 1)
    expected = np.maximum(1 + signs * x.reshape(3, 4), 0)
    for norm, power in (("L1", 1), ("L2", 2)):
        net = make(
            loss("HingeLoss", "x label", f"hinge_loss_param {{ norm: {norm} }}"), {"x": (3, 2, 2), "label": shape}
        )
        assert compute(net, x=x, label=label) == pytest.approx((expected**power).sum() / 3)


PLACES = [(1, (4, 6), (4,)), (1, (2, 5, 3, 4), (2, 1, 3, 4)), (1, (2, 5, 3, 4), (2, 3, 4)), (-2, (2, 5, 3), (2, 3))]
DIVISORS = {
    "": "valid",
    "normalization: FULL": "all",
    "normalization: BATCH_SIZE": "outer",
    "normalization: NONE": "one",
    "normalize: false": "outer",
    "normalize: false normalization: VALID": "valid",
}


@pytest.mark.parametrize("fields", DIVISORS)
@pytest.mark.parametrize(("axis", "shape", "label_shape"), PLACES)
def test_softmax_with_loss(axis: int, shape: tuple[int, ...], label_shape: tuple[int, ...], fields: str) -> None:
    at = axis % len(shape)
    if at != 1:
        label_shape = (*shape[:at], *shape[at + 1 :])
    x, label = normal(*shape), labels(shape[at], *label_shape)
    label.flat[0] = 255  # no class, and ignored
    net = make(
        loss(
            "SoftmaxWithLoss",
            "x label",
            f"softmax_param {{ axis: {axis} }} loss_param {{ ignore_label: 255 {fields} }}",
            'top: "y" top: "p"',
        ),
        {"x": shape, "label": label_shape},
    )
    p = np.exp(x) / np.exp(x).sum(axis=at, keepdims=True)
    rows = np.moveaxis(p, at, -1).reshape(-1, shape[at])
    kept = label.reshape(-1) != 255
    total = -np.log(rows[kept, label.reshape(-1)[kept].astype(int)]).sum()
    divisor = {"valid": kept.sum(), "all": kept.size, "outer": np.prod(shape[:at]), "one": 1}[DIVISORS[fields]]
    assert compute(net, x=x, label=label) == pytest.approx(total / divisor)


def test_losses_without_a_label_that_counts_are_zero() -> None:
    for type, shape in (("SoftmaxWithLoss", (2,)), ("SigmoidCrossEntropyLoss", (2, 3))):
        net = make(
            loss(type, "x label", "loss_param { ignore_label: 1 normalization: VALID }"), {"x": (2, 3), "label": shape}
        )
        assert compute(net, x=normal(2, 3), label=np.ones(shape)) == 0


def test_softmax_with_loss_holds_a_vanishing_share_above_zero() -> None:
    net = make(loss("SoftmaxWithLoss", "x label"), {"x": (1, 2), "label": (1,)})
    assert compute(net, x=[[0, 500]], label=[0]) == pytest.approx(-np.log(np.finfo(np.float32).tiny))


def test_infogain_loss_weighs_every_share() -> None:
    x, label, matrix = normal(2, 3, 2), labels(3, 2, 2), normal(1, 1, 3, 3)
    label[0, 0] = 9
    net = make(
        loss("InfogainLoss", "x label h", "loss_param { ignore_label: 9 }"),
        {"x": (2, 3, 2), "label": (2, 2), "h": (1, 1, 3, 3)},
    )
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    total = sum(
        -matrix[0, 0, int(label[n, i]), k] * np.log(p[n, k, i])
        for n in range(2)
        for i in range(2)
        for k in range(3)
        if label[n, i] != 9
    )
    assert compute(net, x=x, label=label, h=matrix) == pytest.approx(total / 3, rel=1e-5)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("", 3 / 2),
        ("loss_param { normalization: VALID }", 3 / 6),
        ("loss_param { ignore_label: 1 normalization: FULL }", 2 / 6),
    ],
)
def test_sigmoid_cross_entropy_loss(fields: str, expected: float) -> None:
    """Six logits, of which three cost log 2 and the others nothing."""
    net = make(loss("SigmoidCrossEntropyLoss", "x t", fields), {"x": (2, 3), "t": (2, 3)})
    x, t = [[0, 0, 0], [99, 99, -99]], [[1, 0, 0], [1, 1, 0]]
    assert compute(net, x=x, t=t) == pytest.approx(expected * np.log(2))


def test_smooth_l1_loss_with_weights_and_sigma() -> None:
    a, b, inside, outside = (normal(2, 3, 1, 2) for _ in range(4))
    shapes = dict.fromkeys("abwv", (2, 3, 1, 2))
    d = np.abs(inside * (a - b))
    three = make(loss("SmoothL1Loss", "a b w"), {k: shapes[k] for k in "abw"})
    assert compute(three, a=a, b=b, w=inside) == pytest.approx(np.where(d < 1, d * d / 2, d - 0.5).sum() / 2)
    four = make(loss("SmoothL1Loss", "a b w v", "smooth_l1_loss_param { sigma: 3 }"), shapes)
    expected = (outside * np.where(d < 1 / 9, 4.5 * d * d, d - 0.5 / 9)).sum() / 2
    assert compute(four, a=a, b=b, w=inside, v=outside) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("layer", "inputs", "expected"),
    [
        (
            loss("InfogainLoss", "x label", 'infogain_loss_param { source: "h.binaryproto" }'),
            {"x": (2, 3), "label": (2,)},
            "net.prototxt:3: layer 'l' (InfogainLoss): the matrix is read from a file: h.binaryproto\n"
            "  expected: the matrix as the third bottom\n"
            "  fix: add an Input of C * C values as third bottom, and feed the matrix",
        ),
        (
            loss("InfogainLoss", "x label"),
            {"x": (2, 3), "label": (2,)},
            "net.prototxt:3: layer 'l' (InfogainLoss): has no matrix\n"
            "  expected: the matrix as the third bottom\n"
            "  fix: add an Input of C * C values as third bottom, and feed the matrix",
        ),
        (
            loss("SoftmaxWithLoss", "x label", "loss_param { normalization: PRE_FIXED }"),
            {"x": (2, 3), "label": (2,)},
            "net.prototxt:3: layer 'l' (SoftmaxWithLoss): normalization is PRE_FIXED\n"
            "  expected: FULL, VALID, BATCH_SIZE or NONE",
        ),
        (
            loss("SoftmaxWithLoss", "x label"),
            {"x": (2, 3, 4), "label": (2, 3)},
            "net.prototxt:3: layer 'l' (SoftmaxWithLoss): labels: 6\n  expected: 8",
        ),
        (
            loss("MultinomialLogisticLoss", "x label"),
            {"x": (2, 3), "label": (2, 2)},
            "net.prototxt:3: layer 'l' (MultinomialLogisticLoss): channels of bottom 1: 2\n  expected: 1",
        ),
        (
            loss("SmoothL1Loss", "x label", "loss_param { normalization: VALID }"),
            {"x": (2, 3), "label": (2, 3)},
            "net.prototxt:3: layer 'l' (SmoothL1Loss): normalization is VALID\n"
            "  expected: BATCH_SIZE\n"
            "  fix: remove the field: the SSD branch ignores it",
        ),
        (
            loss("EuclideanLoss", "x label"),
            {"x": (2, 1, 1, 1, 1), "label": (2, 1)},
            "net.prototxt:3: layer 'l' (EuclideanLoss): bottom 0 has 5 axes: (2, 1, 1, 1, 1)\n  expected: at most 4 axes",
        ),
    ],
)
def test_losses_are_refused(layer: str, inputs: dict[str, tuple[int, ...]], expected: str) -> None:
    net = make(layer, inputs)
    assert error(net, **{name: np.zeros(shape) for name, shape in inputs.items()}) == expected


@pytest.mark.parametrize("type", ["HingeLoss", "MultinomialLogisticLoss", "SoftmaxWithLoss"])
def test_a_label_that_is_no_class_is_refused(type: str) -> None:
    net = make(loss(type, "x label"), {"x": (2, 3), "label": (2,)})
    assert error(net, x=np.ones((2, 3)), label=[0, 3]) == (
        f"net.prototxt:3: layer 'l' ({type}): label 3\n  expected: 0 to 2: the classes"
    )


def test_a_loss_without_a_top_leaves_the_net_as_it_is() -> None:
    net = make(
        'layer { name: "y" type: "Softmax" bottom: "x" top: "y" }' + loss("SoftmaxWithLoss", "x label", tops=""),
        {"x": (2, 3), "label": (2,)},
    )
    assert net.outputs == ("y",)
    assert compute(net, x=normal(2, 3), label=[0, 1]).sum() == pytest.approx(2)


# --- recurrent layers

HIDDEN = 3
INDICATOR = {
    "fed": "",
    "constant": 'layer { name: "i" type: "ContinuationIndicator" top: "cont" '
    "continuation_indicator_param { time_step: 5 batch_size: 2 } }",
    "by batch": 'layer { name: "i" type: "ContinuationIndicator" bottom: "x" top: "cont" '
    "continuation_indicator_param { time_step: 5 axis: 1 } }",
}


def recurrent(type: str, static: bool, exposed: bool, how: str) -> netsurgery.Net:
    gates, states = (4, "hc") if type == "LSTM" else (1, "h")
    inputs: dict[str, tuple[int, ...]] = {"x": (5, 2, 2, 2)}
    if how == "fed":
        inputs["cont"] = (5, 2)
    if static:
        inputs["s"] = (2, 3)
    if exposed:
        inputs |= dict.fromkeys(states, (1, 2, HIDDEN))
    bottoms = " ".join(f'bottom: "{b}"' for b in ("x", "cont", *"s" * static, *states * exposed))
    tops = " ".join(f'top: "{t}"' for t in ("y", *(f"{s}T" for s in states * exposed)))
    draw = np.random.default_rng(1)
    shapes: list[tuple[int, ...]] = [(gates * HIDDEN, 4), (gates * HIDDEN,)]
    shapes += [(gates * HIDDEN, 3)] * static + [(gates * HIDDEN, HIDDEN)]
    shapes += [(HIDDEN, HIDDEN), (HIDDEN,)] if type == "RNN" else []
    return make(
        f'{INDICATOR[how]} layer {{ name: "l" type: "{type}" {bottoms} {tops} recurrent_param {{ num_output: {HIDDEN} '
        f"expose_hidden: {str(exposed).lower()} }} }}",
        inputs,
        {"l": [draw.standard_normal(shape).astype(np.float32) for shape in shapes]},
    )


@pytest.mark.parametrize("exposed", [False, True])
@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("type", ["LSTM", "RNN"])
def test_known_indicators_give_what_fed_ones_give(type: str, static: bool, exposed: bool) -> None:
    feeds = {"x": normal(5, 2, 2, 2), "s": normal(2, 3), "h": normal(1, 2, HIDDEN), "c": normal(1, 2, HIDDEN)}
    cont = np.ones((5, 2), np.float32)
    cont[0] = 0
    found = []
    for how in INDICATOR:
        net = recurrent(type, static, exposed, how)
        given = {name: value for name, value in {**feeds, "cont": cont}.items() if name in net.inputs}
        found.append(compute(net, **given))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize("type", ["LSTM", "RNN"])
def test_a_sequence_that_ends_takes_its_state_with_it(type: str) -> None:
    net = recurrent(type, static=True, exposed=True, how="fed")
    feeds = {"x": normal(5, 2, 2, 2), "s": normal(2, 3), "h": normal(1, 2, HIDDEN), "c": normal(1, 2, HIDDEN)}
    feeds = {name: value for name, value in feeds.items() if name in net.inputs}
    cont = np.ones((5, 2), np.float32)
    through = compute(net, cont=cont, **feeds)
    cont[2, 1] = 0
    cut = compute(net, cont=cont, **feeds)
    np.testing.assert_array_equal(cut[:, 0], through[:, 0])
    np.testing.assert_array_equal(cut[:2, 1], through[:2, 1])
    assert np.abs(cut[2:, 1] - through[2:, 1]).max() > 1e-3


def test_an_lstm_whose_sequences_are_known_is_one_node() -> None:
    for how, node in (("constant", "LSTM"), ("fed", "Scan")):
        model = netsurgery.to_onnx(recurrent("LSTM", static=False, exposed=False, how=how))
        assert node in {n.op_type for n in model.graph.node}


def test_a_recurrent_layer_that_lacks_its_states_is_refused() -> None:
    net = make(
        'layer { name: "l" type: "LSTM" bottom: "x" bottom: "cont" top: "y" recurrent_param { num_output: 3 expose_hidden: true } }',
        {"x": (5, 2, 4), "cont": (5, 2)},
    )
    assert error(net, x=np.zeros((5, 2, 4)), cont=np.zeros((5, 2))) == (
        "net.prototxt:3: layer 'l' (LSTM): 2 bottoms\n"
        "  expected: 4 or 5: x, indicators, a static input or not, 2 states"
    )


def test_an_indicator_without_sizes_is_refused() -> None:
    net = make(
        'layer { name: "l" type: "ContinuationIndicator" top: "y" continuation_indicator_param { time_step: 4 } }', {}
    )
    assert error(net) == (
        "net.prototxt:2: layer 'l' (ContinuationIndicator): batch_size is 0\n  expected: a positive number, or a bottom"
    )


def test_the_ocr_lstm_reads_its_clip_at_step_plus_stream() -> None:
    """As the forks do: stream n of step t begins where clip[t + n] is 0, not clip[t * N + n]."""
    draw = np.random.default_rng(2)
    blobs = [draw.standard_normal(shape).astype(np.float32) for shape in ((12, 2), (12, 3), (12,))]
    layer = 'layer {{ name: "l" type: "Lstm" bottom: "x" {} top: "y" lstm_param {{ num_output: 3 }} }}'
    both = make(layer.format('bottom: "clip"'), {"x": (4, 2, 2), "clip": (8,)}, {"l": blobs})
    one = make(layer.format('bottom: "clip"'), {"x": (4, 1, 2), "clip": (4,)}, {"l": blobs})
    x, clip = normal(4, 2, 2), np.array([0, 1, 0, 1, 1, 9, 9, 9], np.float32)
    y = compute(both, x=x, clip=clip)
    for n in range(2):
        np.testing.assert_allclose(compute(one, x=x[:, n : n + 1], clip=clip[n : n + 4])[:, 0], y[:, n], rtol=1e-12)
    plain = make(layer.format(""), {"x": (4, 2, 2)}, {"l": blobs})
    np.testing.assert_allclose(compute(plain, x=x)[:, 1], compute(one, x=x[:, 1:], clip=[0, 1, 1, 1])[:, 0], rtol=1e-12)


# --- fork layers


def test_reverse_time_leaves_nothing_behind_a_sequence() -> None:
    x = np.arange(1, 13, dtype=np.float32).reshape(4, 3)
    layer = 'layer {{ name: "l" type: "ReverseTime" bottom: "x" bottom: "n" top: "y" reverse_time_param {{ copy_remaining: {} }} }}'
    inputs = {"x": (4, 3), "n": (3,)}
    expected = np.array([[7, 2, 12], [4, 0, 9], [1, 0, 6], [0, 0, 3]])
    np.testing.assert_array_equal(compute(make(layer.format("false"), inputs), x=x, n=[3, 1, 4]), expected)
    expected[1:, 1], expected[3, 0] = [5, 8, 11], 10
    np.testing.assert_array_equal(compute(make(layer.format("true"), inputs), x=x, n=[3, 1, 4]), expected)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("", [1, 1, 2, -1, -1, -1]),
        ("ctc_merge_repeated: false", [1, 1, 1, 2, 2, -1]),
        ("blank_index: 2", [1, 0, 1, -1, -1, -1]),
        ("blank_index: -1 ctc_merge_repeated: false", [1, 1, 0, 1, -1, -1]),
    ],
)
def test_the_ctc_decoder_spells(fields: str, expected: list[int]) -> None:
    best = [1, 1, 0, 1, 2, 2]
    net = make(
        f'layer {{ name: "l" type: "CTCGreedyDecoder" bottom: "x" top: "y" ctc_decoder_param {{ {fields} }} }}',
        {"x": (6, 1, 3)},
    )
    assert compute(net, x=np.eye(3)[best][:, None]).ravel().tolist() == expected


def test_flow_warp_sees_the_last_pixel_alone_behind_it() -> None:
    net = make(
        'layer { name: "l" type: "FlowWarp" bottom: "x" bottom: "f" top: "y" flow_warp_param { fill_value: NOT_A_NUMBER } }',
        {"x": (1, 1, 1, 4), "f": (1, 2, 1, 4)},
    )
    flow = np.zeros((1, 2, 1, 4))
    flow[0, 0, 0] = [-0.25, 0.5, 1.75, 1]
    y = compute(net, x=np.reshape([1, 2, 4, 8], (1, 1, 1, 4)), f=flow)
    np.testing.assert_array_equal(y.ravel(), [np.nan, 3, 8, np.nan])


def test_correlation_crops_what_displacements_cannot_reach() -> None:
    net = make(
        'layer { name: "l" type: "Correlation" bottom: "a" bottom: "b" top: "y" '
        "correlation_param { kernel_size: 3 max_displacement: 1 stride_1: 2 } }",
        {"a": (1, 2, 7, 8), "b": (1, 2, 7, 8)},
    )
    a, b = normal(1, 2, 7, 8), normal(1, 2, 7, 8)
    expected = [
        [
            [
                (
                    a[0, :, i * 2 + 1 : i * 2 + 4, j * 2 + 1 : j * 2 + 4]
                    * b[0, :, i * 2 + 1 + dy : i * 2 + 4 + dy, j * 2 + 1 + dx : j * 2 + 4 + dx]
                ).mean()
                for j in range(2)
            ]
            for i in range(2)
        ]
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
    ]
    np.testing.assert_allclose(compute(net, a=a, b=b)[0], expected, rtol=1e-5, atol=1e-6)


def test_psroi_pooling_keeps_small_bins_exact_on_large_maps() -> None:
    """Sums over a whole map are large beside those of a bin: they are kept in double."""
    net = make(
        'layer { name: "l" type: "PSROIPooling" bottom: "x" bottom: "r" top: "y" '
        "psroi_pooling_param { spatial_scale: 1 output_dim: 1 group_size: 1 } }",
        {"x": (1, 1, 200, 300), "r": (1, 5)},
    )
    x = 1000 + normal(1, 1, 200, 300)
    session = cases.session(netsurgery.to_onnx(net).SerializeToString())
    (y,) = session.run(None, {"x": x, "r": np.array([[0, 297, 197, 297, 197]], np.float32)})
    assert y.item() == x[0, 0, 197, 297]


def test_regions_of_items_that_are_not_there_are_refused() -> None:
    net = make(
        'layer { name: "l" type: "ROIPooling" bottom: "x" bottom: "r" top: "y" roi_pooling_param { pooled_h: 2 pooled_w: 2 } }',
        {"x": (2, 1, 4, 4), "r": (1, 5)},
    )
    assert error(net, x=np.zeros((2, 1, 4, 4)), r=[[2, 0, 0, 1, 1]]) == (
        "net.prototxt:3: layer 'l' (ROIPooling): a roi of item 2\n  expected: 0 to 1: the items of bottom 0"
    )


def test_roi_pooling_is_refused_where_runtimes_lack_its_operator() -> None:
    net = make(
        'layer { name: "l" type: "ROIPooling" bottom: "x" bottom: "r" top: "y" '
        "roi_pooling_param { pooled_h: 2 pooled_w: 2 } }",
        {"x": (2, 1, 4, 4), "r": (1, 5)},
    )
    with pytest.raises(netsurgery.UnsupportedError) as caught:
        netsurgery.to_onnx(net, opset=22)
    assert str(caught.value) == (
        "net.prototxt:3: layer 'l' (ROIPooling): opset 22: onnxruntime has no MaxRoiPool of it\n"
        "  expected: up to 21\n"
        "  fix: --opset 21"
    )


def test_pooling_3d_may_end_in_the_padding() -> None:
    """Kernel 2, stride 2, pad 1 on 4 columns: BVLC would drop a third window, C3D keeps it: half of it is the padding."""
    net = make(
        'layer { name: "l" type: "Pooling3D" bottom: "x" top: "y" '
        "pooling3d_param { pool: AVE kernel_size: 2 kernel_depth: 1 stride: 2 pad: 1 } }",
        {"x": (1, 1, 1, 4, 4)},
    )
    y = compute(net, x=np.ones((1, 1, 1, 4, 4)))
    np.testing.assert_array_equal(y[0, 0, 0], [[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]])


def test_pooling_3d_of_nothing_is_the_lowest_number() -> None:
    layer = (
        'layer {{ name: "l" type: "Pooling3D" bottom: "x" top: "y" '
        "pooling3d_param {{ pool: {} kernel_size: 1 kernel_depth: 1 stride: 3 }} }}"
    )
    y = compute(make(layer.format("MAX"), {"x": (1, 1, 1, 2, 2)}), x=np.ones((1, 1, 1, 2, 2)))
    lowest = np.finfo(np.float32).min
    np.testing.assert_array_equal(y[0, 0, 0], [[1, lowest], [lowest, lowest]])
    assert error(make(layer.format("AVE"), {"x": (1, 1, 1, 2, 2)}), x=np.ones((1, 1, 1, 2, 2))) == (
        "net.prototxt:2: layer 'l' (Pooling3D): a window lies outside the bottom, of size 2\n"
        "  expected: windows that hold at least one value"
    )


@pytest.mark.parametrize(
    ("fields", "tops", "blobs"),
    [
        ("", 'top: "y"', 4),
        ("bn_param { slope_filler { value: 1 } frozen: true }", 'top: "y"', 4),
        ("bn_param { icnet: true bn_mode: LEARN }", 'top: "y"', 0),
        ("bn_param { bn_mode: INFERENCE }", 'top: "y"', 2),
        ("bn_param { scale_filler { value: 1 } }", 'top: "y"', 2),
        ("", 'top: "y" top: "m" top: "v"', 2),
    ],
)
def test_bn_is_told_apart_without_weights(fields: str, tops: str, blobs: int) -> None:
    net = make(f'layer {{ name: "l" type: "BN" bottom: "x" {tops} {fields} }}', {"x": (2, 3, 4, 4)})
    if not blobs:
        assert error(net, x=np.zeros((2, 3, 4, 4))) == (
            "net.prototxt:2: layer 'l' (BN): bn_mode with the blobs of PSPNet's form\n  expected: 2 blobs, or no bn_mode"
        )
    else:
        assert net["l"].kind.weight_shapes([(2, 3, 4, 4)]) == [(1, 3, 1, 1)] * blobs


@pytest.mark.parametrize("fields", ["bn_param { bn_mode: INFERENCE }", ""])
def test_bn_becomes_part_of_a_depthwise_convolution(fields: str) -> None:
    blobs = [normal(1, 3, 1, 1) for _ in range(2 if fields else 4)]
    if not fields:
        blobs[3] = np.abs(blobs[3])
    net = make(
        'layer { name: "c" type: "ConvolutionDepthwise" bottom: "x" top: "y" convolution_param { kernel_size: 2 bias_term: false } }'
        f'layer {{ name: "b" type: "BN" bottom: "y" top: "y" {fields} }}',
        {"x": (1, 3, 4, 5)},
        {"c": [normal(3, 1, 2, 2)], "b": blobs},
    )
    assert [node.op_type for node in netsurgery.to_onnx(net).graph.node] == ["Conv"]
    compute(net, x=normal(2, 3, 6, 5))


@pytest.mark.parametrize("factor", [0, 2.5])
@pytest.mark.parametrize("bottleneck", [False, True])
def test_a_dense_block_divides_its_statistics_by_the_factor(bottleneck: bool, factor: float) -> None:
    steps, growth, channels = 2, 2, 3
    wide = [channels + t * growth for t in range(steps)]
    blobs = [normal(growth, 4 * growth if bottleneck else c, 3, 3) for c in wide]
    blobs += [np.abs(normal(1, c, 1, 1)) for _ in range(4) for c in wide]
    if bottleneck:
        blobs += [normal(4 * growth, c, 1, 1) for c in wide]
        blobs += [np.abs(normal(1, 4 * growth, 1, 1)) for _ in range(4) for c in wide]
    net = make(
        'layer { name: "l" type: "DenseBlock" bottom: "x" top: "y" '
        f"denseblock_param {{ numTransition: 2 growthRate: 2 use_BC: {str(bottleneck).lower()} }} }}",
        {"x": (1, 3, 4, 5)},
        {"l": [*blobs, np.array([factor], np.float32)]},
    )
    x = normal(2, 3, 6, 4)
    y = compute(net, x=x)
    assert y.shape == (2, 7, 6, 4)
    np.testing.assert_array_equal(y[:, :3], x)


def test_weights_of_a_local_layer_tie_the_input_to_one_size() -> None:
    net = make(
        'layer { name: "l" type: "Local" bottom: "x" top: "y" local_param { num_output: 2 kernel_size: 3 stride: 2 pad: 1 } }',
        {"x": (1, 2, 5, 6)},
        {"l": [normal(2, 1, 18, 9), normal(1, 1, 2, 9)]},
    )
    (x,) = netsurgery.to_onnx(net).graph.input
    assert [d.dim_value for d in x.type.tensor_type.shape.dim] == [0, 2, 5, 6]
    compute(net, x=normal(3, 2, 5, 6))
