"""netsurgery.verify: what it compares, on what, and what it says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import cases
import numpy as np
import onnx
import pytest

import netsurgery
from netsurgery.errors import MismatchError, NetsurgeryError
from netsurgery.formats.load import from_text
from netsurgery.net import Net

ALL = cases.find("conformance", "conformance-forks")
assert ALL, "fixtures/ holds no cases"
MODELS = Path(__file__).parent.parent.parent / "shared" / "models"
DIGITS = cases.FIXTURES / "digits"

SMALL = """name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 12 dim: 10 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" inner_product_param { num_output: 7 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""


def small(text: str = SMALL, seed: int = 1) -> Net:
    return netsurgery.initialize(from_text(text, "small.prototxt"), seed, "random")


def digits() -> Net:
    return netsurgery.load(DIGITS / "deploy.prototxt", DIGITS / "digits.caffemodel")


def damaged(net: Net, layer: str = "conv") -> Net:
    weights = [np.array(w) for w in net[layer].weights]
    weights[-1].flat[0] += 1  # the bias
    return net.with_weights(layer, *weights)


def prepared(case: Path) -> Net:
    net = cases.load(case)
    return netsurgery.convolutionalize(net) if "surgery" in case.parts else net


@pytest.mark.parametrize("case", ALL, ids=cases.name)
def test_every_case_agrees(case: Path) -> None:
    """With the float64 reference at three sizes, and with what real Caffe computed."""
    net = prepared(case)
    recorded = str(case / "runs.npz")
    report = netsurgery.verify(net, netsurgery.to_onnx(net), against=["netsurgery", recorded])
    assert report.passed, report.first_difference
    assert len(report.cases) > len(cases.runs(case))
    for found in report.cases:
        assert found.comparisons


@pytest.mark.parametrize("case", ALL[::7], ids=cases.name)
def test_the_reference_agrees_with_caffe(case: Path) -> None:
    """netsurgery.run in float64, as the model, held against the recorded numbers."""
    net = prepared(case)
    report = netsurgery.verify(net, net, against=str(case / "runs.npz"))
    assert report.passed, report.first_difference


@pytest.mark.skipif(not MODELS.exists(), reason="the trained models are not here")
@pytest.mark.parametrize("name", ["lenet_mnist", "mtcnn_det1", "face_12c", "pcn_1"])
def test_trained_models_agree(name: str) -> None:
    folder = MODELS / name
    net = netsurgery.load(folder / "net.prototxt", folder / "net.caffemodel")
    model = netsurgery.to_onnx(net)
    report = netsurgery.verify(net, model, against=["netsurgery", str(folder / "runs.npz")])
    assert report.passed, report.first_difference


def test_what_a_report_holds() -> None:
    net = small()
    report = netsurgery.verify(net, netsurgery.to_onnx(net), seed=3)
    assert report.passed
    assert bool(report)
    assert report.verdict == "agrees"
    assert report.first_difference is None
    assert [case.title for case in report.cases] == [f"data {n}x3x12x10, random (seed 3)" for n in (1, 2, 3)]
    first = report.cases[0]
    assert [c.blob for c in first.comparisons] == ["conv@conv", "conv", "pool", "fc", "prob"]
    assert [c.is_output for c in first.comparisons] == [False] * 4 + [True]
    assert [c.layer for c in first.comparisons][:2] == ["'conv' (Convolution)", "'relu' (ReLU)"]
    assert str(first.comparisons[0].source) == "small.prototxt:3"
    assert first.comparisons[2].measure.shape == (1, 4, 5, 4)
    assert all(0 < c.measure.max_rel < 1e-5 and c.measure.snr_db > 100 for c in first.comparisons)
    assert first.top_five[0].blob == "prob"
    assert (first.top_five[0].first, first.top_five[0].sets, first.top_five[0].k) == (1.0, 1.0, 5)
    made = json.loads(json.dumps(report.to_json()))
    assert made["passed"] is True
    assert made["cases"][1]["blobs"][4]["blob"] == "prob"
    assert {"netsurgery", "numpy", "onnx", "onnxruntime", "python"} <= set(made["versions"])


