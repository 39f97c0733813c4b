"""What netsurgery does with large nets, call by call. Not part of the default run:

    pytest tests/benchmarks/bench_nets.py --benchmark-enable

table.py measures whole processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hand
import nets
import numpy as np
import pytest
from table import _image, _session

import netsurgery

NAMES = ("alexnet", "vgg16", "googlenet", "resnet50", "mobilenet")
ROUNDS = 5

Benchmark = Any


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def net(name: str) -> netsurgery.Net:
    return netsurgery.load(*nets.files(name))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """A place in the folder of the caffemodels, which a link must be in; what is left there is removed."""
    path = nets.cache() / f"{tmp_path.name}.onnx"
    yield path
    for file in nets.cache().glob(f"{tmp_path.name}.*"):
        file.unlink()


def test_load(benchmark: Benchmark, name: str) -> None:
    files = nets.files(name)
    assert benchmark.pedantic(netsurgery.load, files, rounds=ROUNDS, warmup_rounds=1).layers


@pytest.mark.parametrize("mode", ["link", "external", "embed"])
def test_convert(benchmark: Benchmark, net: netsurgery.Net, mode: str, room: Path) -> None:
    benchmark.pedantic(netsurgery.save_onnx, (net, room), {"weights": mode}, rounds=ROUNDS, warmup_rounds=1)
    assert room.exists()


def test_save_caffe(benchmark: Benchmark, net: netsurgery.Net, room: Path) -> None:
    weights = room.with_suffix(".caffemodel")
    benchmark.pedantic(netsurgery.save_caffe, (net, room.with_suffix(".prototxt"), weights), rounds=ROUNDS)
    assert weights.exists()


def test_convolutionalize(benchmark: Benchmark, net: netsurgery.Net, name: str) -> None:
    if name == "mobilenet":
        pytest.skip("is fully convolutional")
    assert benchmark.pedantic(netsurgery.convolutionalize, (net,), rounds=ROUNDS, warmup_rounds=1).layers


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_run(benchmark: Benchmark, net: netsurgery.Net, dtype: str) -> None:
    feeds = {"data": _image(net)}
    found = benchmark.pedantic(netsurgery.run, (net, feeds, net.outputs, dtype), rounds=3, warmup_rounds=1)
    assert np.isfinite(found["prob"]).all()


@pytest.mark.parametrize("whose", ["ours", "by_hand"])
def test_onnxruntime(benchmark: Benchmark, net: netsurgery.Net, name: str, whose: str) -> None:
    blobs = {layer.name: layer.weights for layer in net.layers}
    model = netsurgery.to_onnx(net) if whose == "ours" else hand.by_hand(name, blobs)
    session, x = _session(model.SerializeToString()), _image(net)
    (prob,) = benchmark.pedantic(session.run, (None, {"data": x}), rounds=4 * ROUNDS, warmup_rounds=2)
    assert prob.size == 1000
