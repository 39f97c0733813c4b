"""Real Caffe as the opinion that models are held against: all of a net, or the part that it has the layers of."""

from __future__ import annotations

from pathlib import Path

import cases
import live
import numpy as np
import pytest

import netsurgery
from netsurgery.errors import NetsurgeryError
from netsurgery.formats.load import from_text
from netsurgery.verification.record import record
from netsurgery.verification.reports.text import verdict
from netsurgery.verification.runtimes.as_caffe import overwritten
from netsurgery.verification.runtimes.caffe import open_opinion
from netsurgery.verification.side.process import SideError

needs_caffe = [
    pytest.mark.caffe,
    pytest.mark.timeout(120),
    pytest.mark.skipif(live.python() is None, reason="REAL CAFFE IS NOT HERE: netsurgery caffe install makes it"),
]
DIGITS = [cases.FIXTURES / "digits" / name for name in ("deploy.prototxt", "digits.caffemodel")]

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 9 } } }\n'
CONV = 'layer {{ name: "{0}" type: "Convolution" bottom: "{1}" top: "{0}" convolution_param {{ num_output: 4 kernel_size: 3 }} }}\n'
HALF = (
    INPUT
    + CONV.format("c1", "data")
    + 'layer { name: "clip" type: "Clip" bottom: "c1" top: "clip" clip_param { min: -0.5 max: 0.5 } }\n'
    + CONV.format("c2", "clip")
    + 'layer { name: "side" type: "Power" bottom: "c1" top: "side" power_param { scale: 2 } }\n'
)


def made(text: str) -> netsurgery.Net:
    return netsurgery.initialize(from_text(text, "net.prototxt"), 1, "random")


def damaged(net: netsurgery.Net, layer: str) -> netsurgery.Net:
    weights = [np.array(w) for w in net[layer].weights]
    weights[0] *= np.float32(1.01)
    return net.with_weights(layer, *weights)


