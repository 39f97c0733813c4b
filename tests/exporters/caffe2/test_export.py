"""Nets as NetDefs of Caffe2: what is written, what is refused, and that everything comes back. Nothing here needs Caffe2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import caffe2_golden
import cases
import numpy as np
import pytest
from hypothesis import assume, given, settings
from small_nets import small_nets

import netsurgery
from netsurgery._proto.caffe2 import new
from netsurgery.errors import NetsurgeryError, UnsupportedError, UnsupportedLayersError
from netsurgery.formats.load import from_text
from netsurgery.formats.netdef.wire import filled_names, read_fills, read_netdef
from netsurgery.layers import find, names
from netsurgery.layers.core.layer_type import LayerType

GOLDEN = sorted(path.stem for path in caffe2_golden.GOLDEN.glob("*.pbtxt"))
INPUT = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 7 dim: 8 } } } '


def pooled(params: str, bottom: str = "x", top: str = "y") -> str:
    tops = " ".join(f'top: "{t}"' for t in top.split())
    return f'layer {{ name: "{top[0]}" type: "Pooling" bottom: "{bottom}" {tops} pooling_param {{ {params} }} }} '


# ---- What is written --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GOLDEN)
def test_layers_become_the_operators_that_were_looked_at(name: str) -> None:
    """If this fails after a change that is meant, run `python tests/caffe2_golden.py`, and tests/caffe2_table.py in real Caffe2."""
    want, parameters = caffe2_golden.from_golden(caffe2_golden.GOLDEN / f"{name}.pbtxt")
    made = [netsurgery.to_caffe2(net) for net in caffe2_golden.nets(name)[name]]
    texts = sorted(made, key=lambda m: len(caffe2_golden.as_text(m)))
    assert texts[0].predict == want
    assert caffe2_golden.parameters(texts[0]) == parameters


def test_every_layer_has_its_operators_kept() -> None:
    """Every layer type that is exported to Caffe2 is in a golden file, and none is left over."""
    nets = caffe2_golden.nets()
    assert sorted(nets) == GOLDEN
    used = {layer.kind.__class__ for several in nets.values() for net in several for layer in net.layers}
    for name in names():
        cls = find(name)
        assert cls is not None
        own = cls.emit_caffe2 is not LayerType.emit_caffe2
        if own and not cls.is_input:
            assert any(issubclass(kind, cls) or issubclass(cls, kind) for kind in used), f"{name} has no golden file"


@pytest.mark.parametrize("case", ["conformance/nets/lenet", "conformance/nets/crnn_style"])
def test_parameters_are_streamed_as_they_are_in_memory(case: str, tmp_path: Path) -> None:
    made = netsurgery.save_caffe2(cases.load(cases.FIXTURES / case), tmp_path)
    data = (tmp_path / "init_net.pb").read_bytes()
    init = new("NetDef")
    init.ParseFromString(data)
    assert init == made.init
    assert [op.output[0] for op in init.op] == list(made.parameters) == list(init.external_output)
    assert len(data) < 4 * sum(a.size for a in made.parameters.values()) + 200 * (len(made.parameters) + 1)  # packed
    held = read_fills(tmp_path / "init_net.pb")
    assert filled_names(tmp_path / "init_net.pb") == set(held)
    for name, array in made.parameters.items():
        assert held[name].dtype == array.dtype
        np.testing.assert_array_equal(held[name], array)
    assert read_netdef(tmp_path / "predict_net.pb") == read_netdef(tmp_path / "predict_net.pbtxt") == made.predict


def test_blobs_of_the_file_are_not_copied() -> None:
    net = cases.load(cases.FIXTURES / "conformance/nets/lenet")
    made = netsurgery.to_caffe2(net)
    assert np.shares_memory(made.parameters["conv1_w"], net["conv1"].weights[0])


def test_names_are_caffes() -> None:
    made = netsurgery.to_caffe2(cases.load(cases.FIXTURES / "conformance/nets/lenet"))
    assert list(made.predict.external_input)[:3] == ["data", "conv1_w", "conv1_b"]
    assert list(made.predict.external_output) == ["prob"]
    assert [op.name for op in made.predict.op] == ["conv1", "pool1", "conv2", "pool2", "ip1", "relu_ip1", "ip2", "prob"]


def test_too_much_for_a_file_is_refused(tmp_path: Path) -> None:
    net = from_text(
        INPUT + 'layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: 800000 dim: 1024 } } }'
    )
    net = net.with_weights("p", np.broadcast_to(np.arange(1024, dtype=np.float32), (800000, 1024)))
    with pytest.raises(UnsupportedError) as refused:
        netsurgery.save_caffe2(net, tmp_path / "out")
    assert str(refused.value) == (
        f"{tmp_path}/out/init_net.pb: an init net of 3.3 GB\n"
        "  expected: at most 2 GB: protobuf, and so Caffe2, cannot read more from one file\n"
        "  fix: convert to ONNX instead, or cut the net in two (--output)"
    )
    assert not list(tmp_path.rglob("*.pb"))


# ---- Sizes ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        "pool: MAX kernel_size: 3 stride: 2",
        "pool: MAX kernel_size: 3 stride: 2 pad: 1",
        "pool: MAX kernel_size: 2 stride: 3",
        "pool: AVE kernel_size: 3 stride: 2 pad: 1",
        "pool: AVE kernel_size: 2 stride: 2 pad: 1 round_mode: FLOOR",
        "pool: AVE global_pooling: true",
    ],
)
def test_sizes_stay_free(params: str) -> None:
    made = netsurgery.to_caffe2(from_text(INPUT + pooled(params)))
    assert not any(isinstance(n, int) for n in made.inputs["x"])
    assert made.notes == ()


@pytest.mark.parametrize(
    ("params", "tops"),
    [
        (
            "pool: MAX kernel_size: 2 stride: 2 pad: 1",
            "y",
        ),  # whether Caffe leaves the last window out depends on the size
        ("pool: MAX kernel_size: 3 stride: 2", "y mask"),
    ],
)
def test_sizes_that_operators_need_are_fixed_and_it_says_so(params: str, tops: str) -> None:
    net = from_text(INPUT + pooled(params, top=tops))
    made = netsurgery.to_caffe2(net)
    assert made.inputs["x"][2:] == (7, 8)
    assert not any(isinstance(n, int) for n in made.inputs["x"][:2])
    assert made.notes == (
        "layer 'y' (Pooling) fixes axis 2 of x at 7 and axis 3 of x at 8: Caffe2's operators for it are written for one size; "
        "--input-shape chooses others",
    )
    asked = netsurgery.to_caffe2(net, input_shapes={"x": (None, None, 9, 10)})
    assert asked.inputs["x"][2:] == (9, 10)
    assert not asked.notes
    assert list(asked.predict.arg[0].ints) == [1, 2, 9, 10]


def test_all_sizes_can_be_fixed() -> None:
    made = netsurgery.to_caffe2(from_text(INPUT + pooled("kernel_size: 3 stride: 2")), static=True)
    assert made.inputs["x"] == (1, 2, 7, 8)
    assert [a.name for a in made.predict.arg] == ["netsurgery.shape:x"]


# ---- What is refused --------------------------------------------------------------------------------------------------------


class Secret(netsurgery.LayerType):
    """A layer of somebody's own, who never thought of Caffe2."""

    types = ("Secret",)