def test_the_first_blob_that_is_off_is_named() -> None:
    net = small()
    report = netsurgery.verify(net, netsurgery.to_onnx(damaged(net, "fc")), batches=[1])
    first = report.first_difference
    assert first is not None
    assert (first.blob, first.layer, str(first.source)) == ("fc", "'fc' (InnerProduct)", "small.prototxt:6")
    assert report.verdict == "differs"
    assert [c.blob for c in report.cases[0].comparisons if c.passed][:3] == ["conv@conv", "conv", "pool"]
    assert first.remark.endswith("it computes wrongly")
    assert first.measure.where is not None
    assert first.measure.where[1] == 0


def test_assert_equivalent_says_what_differs() -> None:
    net = small()
    netsurgery.assert_equivalent(net, netsurgery.to_onnx(net))
    with pytest.raises(MismatchError) as caught:
        netsurgery.assert_equivalent(net, netsurgery.to_onnx(damaged(net)), batches=[1, 2])
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("small.prototxt:3: layer 'conv' (Convolution): blob 'conv@conv': off by 0.0"), lines[0]
    assert lines[1:4] == [
        "  expected: 0.0001 of its largest value, by netsurgery.run (float64)",
        "  inputs: data 1x3x12x10, random (seed 0)",
        "  differs in 2 of 2 cases",
    ]
    assert lines[4] == "  blobs around it, in the order of the net:"
    assert lines[5].split() == ["blob", "layer", "shape", "max", "abs", "max", "rel", "at", "cosine", "SNR"]
    assert [line.split()[0] for line in lines[6:10]] == ["conv@conv", "conv", "pool", "fc"]
    assert lines[6].endswith("OFF")
    assert lines[-1].startswith("  note: its layer is off by ")


def test_tolerances() -> None:
    net = small()
    slightly = net.with_weights("fc", net["fc"].weights[0] * np.float32(1 + 1e-5), net["fc"].weights[1])
    model = netsurgery.to_onnx(slightly)
    assert netsurgery.verify(net, model, batches=[1]).passed
    assert not netsurgery.verify(net, model, batches=[1], rtol=1e-6).passed
    assert netsurgery.verify(net, model, batches=[1], rtol=1e-6, atol=1.0).passed


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_an_error_unless_both_have_it(bad: float) -> None:
    net = small()
    broken = [np.array(w) for w in net["fc"].weights]
    broken[1][2] = bad
    wrong = net.with_weights("fc", *broken)
    report = netsurgery.verify(net, netsurgery.to_onnx(wrong), batches=[1])
    assert report.first_difference is not None
    assert report.first_difference.blob == "fc"
    assert report.first_difference.problem.startswith(f"{bad} where the reference has ")
    assert report.first_difference.problem.endswith(" at (0, 2)")
    json.dumps(report.to_json(), allow_nan=False)
    assert not netsurgery.verify(wrong, netsurgery.to_onnx(net), batches=[1]).passed
    assert netsurgery.verify(wrong, netsurgery.to_onnx(wrong), batches=[1]).passed


def test_numbers_beyond_float32_are_infinite_in_both() -> None:
    net = from_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 4 } } }\n'
        'layer { name: "e" type: "Exp" bottom: "x" top: "e" }\n'
    )
    feed = {"x": np.array([[1, 100, -200, 5]], np.float32)}
    report = netsurgery.verify(net, netsurgery.to_onnx(net), inputs=feed)
    assert report.passed, report.first_difference


