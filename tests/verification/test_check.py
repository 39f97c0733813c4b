"""netsurgery.verify: what it compares, on what, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import cases
import pytest
from verifying import damaged, small

import netsurgery
from netsurgery.errors import MismatchError
from netsurgery.net import Net

ALL = cases.find("conformance", "conformance-forks")


assert ALL, "fixtures/ holds no cases"


def prepared(case: Path) -> Net:
    net = cases.load(case)
    return netsurgery.convolutionalize(net) if "surgery" in case.parts else net


STILL = ("conformance/power/zero", "conformance-forks/channel_scale/global")
"""Whose outputs are one number whatever goes in."""


@pytest.mark.parametrize("case", ALL, ids=cases.name)
def test_every_case_agrees(case: Path) -> None:
    """With the float64 reference at three sizes, and with what real Caffe computed."""
    net = prepared(case)
    recorded = str(case / "runs.npz")
    report = netsurgery.verify(net, netsurgery.to_onnx(net), against=["netsurgery", recorded])
    assert report.agrees, report.first_difference
    assert report.passed == (cases.name(case) not in STILL), report.sentence
    assert len(report.cases) > len(cases.runs(case))
    for found in report.cases:
        assert found.comparisons


@pytest.mark.parametrize("case", ALL[::7], ids=cases.name)
def test_the_reference_agrees_with_caffe(case: Path) -> None:
    """netsurgery.run in float64, as the model, held against the recorded numbers."""
    net = prepared(case)
    report = netsurgery.verify(net, net, against=str(case / "runs.npz"))
    assert report.passed, report.first_difference


@pytest.mark.skipif(not cases.MODELS.is_dir(), reason="NETSURGERY_MODELS names no folder of published models")
@pytest.mark.parametrize("name", ["lenet_mnist", "mtcnn_det1", "face_12c", "pcn_1"])
def test_trained_models_agree(name: str) -> None:
    folder = cases.MODELS / name
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
    assert lines[5].split() == ["blob", "layer", "shape", "max", "abs", "max", "rel", "at", "cosine", "SNR", "by"]
    assert [line.split()[0] for line in lines[6:10]] == ["conv@conv", "conv", "pool", "fc"]
    assert lines[6].endswith("OFF")
    assert lines[-1].startswith("  note: its layer is off by ")


ZEROS = (
    'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'
    'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 4 } }\n'
    'layer { name: "p" type: "Power" bottom: "x" top: "z" }\n'
)


def test_what_is_one_number_for_all_inputs_shows_nothing() -> None:
    from netsurgery.formats.load import from_text

    net = netsurgery.initialize(from_text(ZEROS, "net.prototxt"))
    report = netsurgery.verify(net, netsurgery.to_onnx(net))
    assert report.agrees
    assert not report.passed
    assert report.verdict == "shows nothing"
    assert report.sentence == (
        "shows nothing: blob 'y' of layer 'ip' (InnerProduct) is 0 for all inputs, and would be for many a wrong model; give weights, or "
        "inputs, that make it move"
    )
    with pytest.raises(MismatchError, match="shows nothing"):
        netsurgery.assert_equivalent(net, netsurgery.to_onnx(net))
    moving = netsurgery.initialize(from_text(ZEROS, "net.prototxt"), 0, "random")
    assert netsurgery.verify(moving, netsurgery.to_onnx(moving)).passed


def test_float64_decides_only_where_float32_might_err() -> None:
    net = netsurgery.load(*(cases.FIXTURES / "digits" / name for name in ("deploy.prototxt", "digits.caffemodel")))
    model = netsurgery.to_onnx(net)
    assert {case.against for case in netsurgery.verify(net, model).cases} == {"netsurgery.run (float32)"}
    near = netsurgery.verify(net, model, rtol=1e-7)
    assert "netsurgery.run (float64)" in {case.against for case in near.cases}