def test_layers_without_operators_are_refused_by_name_all_at_once() -> None:
    text = INPUT + "".join(
        f'layer {{ name: "{n}" type: "Secret" bottom: "x" top: "{n}" }} ' for n in ("first", "second")
    )
    net = from_text(text, "net.prototxt", layers={"Secret": Secret})
    with pytest.raises(UnsupportedLayersError) as refused:
        netsurgery.to_caffe2(net)
    why = (
        "has no form in Caffe2: its class has no emit_caffe2\n"
        "  fix: cut the net before this layer (--output), and do the rest in your own code"
    )
    assert str(refused.value) == (
        "2 layers cannot be exported to Caffe2:\n"
        f"net.prototxt:1: layer 'first' (Secret): {why}\nnet.prototxt:1: layer 'second' (Secret): {why}"
    )
    assert netsurgery.to_caffe2(from_text(text + pooled("kernel_size: 2"), layers={"Secret": Secret}), outputs=["y"])


def test_adaptive_suppression_is_refused() -> None:
    net = cases.load(cases.FIXTURES / "conformance/detectionoutput/corner_shared")
    layer = net.layers[-1]
    text = "detection_output_param { num_classes: 3 share_location: true nms_param { nms_threshold: 0.7 eta: 0.9 top_k: 4 } }"
    bottoms = " ".join(f'bottom: "{b}"' for b in layer.bottoms)
    other = netsurgery.layer(f'layer {{ name: "{layer.name}" type: "DetectionOutput" {bottoms} top: "y" {text} }}')
    with pytest.raises(UnsupportedError, match=r"has no form in Caffe2: adaptive suppression \(eta 0.9\)"):
        netsurgery.to_caffe2(net.with_layer(other))