def test_a_near_tie_may_go_either_way() -> None:
    """What is chosen is held to the layer's own bottoms in the model; what follows is computed from the model's choice."""
    net = from_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 1 dim: 1 } } }\n'
        'layer { name: "p" type: "Power" bottom: "x" top: "p" power_param { scale: 1 } }\n'
        'layer { name: "a" type: "ArgMax" bottom: "p" top: "a" argmax_param { axis: 1 } }\n'
        'layer { name: "s" type: "Power" bottom: "a" top: "s" power_param { scale: 3 } }\n'
    )
    other = from_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 1 dim: 1 } } }\n'
        'layer { name: "d" type: "Input" top: "d" input_param { shape { dim: 1 dim: 3 dim: 1 dim: 1 } } }\n'
        'layer { name: "p" type: "Eltwise" bottom: "x" bottom: "d" top: "p" }\n'
        'layer { name: "a" type: "ArgMax" bottom: "p" top: "a" argmax_param { axis: 1 } }\n'
        'layer { name: "s" type: "Power" bottom: "a" top: "s" power_param { scale: 3 } }\n'
    )
    model = netsurgery.to_onnx(other)
    for entry in [v for v in model.graph.input if v.name == "d"]:
        model.graph.input.remove(entry)
    tie = np.array([1, 1.00002, 0], np.float32).reshape(1, 3, 1, 1)
    for nudge, passes in (([4e-5, 0, 0], True), ([0.5, 0, 0], False)):
        made = onnx.ModelProto()
        made.CopyFrom(model)
        made.graph.initializer.append(
            onnx.numpy_helper.from_array(np.array(nudge, np.float32).reshape(1, 3, 1, 1), "d")
        )
        report = netsurgery.verify(net, made, inputs={"x": tie})
        assert report.passed == passes
        found = {c.blob: c for c in report.cases[0].comparisons}
        assert found["a"].rule == "choices"
        assert found["a"].passed  # right on its own bottoms
        assert found["a"].remark == "near-ties went another way than in the reference"
        assert found["s"].passed
        if not passes:
            assert report.first_difference is not None
            assert report.first_difference.blob == "p"


def test_what_float32_cannot_compute_better_is_no_error() -> None:
    """A sum that cancels magnifies rounding: what is off by no more than float32 itself is off is excused; what is off by more is not."""
    net = from_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 400 } } }\n'
        'layer { name: "y" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 1 } }\n'
        'layer { name: "s" type: "Sigmoid" bottom: "y" top: "s" }\n'
    )
    rng = np.random.default_rng(0)
    x, w = rng.normal(0, 100, (1, 400)).astype(np.float32), rng.normal(0, 100, (1, 400)).astype(np.float32)
    bias = np.float32(20 - (np.float64(x) @ np.float64(w).T).item())
    net = net.with_layers(replace(n, weights=(w, np.array([bias]))) if n.name == "y" else n for n in net.layers)
    report = netsurgery.verify(net, netsurgery.to_onnx(net), inputs={"x": x})
    y, s = report.cases[0].comparisons
    assert report.passed
    assert 1e-4 < y.measure.max_rel < 1e-2
    assert (y.rule, s.passed) == ("rounding", True)
    assert re.fullmatch(r"float32 itself is off by .* here: numbers cancel", y.remark)
    wrong = w.copy()
    wrong[0, np.abs(x).argmin()] *= 1.01
    worse = net.with_weights("y", wrong, np.array([bias]))
    report = netsurgery.verify(net, netsurgery.to_onnx(worse), inputs={"x": x})
    assert report.first_difference is not None
    assert report.first_difference.blob == "y"
    exact = netsurgery.verify(net, net.with_weights("y", w, np.array([bias + np.float32(16)])), inputs={"x": x})
    assert not exact.passed  # a net in float64 has no such excuse


def test_columns_are_held_each_by_itself() -> None:
    """A label of 1000 must not excuse a wrong score."""
    from netsurgery.verification.compare import Tolerance, measure, measure_rows

    rows = np.array([[0, 1000, 0.5, 0.1, 0.1, 0.9, 0.9], [0, 1001, 0.4, 0.2, 0.2, 0.7, 0.7]])
    off = rows.copy()
    off[1, 2] += 0.01
    assert measure(rows, off).passed
    assert not measure(rows, off, columns=-1).passed
    assert measure(rows, off, columns=-1).where == (1, 2)
    swapped = rows[::-1].copy()
    assert not measure_rows(rows, swapped, Tolerance(), -1).passed  # they stand in the order of their scores
    tied = np.array([[0, 7, 0.5, 0.1, 0.1, 0.9, 0.9], [0, 7, 0.5 + 1e-9, 0.2, 0.2, 0.7, 0.7]])
    assert measure_rows(tied, tied[::-1].copy(), Tolerance(), -1).passed
    scores = np.array([[0.5], [0.4]])
    assert not measure_rows(scores, scores[::-1].copy(), Tolerance(), -1).passed


