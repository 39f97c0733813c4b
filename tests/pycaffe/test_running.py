"""How nets run: what is compiled, what is kept, what is computed when."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import netsurgery.pycaffe as caffe

PYRAMID = Path(__file__).parents[2] / "fixtures" / "pycaffe" / "mtcnn_pyramid"


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one for each session that is made."""
    made: list[int] = []
    real = onnxruntime.InferenceSession

    def counted(*args: Any, **options: Any) -> Any:
        made.append(1)
        return real(*args, **options)

    monkeypatch.setattr(onnxruntime, "InferenceSession", counted)
    return made


@pytest.fixture
def pnet() -> caffe.Net:
    return caffe.Net(PYRAMID / "det1.prototxt", PYRAMID / "det1.caffemodel", caffe.TEST)


def forward(net: caffe.Net, height: int, width: int) -> dict[str, Any]:
    net.blobs["data"].reshape(1, 3, height, width)
    net.blobs["data"].data[...] = np.sin(np.arange(3 * height * width)).reshape(3, height, width)
    return {name: array.copy() for name, array in net.forward().items()}


def test_a_pyramid_compiles_once(pnet: caffe.Net, sessions: list[int]) -> None:
    for _ in range(2):
        for height, width in ((48, 60), (34, 43), (24, 30), (17, 21)):
            forward(pnet, height, width)
    assert len(sessions) == 1


def test_an_edit_compiles_nothing_that_was_compiled(pnet: caffe.Net, sessions: list[int]) -> None:
    before = forward(pnet, 30, 30)["prob1"]
    for factor in (1.5, 0.5, 2.0):
        pnet.params["conv3"][0].data[...] *= factor
        assert not np.allclose(forward(pnet, 30, 30)["prob1"], before)
    assert len(sessions) == 2
    pnet.params["conv3"][0].data[...] /= 1.5
    np.testing.assert_allclose(forward(pnet, 30, 30)["prob1"], before, atol=1e-6)


def test_looking_at_parameters_is_no_edit(pnet: caffe.Net, sessions: list[int]) -> None:
    forward(pnet, 30, 30)
    shapes = [blob.data.shape for blobs in pnet.params.values() for blob in blobs]
    forward(pnet, 30, 30)
    assert shapes and len(sessions) == 1


def test_inner_blobs_are_those_of_the_last_forward(pnet: caffe.Net) -> None:
    x = np.random.RandomState(0).randn(1, 3, 20, 20).astype(np.float32)
    pnet.blobs["data"].reshape(*x.shape)
    whole = {k: v.copy() for k, v in pnet.forward(blobs=["conv1", "pool1", "conv3"], data=x).items()}
    pnet.forward(data=-x)
    pnet.forward(data=x)
    pnet.blobs["data"].data[...] = 7  # later than the forward
    pnet.params["conv1"][0].data[...] *= 3
    for name in ("conv3", "pool1", "conv1"):
        np.testing.assert_allclose(pnet.blobs[name].data, whole[name], rtol=1e-4, atol=1e-5)


def test_views_stay_the_nets_memory(pnet: caffe.Net) -> None:
    forward(pnet, 20, 20)
    view = pnet.blobs["conv3"].data
    old = view.copy()
    pnet.blobs["data"].data[...] *= -1
    pnet.forward()
    assert not np.array_equal(view, old) and np.shares_memory(view, pnet.blobs["conv3"].data)
    weights = pnet.params["conv1"][0].data
    del pnet
    gc.collect()
    assert np.isfinite(weights).all() and np.isfinite(view).all()


def test_many_sizes_do_not_grow_the_process(pnet: caffe.Net) -> None:
    def resident() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc")
    rng = np.random.RandomState(0)
    forward(pnet, 96, 96)
    for size in rng.randint(12, 96, (60, 2)).tolist():
        forward(pnet, *size)
    before = resident()
    for size in rng.randint(12, 96, (300, 2)).tolist():
        forward(pnet, *size)
    assert resident() - before < 10


def test_hooks_are_called_with_the_number_of_the_layer(pnet: caffe.Net) -> None:
    want = forward(pnet, 20, 20)["prob1"]
    seen: list[tuple[str, int]] = []
    pnet.before_forward(lambda i: seen.append(("before", i)))
    pnet.after_forward(lambda i: seen.append(("after", i)))
    np.testing.assert_allclose(forward(pnet, 20, 20)["prob1"], want, atol=1e-6)
    count = len(pnet.layers)
    assert seen == [(when, i) for i in range(count) for when in ("before", "after")]


def test_a_loss_is_given_by_the_raw_forward(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(
        'input: "a" input_shape { dim: 2 dim: 3 } input: "b" input_shape { dim: 2 dim: 3 }\n'
        'layer { name: "l" type: "EuclideanLoss" bottom: "a" bottom: "b" top: "l" loss_weight: 2 }'
    )
    net = caffe.Net(tmp_path / "net.prototxt", caffe.TEST)
    net.blobs["a"].data[...] = 1
    assert net._forward(0, len(net.layers) - 1) == pytest.approx(2 * 6 / 4)
    assert net.blobs["l"].data.shape == () and float(net.blobs["l"].data) == pytest.approx(1.5)


def test_sizes_that_came_before_are_not_worked_out_again(pnet: caffe.Net, monkeypatch: pytest.MonkeyPatch) -> None:
    want = [forward(pnet, *size) for size in ((40, 50), (20, 25))]
    kinds = {type(slot.op.kind) for slot in pnet._structure.slots if slot.op.kind is not None}
    assert len(kinds) >= 4
    for kind in kinds:
        monkeypatch.setattr(kind, "shapes", lambda *_: pytest.fail("worked out again"))
    for size, outputs in zip(((40, 50), (20, 25)), want, strict=True):
        again = forward(pnet, *size)
        assert {name: array.shape for name, array in again.items()} == {n: a.shape for n, a in outputs.items()}
        np.testing.assert_array_equal(again["prob1"], outputs["prob1"])
        assert pnet.blobs["conv1"].shape[2:] == [size[0] - 2, size[1] - 2]
