"""NetDefs of other tools as nets: which layers they are, and what is refused. That the numbers are Caffe2's is held where Caffe2 is
(test_caffe2_runtime.py)."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest
from netdefs import CONV, SAMPLES, Sample, numbers, unary

import netsurgery
from netsurgery._proto.caffe2 import new
from netsurgery.errors import NetsurgeryError, UnsupportedError, UnsupportedLayersError
from netsurgery.formats.netdef.operators import OPERATORS
from netsurgery.formats.netdef.wire import read_fills


def load(sample: Sample, folder: Path, **options: Any) -> netsurgery.Net:
    init, predict = sample.save(folder)
    return netsurgery.load(init, predict, input_shapes=sample.inputs, **options)


@pytest.mark.parametrize("name", SAMPLES)
def test_operators_become_layers(name: str, tmp_path: Path) -> None:
    sample = SAMPLES[name]
    net = load(sample, tmp_path)
    assert " ".join(layer.type for layer in net.layers) == sample.layers
    session = cases.session(netsurgery.to_onnx(net).SerializeToString())
    outputs = [o.name for o in session.get_outputs()]
    want = netsurgery.run(net, sample.feeds(), outputs)
    for name, got in zip(outputs, session.run(None, sample.feeds()), strict=True):
        assert not cases.difference(got, want[name])


def test_every_operator_that_is_read_is_tested() -> None:
    used = {op[0] for sample in SAMPLES.values() for op in sample.operators}
    others = {
        *(
            "AveragePool2D",
            "AveragePool3D",
            "Conv1D",
            "Conv2D",
            "Conv3D",
            "MaxPool2D",
            "MaxPool3D",
            "DepthConcat",
        ),  # other names
        *("AliasWithName", "CopyFromCPUInput", "EnsureCPUOutput", "ReduceBackSum", "UpsampleNearest"),
        *("Mish", "RoIPool"),  # in the round trip
        "PriorBox",  # in test_misnomers.py: Caffe2 itself has none
    }
    assert set(OPERATORS) - used == others


@pytest.mark.parametrize("order", ["straight", "swapped"])
def test_the_two_nets_are_told_apart(order: str, tmp_path: Path) -> None:
    init, predict = SAMPLES["zoo"].save(tmp_path)
    first, second = (init, predict) if order == "straight" else (predict, init)
    net = netsurgery.load(first, second, input_shapes={"data": (2, 3, 15, 16)})
    assert net.outputs == ("prob",)
    assert [name for name in net.blobs if name.startswith("conv1")] == ["conv1@Conv", "conv1"]


def test_numbers_that_are_packed_and_such_with_tags_are_the_same(tmp_path: Path) -> None:
    sample = Sample(
        [("Relu", "x", "y")], "", {"w": numbers(3, 5), "i": np.arange(6).reshape(2, 3), "one": np.float32([2])}
    )
    files = []
    for name, packed in (("packed", True), ("tags", False)):
        (tmp_path / name).mkdir()
        files.append(sample.save(tmp_path / name, packed)[0])
    assert files[1].stat().st_size > files[0].stat().st_size + 10
    for name, array in sample.fills.items():
        for found in (read_fills(file)[name] for file in files):
            assert found.dtype == array.dtype
            np.testing.assert_array_equal(found, array)


def test_init_nets_of_text_are_read(tmp_path: Path) -> None:
    from google.protobuf import text_format

    init, predict = SAMPLES["conv_same"].save(tmp_path)
    for path in (init, predict):
        net = new("NetDef")
        net.ParseFromString(path.read_bytes())
        path.with_suffix(".pbtxt").write_text(text_format.MessageToString(net))
    as_text = netsurgery.load(
        init.with_suffix(".pbtxt"), predict.with_suffix(".pbtxt"), input_shapes={"x": (1, 3, 7, 8)}
    )
    np.testing.assert_array_equal(as_text.layers[1].weights[0], CONV["w"])


def test_inputs_that_the_init_net_fills_with_something_are_inputs_when_named(tmp_path: Path) -> None:
    """As caffe_translator does: the input has the shape [1] there."""
    sample = Sample([("Relu", "x", "y")], "", {"x": np.zeros(1, np.float32)}, {})
    init, predict = sample.save(tmp_path)
    assert netsurgery.load(init, predict, input_shapes={"x": (1, 3)}).inputs["x"] == (1, 3)
    with pytest.raises(NetsurgeryError) as refused:
        netsurgery.load(init, predict)
    assert str(refused.value) == (
        f"{predict}: the init net fills in every external input, so that no input is left\n"
        "  expected: an input\n  fix: --input-shape x=1,3,224,224 says which blob is one"
    )


def test_outputs_are_those_of_the_netdef(tmp_path: Path) -> None:
    """What nobody reads and the NetDef does not give out is no output; what it gives out and others read is one."""
    init, predict = Sample([("Relu", "x", "a"), ("Sigmoid", "a", "b"), ("Tanh", "x", "idle")], "").save(tmp_path)
    net = new("NetDef")
    net.ParseFromString(predict.read_bytes())
    del net.external_output[:]
    net.external_output.extend(["a", "b"])
    predict.write_bytes(net.SerializeToString())
    loaded = netsurgery.load(init, predict, input_shapes={"x": (1, 3)})
    assert set(loaded.outputs) == {"a", "b"}
    x = np.array([[-1, 0, 2]], np.float32)
    got = netsurgery.run(loaded, {"x": x}, ["a", "b"], np.float32)
    np.testing.assert_array_equal(got["a"], [[0, 0, 2]])
    session = cases.session(netsurgery.to_onnx(loaded).SerializeToString())
    assert {o.name for o in session.get_outputs()} == {"a", "b"}


# ---- What is refused --------------------------------------------------------------------------------------------------------


def refusal(sample: Sample, folder: Path, kind: type[NetsurgeryError] = UnsupportedError) -> str:
    with pytest.raises(kind) as refused:
        load(sample, folder)
    return str(refused.value).replace(f"{folder}/predict_net.pb: ", "")


def test_operators_without_a_layer_are_refused_by_name_all_at_once(tmp_path: Path) -> None:
    sample = Sample([("GroupNorm", "x", "a"), ("Relu", "a", "b"), ("ATen", "b", "y")], "")
    assert refusal(sample, tmp_path, UnsupportedLayersError) == (
        "2 layers cannot be read from Caffe2:\n"
        "layer 'a' (GroupNorm): there is no layer of Caffe's for this operator\n"
        "layer 'y' (ATen): there is no layer of Caffe's for this operator"
    )


def test_arguments_that_nobody_knows_are_refused(tmp_path: Path) -> None:
    assert refusal(unary("Relu", "", cutoff=2), tmp_path) == (
        "layer 'y' (Relu): argument 'cutoff' is not known\n"
        "  expected: arguments that are known\n"
        "  fix: remove it, if it does not change what the operator computes"
    )


@pytest.mark.parametrize(
    ("sample", "problem"),
    [
        (Sample([("Dropout", "x", "y m")], ""), "it drops at random, without is_test"),
        (Sample([("SpatialBN", "x s b m v", "y")], "", {n: numbers(3) for n in "sbmv"}), "statistics from the batch"),
        (unary("MaxPool", "", kernel=3, order="NHWC"), "order NHWC"),
        (
            Sample([("Conv", "x w", "y", {"kernel": 3, "pads": [0, 0, 1, 1]})], "", {"w": CONV["w"]}),
            "(0, 0) before and (1, 1)",
        ),
        (Sample([("Exp", "x", "e"), ("Conv", "x e", "y", {"kernel": 3})], ""), "input 1, 'e', is computed"),
        (
            Sample([("AveragePool", "x", "y", {"kernel": 3, "pad": 1})], "", inputs={"x": (2, 3, 5, 7, 8)}),
            "divides by the numbers inside of the image alone",
        ),
        (
            unary("AveragePool", "", kernel=2, stride=2, pads=[0, 0, 1, 0], count_include_pad=1),
            "counts more padding behind",
        ),
        (Sample([("PadImage", "x", "p", {"pad": 1}), ("Relu", "p", "y")], ""), "it reads 'p', an image with padding"),
        (Sample([("PadImage", "x", "y", {"pad": 1, "mode": "reflect"})], ""), "padding with other than zeros"),
        (Sample([("Add", "x c", "y")], "", {"c": numbers(3, 1, 4)}), "shapes (2, 3, 7, 8) and (3, 1, 4)"),
        (unary("ReduceSum", "", axes=[1], keepdims=0), "over axes [1] of 4"),
        (unary("LRN", "", size=4, alpha=1.0, beta=0.5), "size 4"),
        (unary("ResizeNearest", "", height_scale=2.0, width_scale=1.0), "scales 2 and 1"),
        (unary("Slice", "", starts=[0, 1, 1, 0], ends=[-1, -1, -1, -1]), "it cuts 2 axes"),
        (
            Sample(
                [("ConvTranspose", "x w", "y", {"kernel": 3, "adj": 1, "stride": 2})], "", {"w": numbers(3, 4, 3, 3)}
            ),
            "adj is set",
        ),
    ],
)
def test_what_caffe_does_not_say_is_refused(sample: Sample, problem: str, tmp_path: Path) -> None:
    assert problem in refusal(sample, tmp_path)


def test_shapes_are_asked_for(tmp_path: Path) -> None:
    init, predict = SAMPLES["tanh"].save(tmp_path)
    with pytest.raises(NetsurgeryError) as refused:
        netsurgery.load(init, predict)
    assert str(refused.value) == (
        f"{predict}: the shape of input 'x' is not known: NetDefs do not say it\n"
        "  expected: a shape\n  fix: --input-shape x=1,3,224,224"
    )
    with pytest.raises(NetsurgeryError, match="the net has no input 'z'"):
        netsurgery.load(init, predict, input_shapes={"z": (1, 3)})


def test_one_file_alone_is_refused(tmp_path: Path) -> None:
    init, predict = SAMPLES["zoo"].save(tmp_path)
    with pytest.raises(NetsurgeryError, match="an init net and a predict net belong together"):
        netsurgery.load(predict)
    with pytest.raises(NetsurgeryError, match="both only fill in parameters"):
        netsurgery.load(init, init)
    with pytest.raises(NetsurgeryError, match="neither fills in parameters alone"):
        netsurgery.load(predict, predict)


@pytest.mark.parametrize("data", [b"\xff" * 40, b"\n\x7f", b"", b"layer { }", b"\x12\x05\x12\x03abc\x12\x90"])
def test_files_that_are_no_netdefs_are_refused(data: bytes, tmp_path: Path) -> None:
    init, predict = SAMPLES["zoo"].save(tmp_path)
    for broken, pair in ((init, (init, predict)), (predict, (init, predict))):
        kept = broken.read_bytes()
        broken.write_bytes(data)
        with pytest.raises(NetsurgeryError):
            netsurgery.load(*pair, input_shapes={"data": (1, 3, 15, 16)})
        broken.write_bytes(kept)


def test_damaged_init_nets_are_refused_or_read_never_anything_else(tmp_path: Path) -> None:
    init, predict = SAMPLES["zoo"].save(tmp_path)
    whole = init.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 2):
            data[at] = rng.integers(256)
        init.write_bytes(bytes(data[: rng.integers(len(data) // 2, len(data) + 1)]))
        with contextlib.suppress(NetsurgeryError):
            netsurgery.load(init, predict, input_shapes={"data": (2, 3, 15, 16)})


def test_a_changed_operator_is_not_taken_for_the_layer_that_was_written(tmp_path: Path) -> None:
    """The text of a layer that became several operators counts for these operators alone."""
    net = cases.load(cases.FIXTURES / "conformance/lstm/plain")
    netsurgery.save_caffe2(net, tmp_path)
    predict = tmp_path / "predict_net.pb"
    assert [layer.type for layer in netsurgery.load(tmp_path / "init_net.pb", predict).layers if layer.bottoms] == [
        "LSTM"
    ]
    proto = new("NetDef")
    proto.ParseFromString(predict.read_bytes())
    next(op for op in proto.op if op.type == "Tanh").type = "Sigmoid"
    predict.write_bytes(proto.SerializeToString())
    with pytest.raises(UnsupportedLayersError, match=r"ConstantFill|Shape"):
        netsurgery.load(tmp_path / "init_net.pb", predict)