def test_models_in_memory_and_on_disk(tmp_path: Path) -> None:
    """Bytes, ModelProto, embedded, external and linked weights: all the same numbers, none of the files touched."""
    net = digits()
    model = netsurgery.to_onnx(net)
    folder = tmp_path / "digits"
    folder.mkdir()
    for name in ("deploy.prototxt", "digits.caffemodel"):
        (folder / name).write_bytes((DIGITS / name).read_bytes())
    net = netsurgery.load(folder / "deploy.prototxt", folder / "digits.caffemodel")
    models: list[Any] = [model, model.SerializeToString()]
    for mode in ("embed", "external", "link"):
        netsurgery.save_onnx(net, folder / f"{mode}.onnx", weights=mode)
        models.append(folder / f"{mode}.onnx")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    reports = [netsurgery.verify(net, m, batches=[2]) for m in models]
    assert all(report.passed for report in reports)
    errors = {tuple(c.measure.max_abs for c in report.cases[0].comparisons) for report in reports}
    assert len(errors) == 1
    assert len(reports[0].cases[0].comparisons) >= 5
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_large_weights_are_left_in_the_file(tmp_path: Path) -> None:
    from netsurgery.verification.runtimes.exposed import read_light

    net = digits()
    netsurgery.save_onnx(net, tmp_path / "model.onnx")
    light = read_light(tmp_path / "model.onnx")
    size = (tmp_path / "model.onnx").stat().st_size
    assert light.proto.ByteSize() < size / 10
    whole = onnx.load(tmp_path / "model.onnx")
    onnx.load_external_data_for_model(light.proto, str(tmp_path))
    for a, b in zip(
        sorted(light.proto.graph.initializer, key=lambda t: t.name),
        sorted(whole.graph.initializer, key=lambda t: t.name),
        strict=True,
    ):
        assert np.array_equal(onnx.numpy_helper.to_array(a), onnx.numpy_helper.to_array(b))
    assert light.proto.graph.node == whole.graph.node
    assert light.proto.metadata_props == whole.metadata_props


def test_what_the_model_records_of_its_sources(tmp_path: Path) -> None:
    for name in ("deploy.prototxt", "digits.caffemodel"):
        (tmp_path / name).write_bytes((DIGITS / name).read_bytes())
    net = netsurgery.load(tmp_path / "deploy.prototxt", tmp_path / "digits.caffemodel")
    netsurgery.save_onnx(net, tmp_path / "embed.onnx")
    netsurgery.save_onnx(net, tmp_path / "link.onnx", weights="link")
    embed = netsurgery.verify(net, tmp_path / "embed.onnx", batches=[1])
    assert embed.sources == {
        "prototxt": "deploy.prototxt: same (sha256)",
        "weights": "digits.caffemodel: same (sha256)",
    }
    link = netsurgery.verify(net, tmp_path / "link.onnx", batches=[1])
    assert link.sources["weights"].startswith("digits.caffemodel: same size and structure; its values are not checked")
    with (tmp_path / "deploy.prototxt").open("a") as file:
        file.write("# a remark\n")
    changed = netsurgery.load(tmp_path / "deploy.prototxt", tmp_path / "digits.caffemodel")
    report = netsurgery.verify(changed, tmp_path / "embed.onnx", batches=[1])
    assert report.passed
    assert report.sources["prototxt"].startswith("deploy.prototxt: differs (sha256 ")
    assert any(n.startswith("the model was made from another prototxt file: ") for n in report.notes)
    made = netsurgery.verify(small(), netsurgery.to_onnx(small()), batches=[1])
    assert made.sources == {"prototxt": "small.prototxt: not checked: the net did not come from a file"}


def test_damaged_weights_in_a_linked_caffemodel_are_found(tmp_path: Path) -> None:
    for name in ("deploy.prototxt", "digits.caffemodel"):
        (tmp_path / name).write_bytes((DIGITS / name).read_bytes())
    original = digits()
    net = netsurgery.load(tmp_path / "deploy.prototxt", tmp_path / "digits.caffemodel")
    netsurgery.save_onnx(net, tmp_path / "link.onnx", weights="link")
    data = bytearray((tmp_path / "digits.caffemodel").read_bytes())
    largest = max((w for layer in original.layers for w in layer.weights), key=lambda w: w.size)
    at = bytes(data).find(np.ascontiguousarray(largest).tobytes())
    assert at > 0
    data[at : at + 4000] = np.full(1000, 0.5, np.float32).tobytes()
    (tmp_path / "digits.caffemodel").write_bytes(data)
    assert not netsurgery.verify(original, tmp_path / "link.onnx", batches=[1]).passed