class TestCaffe:
    pytestmark = needs_caffe

    def test_it_agrees_and_disagrees(self) -> None:
        net = netsurgery.load(*DIGITS)
        right = netsurgery.verify(net, netsurgery.to_onnx(net), against="caffe")
        assert right.passed
        assert verdict(right).startswith("digits: agrees with Caffe 1.0.0 in 7 of 7 blobs (worst relative error ")
        wrong = netsurgery.verify(net, netsurgery.to_onnx(damaged(net, "conv2")), against="caffe")
        assert wrong.first_difference is not None
        assert wrong.first_difference.blob == "conv2"
        assert verdict(wrong) == (
            "digits: DIFFERS from blob 'conv2' of layer 'relu2' (ReLU) on; it agrees with Caffe 1.0.0 in 3 of 7 blobs"
        )

    def test_what_it_aborts_on_is_told_in_its_words(self, tmp_path: Path) -> None:
        net = netsurgery.load(*DIGITS)
        opinion = open_opinion(net, None)
        with pytest.raises(SideError, match=r"(?s)Caffe's process ended with signal 6 .*Check failed"):
            opinion.run({"data": np.zeros((1, 1, 60, 60), np.float32)}, ["prob"])
        assert opinion.run({"data": np.zeros((1, 1, 28, 28), np.float32)}, ["prob"])["prob"].sum() == pytest.approx(1)

    def test_it_computes_up_to_the_layer_that_it_lacks(self) -> None:
        net = made(HALF)
        report = netsurgery.verify(net, netsurgery.to_onnx(net), against="caffe")
        assert report.passed
        assert {c.blob: c.by for c in report.cases[0].comparisons} == {
            "c1": "Caffe 1.0.0",
            "clip": "interpreter",
            "c2": "interpreter",
            "side": "Caffe 1.0.0",
        }
        assert report.sentence == (
            "agrees with Caffe 1.0.0 in 2 of 2 blobs, and with the interpreter (held to Caffe's numbers) in 2 of 2"
        )
        (note,) = [text for text in report.notes if text.startswith("Caffe")]
        assert note.startswith(
            "Caffe 1.0.0: it computes what stands before, netsurgery what stands behind: layer 'clip' (Clip): "
        )

    @pytest.mark.parametrize("layer", ["c1", "c2"])
    def test_both_parts_are_held_to(self, layer: str) -> None:
        net = made(HALF)
        report = netsurgery.verify(net, netsurgery.to_onnx(damaged(net, layer)), against="caffe")
        assert report.first_difference is not None
        assert report.first_difference.blob == layer

    def test_a_net_of_which_it_has_nothing_is_refused(self) -> None:
        net = from_text(
            INPUT + 'layer { name: "clip" type: "Clip" bottom: "data" top: "y" clip_param { min: 0 max: 1 } }'
        )
        with pytest.raises(NetsurgeryError, match=r"Caffe 1.0.0 can compute none of the net's layers") as refused:
            netsurgery.verify(net, netsurgery.to_onnx(net), against="caffe")
        assert refused.value.layer == "'clip' (Clip)"

    def test_batch_statistics_are_left_to_the_interpreter(self) -> None:
        case = cases.FIXTURES / "conformance/batchnorm/batch_statistics"
        if not case.exists():
            pytest.skip("no such fixture")
        text = CONV.format("c1", "data") + (
            'layer { name: "bn" type: "BatchNorm" bottom: "c1" top: "bn" batch_norm_param { use_global_stats: false } }\n'
        )
        net = made(INPUT + text)
        report = netsurgery.verify(net, netsurgery.to_onnx(net), against="caffe")
        assert report.passed
        assert report.vouchers == {"Caffe 1.0.0": (1, 1), "interpreter": (1, 1)}

    def test_recorded_numbers_say_whose_they_are(self, tmp_path: Path) -> None:
        net = made(HALF)
        record(net, tmp_path / "golden.npz", by="caffe", every_blob=True)
        report = netsurgery.verify(net, netsurgery.to_onnx(net), against=str(tmp_path / "golden.npz"))
        assert report.passed
        assert {c.blob: c.by for c in report.cases[0].comparisons} == {
            "c1": "recorded by Caffe 1.0.0",
            "clip": "interpreter",
            "c2": "interpreter",
            "side": "recorded by Caffe 1.0.0",
        }

    @pytest.mark.parametrize("share", ["Flatten", "Reshape", "Split", "Concat", "Slice"])
    def test_what_a_layer_in_place_changes_by_another_name_is_compared_all_the_same(self, share: str) -> None:
        param = "reshape_param { shape { dim: 0 dim: -1 } }" if share == "Reshape" else ""
        net = from_text(
            'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 1 dim: 2 } } }\n'
            'layer { name: "c" type: "Power" bottom: "x" top: "c" power_param { scale: 2 } }\n'
            f'layer {{ name: "flat" type: "{share}" bottom: "c" top: "flat" {param} }}\n'
            'layer { name: "act" type: "TanH" bottom: "flat" top: "flat" }\n'
            'layer { name: "y" type: "Power" bottom: "flat" top: "y" power_param { scale: 10 } }\n'
        )
        names = {"x": "x", "c": "c", "flat@flat": "flat", "flat": "flat", "y": "y"}
        assert {blob: layer.name for blob, layer in overwritten(net, names).items()} == {"c": "act"}
        x = np.array([-1, 2, -3, 4], np.float32).reshape(1, 2, 1, 2)
        report = netsurgery.verify(net, netsurgery.to_onnx(net), against="caffe", inputs={"x": x})
        assert report.passed
        assert {"c", "flat", "y"} <= {c.blob for c in report.cases[0].comparisons}
        assert open_opinion(net, None).run({"x": x}, ["c"])["c"].ravel().tolist() == [-2, 4, -6, 8]

    def test_state_of_one_forward_is_not_there_in_the_next(self) -> None:
        case = cases.find("conformance/lstm")[0]
        net = cases.load(case)
        (feeds, _), *_ = cases.runs(case)
        opinion = open_opinion(net, None)
        first, second = (opinion.run(feeds, net.outputs) for _ in range(2))
        for blob in net.outputs:
            assert np.array_equal(first[blob], second[blob])


def test_what_nobody_vouches_for_is_named() -> None:
    net = from_text(
        INPUT
        + 'layer { name: "m" type: "Mish" bottom: "data" top: "m" }\n'
        + 'layer { name: "r" type: "ReLU" bottom: "m" top: "r" }'
    )
    report = netsurgery.verify(net, netsurgery.to_onnx(net))
    assert [(c.blob, c.by) for c in report.cases[0].comparisons] == [("m", "formula"), ("r", "interpreter")]
    assert report.sentence == (
        "agrees with the interpreter (held to Caffe's numbers) in 1 of 1 blob, and with a formula alone in 1 of 1; "
        "by formula alone: layer 'm' (Mish)"
    )
    assert report.to_json()["by_formula"] == ["'m' (Mish)"]


def test_every_built_in_type_is_held_to_numbers_or_says_that_it_is_not() -> None:
    """Types without a fixture that Caffe, or the fork that has the type, computed say "by formula" in their note."""
    from netsurgery.layers import FILES, find
    from netsurgery.verification.vouchers import _LAYERS

    numbers = {
        type(layer.kind) for case in cases.find("conformance", "conformance-forks") for layer in cases.load(case).layers
    }
    assert numbers
    assert _LAYERS == "netsurgery.layers."
    types = {name: find(name) for name in FILES}
    computed = {
        name: kind
        for name, kind in types.items()
        if kind is not None and kind.__module__ not in ("netsurgery.layers.data", "netsurgery.layers.python")
    }
    unproved = {
        name for name, kind in computed.items() if not kind.note.startswith("by formula") and kind not in numbers
    }
    assert sorted(unproved) == []
