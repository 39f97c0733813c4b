"""netsurgery against real Caffe, here and now: pixels of ImageData, what recurrent layers keep, memory that tops share, upgraded files."""

from __future__ import annotations

from pathlib import Path

import cases
import live
import numpy as np
import pytest
from PIL import Image
from verify_command import run_cli
from wire_cases import NetParameter

import netsurgery
from netsurgery import pycaffe
from netsurgery.errors import UnsupportedLayersError
from netsurgery.formats.load import from_text

pytestmark = [
    pytest.mark.caffe,
    pytest.mark.timeout(300),
    pytest.mark.skipif(live.python() is None, reason="REAL CAFFE IS NOT HERE: netsurgery caffe install makes it"),
]

PIXELS = cases.FIXTURES / "pixels"
IMAGE_DATA = """layer {{ name: "data" type: "ImageData" top: "data" top: "label"
  transform_param {{ {transform} }} image_data_param {{ source: "{source}" batch_size: 3 {image} }} }}
layer {{ name: "y" type: "Power" bottom: "data" top: "y" power_param {{ scale: 2 }} }}"""


@pytest.mark.parametrize(
    ("image", "transform"),
    [
        ("new_height: 23 new_width: 26", 'mean_file: "MEAN_3" crop_size: 15'),
        ("new_height: 19 new_width: 41", "mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.017"),
        ("new_height: 60 new_width: 9", "mean_value: 90.5"),
        ("new_height: 33 new_width: 20", "crop_size: 12 scale: 0.5"),
        ("new_height: 23 new_width: 26 is_color: false", 'mean_file: "MEAN_1"'),
        ("new_height: 40 new_width: 40 is_color: false", "crop_size: 31 mean_value: 7"),
    ],
)
def test_pixels_of_image_data_are_caffes(image: str, transform: str, tmp_path: Path) -> None:
    """Two batches of three from a list of two: over the end of the list and on."""
    # in colour no JPEG: libraries enlarge its colour planes each in its own way (docs/pixels.md)
    Image.open(PIXELS / "photo.png").rotate(90, expand=True).save(tmp_path / "turned.png")
    other = PIXELS / "photo.jpg" if "is_color" in image else tmp_path / "turned.png"
    (tmp_path / "list.txt").write_text(f"{PIXELS}/photo.png 4\n{other} 7\n")
    for channels in (1, 3):
        transform = transform.replace(f"MEAN_{channels}", f"{PIXELS}/mean_{channels}.binaryproto")
    path = tmp_path / "net.prototxt"
    path.write_text(IMAGE_DATA.format(transform=transform, image=image, source=tmp_path / "list.txt"))
    net = pycaffe.Net(str(path), pycaffe.TEST)
    ours = []
    for _ in range(2):
        net.forward()
        ours.append({blob: np.array(net.blobs[blob].data) for blob in ("data", "label", "y")})
    first = live.files_in_caffe(path, None, {}, tmp_path / "first")
    second = live.files_in_caffe(path, None, {}, tmp_path / "second", again={})
    for own, theirs in zip(ours, (first, second), strict=True):
        assert own["label"].ravel().tolist() == theirs["label"].ravel().tolist()
        assert not live.difference(own["data"], theirs["data"])
        assert not live.difference(own["y"], theirs["y"])
    assert ours[0]["label"].ravel().tolist() == [4, 7, 4]


RECURRENT = """layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 3 dim: 2 dim: 5 }} }} }}
layer {{ name: "cont" type: "Input" top: "cont" input_param {{ shape {{ dim: 3 dim: 2 }} }} }}
layer {{ name: "r" type: "{type}" bottom: "x" bottom: "cont" top: "r" recurrent_param {{ num_output: 4
  weight_filler {{ type: "uniform" min: -0.5 max: 0.5 }} }} }}"""