def renamed_model(net: Net, names: dict[str, str]) -> onnx.ModelProto:
    """The net's model as another converter might have written it."""
    model = netsurgery.to_onnx(net)
    del model.metadata_props[:]
    model.producer_name = "somebody"
    for node in model.graph.node:
        for places in (node.input, node.output):
            for i, value in enumerate(places):
                places[i] = names.get(value, value)
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    del model.graph.value_info[:]
    return model


def test_models_of_other_converters_are_paired() -> None:
    net = small()
    model = renamed_model(net, {"data": "input_1", "prob": "output_0"})
    report = netsurgery.verify(net, model)
    assert report.passed
    assert [c.blob for c in report.cases[0].comparisons] == ["prob"]
    assert report.notes[:3] == (
        "inputs paired by position: data = input_1",
        "outputs paired by position: prob = output_0",
        "only outputs are compared: netsurgery did not write this model, and its blobs may mean something else",
    )
    every = netsurgery.verify(net, model, inner=True, batches=[1])
    assert [c.blob for c in every.cases[0].comparisons] == ["conv@conv", "conv", "pool", "fc", "prob"]
    wrong = renamed_model(damaged(net), {"data": "input_1", "prob": "output_0"})
    assert not netsurgery.verify(net, wrong).passed
    named = netsurgery.verify(net, model, names={"data": "input_1", "prob": "output_0", "pool": "pool"}, inner=True)
    assert named.passed


def test_an_output_that_the_model_lacks_is_no_agreement() -> None:
    net = small()
    model = netsurgery.to_onnx(net, outputs=["fc"])
    with pytest.raises(NetsurgeryError) as caught:
        netsurgery.verify(net, model)
    assert str(caught.value) == (
        "the model has no output 'prob' of the net\n"
        "  expected: its outputs: fc\n"
        "  fix: --map prob=NAME says what it is called there; --output BLOB compares only some"
    )
    report = netsurgery.verify(net, model, outputs=["fc"], batches=[1])
    assert [c.blob for c in report.cases[0].comparisons if c.is_output] == ["fc"]


def test_an_input_that_the_net_lacks_is_told() -> None:
    net = small()
    model = netsurgery.to_onnx(net)
    model.graph.input.append(onnx.helper.make_tensor_value_info("mask", 1, [1]))
    with pytest.raises(NetsurgeryError, match="the model wants an input 'mask', which the net does not have"):
        netsurgery.verify(net, model)


def test_caffe_against_caffe() -> None:
    net = digits()
    report = netsurgery.verify(net, netsurgery.convolutionalize(net), rtol=1e-9)
    assert not report.passed  # shapes of the fully connected layers' tops
    twin = net.with_layers(replace(layer) for layer in net.layers)
    assert netsurgery.verify(net, twin, rtol=0, atol=0).passed
    last = [layer for layer in net.layers if layer.weights][-1]
    report = netsurgery.verify(net, damaged(net, last.name), batches=[1])
    assert report.runtime == "netsurgery"
    assert report.first_difference is not None
    assert report.first_difference.layer == last.title


# Inputs


def fully_convolutional(text: str = SMALL) -> Net:
    cut = "".join(line + "\n" for line in text.splitlines() if '"fc"' not in line and '"prob"' not in line)
    return small(cut)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [(1, 3, 12, 10), (2, 3, 13, 13), (1, 3, 11, 13)]),
        ({"sizes": [20]}, [(1, 3, 20, 20)]),
        ({"sizes": [20, (9, 31)], "batches": [1, 4]}, [(n, 3, h, w) for h, w in ((20, 20), (9, 31)) for n in (1, 4)]),
        ({"batches": [5]}, [(5, 3, 12, 10)]),
        ({"shapes": [{"data": (2, 3, 8, 9)}]}, [(2, 3, 8, 9)]),
    ],
)
def test_sizes(options: dict[str, Any], expected: list[tuple[int, ...]]) -> None:
    net = fully_convolutional()
    report = netsurgery.verify(net, netsurgery.to_onnx(net), **options)
    assert report.passed
    titles = [case.title.split(",")[0] for case in report.cases]
    assert titles == [f"data {'x'.join(map(str, shape))}" for shape in expected]


