"""Layers that scripts bring: `type: "Python"`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import netsurgery.pycaffe as caffe
from netsurgery.pycaffe.finder import PACKAGE

NET = """input: "x" input_shape { dim: 2 dim: 3 }
layer { name: "own" type: "Python" bottom: "x" top: "y" python_param { module: "own_layer" layer: "Own" } }"""
OWN = """import caffe
class Own(caffe.Layer):
    def setup(self, bottom, top):
        self.seen = str(self.phase), self.phase == caffe.TEST, "%d" % self.phase, repr(self.phase)
    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)
    def forward(self, bottom, top):
        top[0].data[...] = 2 * bottom[0].data
"""


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a net and the module of its layer, and no `import caffe` yet."""
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "caffe"}
    for name in before:
        del sys.modules[name]
    monkeypatch.setattr(sys, "meta_path", [f for f in sys.meta_path if type(f).__module__ != f"{PACKAGE}.finder"])
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "own_layer.py").write_text(OWN)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in ("caffe", "own_layer")]:
        del sys.modules[name]
    sys.modules.update(before)


def test_the_phase_is_a_number_and_a_name(room: Path) -> None:
    caffe.install(force=True)
    train, test = (caffe.Net(room / "net.prototxt", phase) for phase in (caffe.TRAIN, caffe.TEST))
    assert train.layers[1].seen == ("TRAIN", False, "0", "0")
    assert test.layers[1].seen == ("TEST", True, "1", "1")


def test_a_module_that_imports_caffe_says_what_is_missing(room: Path) -> None:
    with pytest.raises(RuntimeError) as error:
        caffe.Net(room / "net.prototxt", caffe.TEST)
    assert str(error.value) == (
        f"{room / 'net.prototxt'}:2: layer 'own' (Python): its module 'own_layer' imports caffe, and there is none\n"
        "  fix: netsurgery.pycaffe.install() before the net is made"
    )
    caffe.install(force=True)
    net = caffe.Net(room / "net.prototxt", caffe.TEST)
    net.blobs["x"].data[...] = 3
    assert (net.forward()["y"] == 6).all()