@pytest.mark.parametrize("type", ["LSTM", "RNN"])
@pytest.mark.parametrize("goes_on", [True, False])
def test_what_recurrent_layers_keep_is_what_caffe_keeps(type: str, goes_on: bool, tmp_path: Path) -> None:
    """The second forward begins where the first one ended, unless its markers say that a new sequence begins."""
    net = netsurgery.initialize(from_text(RECURRENT.format(type=type)), 3, "random")
    netsurgery.save_caffe(net, tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    rng = np.random.default_rng(1)
    first, second = ({"x": rng.normal(0, 1, (3, 2, 5)), "cont": np.ones((3, 2))} for _ in range(2))
    first["cont"][0] = 0
    if not goes_on:
        second["cont"][0, 1] = 0
    feeds = [{name: array.astype(np.float32) for name, array in feed.items()} for feed in (first, second)]
    theirs = live.files_in_caffe(
        tmp_path / "net.prototxt", tmp_path / "net.caffemodel", feeds[0], tmp_path / "caffe", again=feeds[1]
    )
    state: dict[str, np.ndarray] = {}
    ours = [netsurgery.run(net, feed, ["r"], state=state)["r"] for feed in feeds]
    assert not live.difference(ours[1], theirs["r"])
    forgetful = netsurgery.run(net, feeds[1], ["r"])["r"]
    assert live.difference(forgetful, theirs["r"])


SHARED = """layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 4 dim: 1 dim: 2 }} }} }}
layer {{ name: "c" type: "Power" bottom: "x" top: "c" power_param {{ scale: 2 }} }}
layer {{ name: "s" type: "{type}" bottom: "c" top: "s" {tops} {params} }}
layer {{ name: "act" type: "{act}" bottom: "s" top: "s" }}
layer {{ name: "y" type: "Power" bottom: "s" top: "y" power_param {{ scale: 3 }} }}
"""
LATE = 'layer { name: "late" type: "Power" bottom: "c" top: "late" power_param { shift: 1 } }'


@pytest.mark.parametrize("act", ["TanH"])
@pytest.mark.parametrize(
    ("type", "tops", "params", "shares"),
    [
        ("Flatten", "", "", True),
        ("Reshape", "", "reshape_param { shape { dim: 0 dim: -1 } }", True),
        ("Split", "", "", True),
        ("Slice", 'top: "s2"', "", False),
        ("Power", "", "power_param { power: 1 }", False),
    ],
)
def test_who_reads_what_a_layer_in_place_changed(
    type: str, tops: str, params: str, shares: bool, act: str, tmp_path: Path
) -> None:
    """A top of Flatten, Reshape or Split lies in its bottom's memory: a layer in place on it changes what others read later. Where
    nobody does we agree; where somebody does the net is refused, and Caffe's numbers are indeed not those that the file says."""
    text = SHARED.format(type=type, tops=tops, params=params, act=act)
    feeds = {"x": np.random.default_rng(0).normal(0, 1, (2, 4, 1, 2)).astype(np.float32)}
    for name, source in (("alone", text), ("late", text + LATE)):
        (tmp_path / f"{name}.prototxt").write_text(source)
        theirs = live.files_in_caffe(tmp_path / f"{name}.prototxt", None, feeds, tmp_path / name)
        net = from_text(source)
        if name == "late" and shares:
            with pytest.raises(UnsupportedLayersError, match="in place it would change 'c' too"):
                netsurgery.run(net, feeds)
            assert live.difference(2 * feeds["x"] + 1, theirs["late"])
            continue
        ours, exported = netsurgery.run(net, feeds, net.outputs), live.onnx_values(net, feeds)
        assert "y" in net.outputs
        for blob in {"y", "late"}.intersection(net.outputs):
            assert not live.difference(ours[blob], theirs[blob]), blob
            assert not live.difference(exported[blob], theirs[blob]), blob


@pytest.mark.parametrize("vintage", ["vintage_v0", "vintage_v1"])
def test_upgraded_files_are_the_same_net_to_caffe(vintage: str, tmp_path: Path) -> None:
    case = cases.FIXTURES / "conformance/nets" / vintage
    done = run_cli("upgrade", case / "net.prototxt", case / "net.caffemodel", "-o", tmp_path / "new.prototxt")
    assert done.exit_code == 0, done.output
    feeds = cases.runs(case)[0][0]
    old = live.files_in_caffe(case / "net.prototxt", case / "net.caffemodel", feeds, tmp_path / "old")
    new = live.files_in_caffe(tmp_path / "new.prototxt", tmp_path / "new.caffemodel", feeds, tmp_path / "new")
    assert old.keys() == new.keys()
    for blob in old:
        assert np.array_equal(old[blob], new[blob]), blob


SIZED = ["conformance/lstm", "conformance/rnn", "conformance/contrastiveloss", "conformance/exp/natural"]


@pytest.mark.parametrize("case", cases.find(*SIZED), ids=cases.name)
def test_every_size_is_compared_with_caffe(case: Path) -> None:
    """Also where Caffe's layer wants the sizes that it was made with; and numbers beyond float32 are infinite on both sides."""
    net = cases.load(case)
    for subject in (netsurgery.to_onnx(net), net):
        report = netsurgery.verify(net, subject, against="caffe")
        assert report.agrees, report
        assert len(report.cases) == 3
        assert list(report.vouchers) == ["Caffe 1.0.0"]


def test_weights_in_half_precision_are_handed_to_caffe_as_it_reads_them(tmp_path: Path) -> None:
    """NVIDIA's Caffe and OpenCV store them in a field that BVLC's ends its process on."""
    case = cases.FIXTURES / "conformance/nets/lenet"
    net = cases.load(case)
    model = NetParameter()
    for layer in net.layers:
        if layer.weights:
            stored = model.layer.add(name=layer.name, type=layer.type)
            for w in layer.weights:
                blob = stored.blobs.add(raw_data_type=2, raw_data=w.astype("<f2").tobytes())
                blob.shape.dim.extend(w.shape)
    (tmp_path / "half.caffemodel").write_bytes(model.SerializeToString())
    half = netsurgery.load(case / "net.prototxt", tmp_path / "half.caffemodel")
    report = netsurgery.verify(half, netsurgery.to_onnx(half), against="caffe", batches=[1])
    assert report.passed, report
    assert list(report.vouchers) == ["Caffe 1.0.0"]
