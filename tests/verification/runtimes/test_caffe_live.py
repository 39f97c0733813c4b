"""netsurgery against real Caffe, here and now: random layers and nets, files that we write, vintages, phases and stages, what it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cases
import live
import numpy as np
import pytest
import random_layers
import random_nets

import netsurgery
from netsurgery import passes
from netsurgery.formats.load import from_text

pytestmark = [
    pytest.mark.caffe,
    pytest.mark.timeout(300),
    pytest.mark.skipif(live.python() is None, reason="REAL CAFFE IS NOT HERE: netsurgery caffe install makes it"),
]

KNOWN = ("PReLU", "num_axes() <= 4")
"""What Caffe alone refuses: PReLU of more than four axes, by an accessor of its past."""


def tallied(trials: list[live.Trial], folder: Path) -> live.Tally:
    live.ask_caffe(trials, folder)
    tally = live.Tally()
    live.judge(trials, tally)
    print(f"\n{tally}")
    return tally


def test_random_layers_compute_what_caffe_computes(tmp_path: Path) -> None:
    """One net in forty of the 5,000 that were tried; the first seeds differ from run to run of nothing."""
    trials = []
    for seed in range(125):
        drawn = random_layers.one_layer(np.random.default_rng(seed))
        trials.append(live.trial(f"{drawn.type}-{seed}", drawn.text, seed))
    tally = tallied(trials, tmp_path / "nets")
    assert tally.agree > 110
    assert len(tally.types) > 30
    assert not tally.differ
    assert not tally.only_we_refuse
    assert not [text for text in tally.only_caffe_refuses if not all(word in text for word in KNOWN)]


def test_random_nets_compute_what_caffe_computes(tmp_path: Path) -> None:
    trials = [live.trial(f"net-{seed}", random_nets.whole_net(np.random.default_rng(seed)), seed) for seed in range(25)]
    tally = tallied(trials, tmp_path / "nets")
    assert tally.agree == len(trials), tally.differ


def test_a_damaged_net_is_told_from_the_right_one(tmp_path: Path) -> None:
    """The comparison itself can fail: one weight 10 % greater, in ours alone."""
    trials = [live.trial("net", random_nets.whole_net(np.random.default_rng(3)), 3)]
    net = trials[0].net
    assert net is not None
    live.ask_caffe(trials, tmp_path / "nets")
    layer = next(x for x in net.layers if x.type == "Convolution")
    weights = [np.array(w) for w in layer.weights]
    weights[0].flat[np.abs(weights[0]).argmax()] *= np.float32(1.1)
    trials[0].net = net.with_weights(layer.name, *weights)
    tally = live.Tally()
    live.judge(trials, tally)
    assert tally.differ


def files(case: Path, folder: Path, feeds: cases.Blobs, **state: Any) -> cases.Blobs:
    """What Caffe makes of a case's own files."""
    weights = cases.weights(case)
    return live.files_in_caffe(case / "net.prototxt", weights, feeds, folder, **state)


NETS = [case for case in cases.find("conformance/nets") if case.name not in ("ssd_slim", "weights_in_hdf5")]
assert NETS


@pytest.mark.parametrize("case", NETS, ids=cases.name)
def test_nets_of_every_vintage_are_caffes_own(case: Path, tmp_path: Path) -> None:
    """V0 and V1 files go to Caffe as they are, which upgrades them itself; ours is upgraded by us."""
    net = cases.load(case)
    feeds = cases.runs(case)[0][0]
    theirs, ours = files(case, tmp_path / "net", feeds), netsurgery.run(net, feeds, net.outputs)
    for blob in net.outputs:
        assert not live.difference(ours[blob], theirs[blob]), blob


def operated() -> dict[str, netsurgery.Net]:
    lenet = cases.load(cases.FIXTURES / "conformance/nets/lenet")
    vintage = cases.load(cases.FIXTURES / "conformance/nets/vintage_v0")
    flat = cases.load(cases.FIXTURES / "conformance/surgery/flatten_before_fc")
    return {
        "fully convolutional": netsurgery.convolutionalize(lenet),
        "cut": passes.cut(lenet, ["ip1"]),
        "upgraded": vintage,
        "a Flatten gone": netsurgery.convolutionalize(flat),
    }


@pytest.mark.parametrize("name", operated())
def test_what_we_write_is_read_by_caffe(name: str, tmp_path: Path) -> None:
    net = operated()[name]
    netsurgery.save_caffe(net, tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    rng = np.random.default_rng(0)
    feeds = {blob: rng.normal(0, 1, shape or ()).astype(np.float32) for blob, shape in net.inputs.items()}
    theirs = live.files_in_caffe(tmp_path / "net.prototxt", tmp_path / "net.caffemodel", feeds, tmp_path / "caffe")
    ours = netsurgery.run(net, feeds, net.outputs)
    assert net.outputs
    for blob in net.outputs:
        assert not live.difference(ours[blob], theirs[blob]), blob


STAGED = """
layer {{ name: "in" type: "Input" top: "data" input_param {{ shape {{ dim: 1 dim: 2 }} }} }}
{state}
layer {{ name: "a" type: "Power" bottom: "data" top: "x" power_param {{ shift: 100 }} include {{ stage: "deploy" }} }}
layer {{ name: "b" type: "Power" bottom: "data" top: "x" power_param {{ shift: 7 }} exclude {{ stage: "deploy" }} }}
layer {{ name: "c" type: "Power" bottom: "x" top: "y" power_param {{ scale: 2 }} include {{ phase: TRAIN }} }}
layer {{ name: "d" type: "Power" bottom: "x" top: "y" power_param {{ scale: 3 }} include {{ phase: TEST not_stage: "deploy" }} }}
layer {{ name: "e" type: "Power" bottom: "x" top: "y" power_param {{ scale: 5 }} include {{ phase: TEST stage: "deploy" }} }}
"""


@pytest.mark.parametrize("phase", ["TEST", "TRAIN"])
@pytest.mark.parametrize("stages", [[], ["deploy"], ["other"]])
@pytest.mark.parametrize("own", ["", 'state { stage: "deploy" }'])
def test_phases_and_stages_choose_caffes_layers(phase: str, stages: list[str], own: str, tmp_path: Path) -> None:
    text = STAGED.format(state=own)
    (tmp_path / "net.prototxt").write_text(text)
    feeds = {"data": np.array([[1, 2]], np.float32)}
    net = from_text(text, phase=phase, stages=stages)
    theirs = live.files_in_caffe(tmp_path / "net.prototxt", None, feeds, tmp_path / "caffe", phase=phase, stages=stages)
    ours = netsurgery.run(net, feeds, ["y"])
    assert not live.difference(ours["y"], theirs["y"])


def test_every_layer_type_of_the_wheel_was_tried() -> None:
    """The generator draws every type that Caffe's wheel and netsurgery both compute, but for those of data and of training."""
    from netsurgery.verification.side.opened import open_side
    from netsurgery.verification.side.recipe import CAFFE

    side, about = open_side(CAFFE)
    side.close()
    data = {
        "Data",
        "DummyData",
        "HDF5Data",
        "HDF5Output",
        "ImageData",
        "Input",
        "MemoryData",
        "Parameter",
        "Python",
        "WindowData",
    }
    other = {"ContinuationIndicator", "CtcLoss", "InfogainLoss", "LSTMUnit", "LabelsequenceAccuracy", "Silence"}
    assert set(about["layers"]) - data - other == set(random_layers.LAYERS)