def test_a_static_model_is_compared_at_its_size() -> None:
    net = fully_convolutional()
    model = netsurgery.to_onnx(net, input_shapes={"data": [1, 3, 9, "w"]})
    report = netsurgery.verify(net, model)
    assert {case.title.split(",")[0].rsplit("x", 1)[0] for case in report.cases} == {"data 1x3x9"}
    with pytest.raises(NetsurgeryError) as caught:
        netsurgery.verify(net, model, sizes=[10])
    assert str(caught.value) == ("axis 2 of input 'data' cannot be 10: the model has it fixed at 9\n  expected: 9")


def test_a_size_that_a_layer_ties_down_is_refused() -> None:
    net = small()
    with pytest.raises(NetsurgeryError) as caught:
        netsurgery.verify(net, netsurgery.to_onnx(net), sizes=[20])
    assert str(caught.value) == (
        "axis 2 of input 'data' cannot be 20: layer 'fc' (InnerProduct) ties it to 12\n"
        "  expected: 12\n"
        "  fix: --fully-convolutional frees the axes that InnerProduct ties, in both"
    )


def test_random_inputs_are_seeded_and_in_range() -> None:
    from netsurgery.verification.feeds import Range, expected_range, random_feed

    net = fully_convolutional()
    a, b = (random_feed(net, {"data": (2, 3, 40, 50)}, 7, 0, {}).arrays["data"] for _ in range(2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, random_feed(net, {"data": (2, 3, 40, 50)}, 8, 0, {}).arrays["data"])
    assert (a.min(), a.max()) == (-128, 127)
    assert np.array_equal(a, np.round(a))  # pixels
    unit = random_feed(net, {"data": (1, 3, 9, 9)}, 7, 1, {}).arrays["data"]
    assert (unit.min(), unit.max()) == (-1, 1)
    given = random_feed(net, {"data": (1, 3, 9, 9)}, 7, 0, {"data": Range(0, 255)}).arrays["data"]
    assert (given.min(), given.max()) == (0, 255)
    trained = from_text(
        'layer { name: "data" type: "Data" top: "data" data_param { batch_size: 1 }\n'
        "transform_param { scale: 0.5 mean_value: 100 mean_value: 110 mean_value: 120 crop_size: 8 } }\n"
    )
    assert str(expected_range(trained, "data")) == "-55 .. 72.5 (as layer 'data' (Data) prepares them)"
    prepares = from_text(
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'
        'layer { name: "p" type: "Power" bottom: "data" top: "p" power_param { scale: 0.0078125 shift: -1 } }\n'
    )
    assert str(expected_range(prepares, "data")) == (
        "-128 .. 384 (of which layer 'p' (Power) makes small numbers around 0)"
    )
    assert expected_range(net, "data") is None


def test_labels_and_regions_make_sense() -> None:
    from netsurgery.verification.feeds import random_feed

    loss = from_text(
        'layer { name: "x" type: "Input" top: "x" top: "l" input_param { shape { dim: 50 dim: 6 } shape { dim: 50 } } }\n'
        'layer { name: "y" type: "SoftmaxWithLoss" bottom: "x" bottom: "l" top: "y" }\n'
    )
    labels = random_feed(loss, {"x": (50, 6), "l": (50,)}, 0, 0, {}).arrays["l"]
    assert set(labels) == set(range(6))
    assert netsurgery.verify(loss, netsurgery.to_onnx(loss)).passed


def test_images_and_arrays(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    net = fully_convolutional()
    model = netsurgery.to_onnx(net)
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[..., 0] = 200  # red
    (tmp_path / "images").mkdir()
    for i in range(3):
        image.fromarray(pixels).save(tmp_path / "images" / f"{i}.png")
    report = netsurgery.verify(net, model, images=[tmp_path / "images"], batches=[2], ranges={"data": (0, 255)})
    assert report.passed
    assert [case.title for case in report.cases] == ["data 2x3x12x10, 0.png, 1.png", "data 2x3x12x10, 2.png"]
    from netsurgery.verification.feeds import Range, image_feed

    feed = image_feed(net, {"data": (1, 3, 4, 4)}, [tmp_path / "images" / "0.png"], 0, 0, {"data": Range(0, 255)})
    assert feed.arrays["data"][0, :, 0, 0].tolist() == [0, 0, 200]  # BGR
    x = np.random.default_rng(0).normal(size=(1, 3, 9, 9)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", data=x)
    for given in ({"data": tmp_path / "x.npy"}, {"data": tmp_path / "x.npz"}, {"": tmp_path / "x.npz"}, {"data": x}):
        report = netsurgery.verify(net, model, inputs=given)
        assert report.passed
        assert [case.title for case in report.cases] == ["data 1x3x9x9, as given"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": {"data": "nowhere.npy"}}, "nowhere.npy: cannot be read: No such file or directory"),
        ({"inputs": {"dta": np.zeros(3)}}, "the net has no input 'dta'"),
        ({"inputs": {"data": np.array(["a"])}}, "input 'data' holds <U1"),
        ({"images": ["nowhere.png"]}, "nowhere.png: cannot be read: No such file or directory"),
        ({"sizes": [(3, 4, 5)]}, "size 3x4x5"),
        ({"shapes": [{"x": (1,)}]}, "the net has no input 'x'"),
        ({"shapes": [{"data": (1, 3, 9, 9)}], "sizes": [9]}, "whole shapes and sizes or batches"),
        (
            {"shapes": [{"data": (1, 5, 9, 9)}]},
            "axis 1 of input 'data' cannot be 5: layer 'conv' (Convolution) ties it to 3",
        ),
        ({"against": "torch"}, "--against 'torch' is not known"),
        ({"runtime": "tflite"}, "runtime 'tflite' is not known"),
        ({"against": "nowhere.npz"}, "nowhere.npz: cannot be read: No such file or directory"),
        ({"outputs": ["prb"]}, "there is no blob 'prb'"),
        ({"names": {"prb": "x"}}, "there is no blob 'prb'"),
        ({"names": {"pool": "x"}}, "has no value 'x'"),
    ],
)
def test_what_cannot_be_compared_is_an_error(options: dict[str, Any], message: str) -> None:
    net = fully_convolutional()
    with pytest.raises(NetsurgeryError) as caught:
        netsurgery.verify(net, netsurgery.to_onnx(net), **options)
    assert message in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"abc", b"\x08\x07", b"\xff" * 64, bytes(range(256))])