def test_windows_behind_the_image_are_refused() -> None:
    net = from_text(INPUT.replace("dim: 7 dim: 8", "dim: 6 dim: 6") + pooled("pool: AVE kernel_size: 1 stride: 5"))
    assert netsurgery.to_caffe2(net).fixed  # at 0 and 5: inside
    net = from_text(INPUT + pooled("pool: AVE kernel_size: 1 stride: 5"))
    with pytest.raises(UnsupportedError, match="a window lies behind the image: Caffe divides by 0"):
        netsurgery.to_caffe2(net)


def test_an_output_that_there_is_not_is_refused() -> None:
    with pytest.raises(NetsurgeryError, match="there is no blob 'z'"):
        netsurgery.to_caffe2(from_text(INPUT + pooled("kernel_size: 2")), outputs=["z"])


# ---- And back ---------------------------------------------------------------------------------------------------------------


def back(net: netsurgery.Net, folder: Path, **options: Any) -> netsurgery.Net:
    netsurgery.save_caffe2(net, folder, **options)
    return netsurgery.load(folder / "init_net.pb", folder / "predict_net.pb")


ROUND = [case for case in cases.find("conformance", "conformance-forks") if case.parent.name != "surgery"]
ROUND = [case for case in ROUND if cases.name(case) not in cases.NOT_IN_CAFFE2]


@pytest.mark.parametrize("case", cases.NOT_IN_CAFFE2)
def test_what_caffe2_cannot_say_is_refused_by_name(case: str) -> None:
    with pytest.raises(UnsupportedError, match="has no form in Caffe2"):
        netsurgery.to_caffe2(cases.load(cases.FIXTURES / case))


@pytest.mark.parametrize("case", ROUND, ids=cases.name)
def test_nets_come_back_and_give_caffes_numbers(case: Path, tmp_path: Path) -> None:
    """Net -> NetDef -> Net -> netsurgery.run, or for whole nets -> ONNX, at every recorded size."""
    net = cases.load(case)
    if not caffe2_golden.has_operators(net):
        with pytest.raises(UnsupportedLayersError, match="has no form in Caffe2"):
            netsurgery.to_caffe2(net)
        return
    for feeds, want in cases.runs(case):
        shapes = {name: array.shape for name, array in feeds.items()}
        fixed = netsurgery.to_caffe2(net).fixed
        again = back(net, tmp_path, **({"input_shapes": shapes} if fixed else {}))
        assert set(again.outputs) == set(net.outputs)
        if case.parent.name == "nets":
            session = cases.session(netsurgery.to_onnx(again).SerializeToString())
            outputs = [o.name for o in session.get_outputs()]
            got = dict(zip(outputs, session.run(None, feeds), strict=True))
        else:
            got = dict(netsurgery.run(again, feeds, again.outputs, np.float32))
        compared = [blob for blob in got if blob in want]
        assert compared
        for blob in compared:
            assert not cases.difference(got[blob], want[blob]), (blob, cases.difference(got[blob], want[blob]))


@settings(max_examples=15, deadline=None)
@given(net=small_nets())
def test_random_nets_come_back(net: netsurgery.Net, tmp_path_factory: pytest.TempPathFactory) -> None:
    assume(net.outputs)
    again = back(net, tmp_path_factory.mktemp("nets"))
    rng = np.random.default_rng(0)
    feeds = {name: rng.normal(0, 1, shape or ()).astype(np.float32) for name, shape in net.inputs.items()}
    want, got = (netsurgery.run(n, feeds, n.outputs) for n in (net, again))
    assert set(want) == set(got)
    for blob, array in want.items():
        np.testing.assert_allclose(got[blob], array, rtol=1e-4, atol=1e-4 * np.abs(array).max())
