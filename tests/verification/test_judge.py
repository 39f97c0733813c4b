"""netsurgery.verify: what it compares, on what, and what it says."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import onnx
import pytest
from verifying import small

import netsurgery
from netsurgery.formats.load import from_text


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
    exact_reference = {"dtype": np.float64}  # NumPy's float32 sums may be onnxruntime's to the bit
    report = netsurgery.verify(net, netsurgery.to_onnx(net), inputs={"x": x}, **exact_reference)
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