def test_what_is_no_model_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    for model in (tmp_path / "bad.onnx", content):
        with pytest.raises(NetsurgeryError):
            netsurgery.verify(small(), model)


def test_every_truncation_of_a_model_is_told(tmp_path: Path) -> None:
    data = netsurgery.to_onnx(small()).SerializeToString()
    path = tmp_path / "cut.onnx"
    for end in range(0, len(data) - 200, 97):
        path.write_bytes(data[:end])
        with pytest.raises(NetsurgeryError):
            netsurgery.verify(small(), path, batches=[1])


def test_a_blob_that_only_the_runtimes_optimisations_get_wrong_is_found() -> None:
    """Outputs of the model as it is are compared besides those of the model with its blobs exposed."""
    from netsurgery.verification import check
    from netsurgery.verification.runtimes.onnxruntime import OnnxRuntime, open_model

    class Optimised(OnnxRuntime):
        def run(self, feeds: Any, blobs: Any) -> Any:
            values = super().run(feeds, blobs)
            return {k: v + 1 if set(blobs) <= set(self.outputs) else v for k, v in values.items()}

    net = small()
    runtime = Optimised(open_model(netsurgery.to_onnx(net)).light)
    pairing = check.pair(net, runtime)
    work = check._Work(net, runtime, pairing, check.Tolerance(), np.dtype(np.float64))
    (case, _), *_ = work.cases(check.Inputs(batches=[1]), None)
    assert case is not None
    assert case.first_difference is not None
    assert (case.first_difference.blob, case.first_difference.rule) == ("prob", "as it is")
