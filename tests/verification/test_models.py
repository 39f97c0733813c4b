"""netsurgery.verify: what it compares, on what, and what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cases
import numpy as np
import onnx
import pytest
from verifying import damaged, small

import netsurgery
from netsurgery.errors import NetsurgeryError
from netsurgery.net import Net

DIGITS = cases.FIXTURES / "digits"


def digits() -> Net:
    return netsurgery.load(DIGITS / "deploy.prototxt", DIGITS / "digits.caffemodel")


def test_models_in_memory_and_on_disk(tmp_path: Path) -> None:
    """Bytes, ModelProto, embedded, external and linked weights: all the same numbers, none of the files touched."""
    net = digits()
    model = netsurgery.to_onnx(net)
    folder = tmp_path / "digits"
    folder.mkdir()
    for name in ("deploy.prototxt", "digits.caffemodel"):
        (folder / name).write_bytes((DIGITS / name).read_bytes())
    net = netsurgery.load(folder / "deploy.prototxt", folder / "digits.caffemodel")
    models: list[Any] = [model, model.SerializeToString()]
    for mode in ("embed", "external", "link"):
        netsurgery.save_onnx(net, folder / f"{mode}.onnx", weights=mode)
        models.append(folder / f"{mode}.onnx")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    reports = [netsurgery.verify(net, m, batches=[2]) for m in models]
    assert all(report.passed for report in reports)
    errors = {tuple(c.measure.max_abs for c in report.cases[0].comparisons) for report in reports}
    assert len(errors) == 1
    assert len(reports[0].cases[0].comparisons) >= 5
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_large_weights_are_left_in_the_file(tmp_path: Path) -> None:
    from netsurgery.exporters.onnx.light import read_light

    net = digits()
    netsurgery.save_onnx(net, tmp_path / "model.onnx")
    light = read_light(tmp_path / "model.onnx")
    size = (tmp_path / "model.onnx").stat().st_size
    assert light.proto.ByteSize() < size / 10
    whole = onnx.load(tmp_path / "model.onnx")
    onnx.load_external_data_for_model(light.proto, str(tmp_path))
    for a, b in zip(
        sorted(light.proto.graph.initializer, key=lambda t: t.name),
        sorted(whole.graph.initializer, key=lambda t: t.name),
        strict=True,
    ):
        assert np.array_equal(onnx.numpy_helper.to_array(a), onnx.numpy_helper.to_array(b))
    assert light.proto.graph.node == whole.graph.node
    assert light.proto.metadata_props == whole.metadata_props


def test_what_the_model_records_of_its_sources(tmp_path: Path) -> None:
    for name in ("deploy.prototxt", "digits.caffemodel"):
        (tmp_path / name).write_bytes((DIGITS / name).read_bytes())
    net = netsurgery.load(tmp_path / "deploy.prototxt", tmp_path / "digits.caffemodel")
    netsurgery.save_onnx(net, tmp_path / "embed.onnx")
    netsurgery.save_onnx(net, tmp_path / "link.onnx", weights="link")
    embed = netsurgery.verify(net, tmp_path / "embed.onnx", batches=[1])
    assert embed.sources == {
        "prototxt": "deploy.prototxt: same (sha256)",
        "weights": "digits.caffemodel: same (sha256)",
    }
    link = netsurgery.verify(net, tmp_path / "link.onnx", batches=[1])
    assert link.sources["weights"].startswith("digits.caffemodel: same size and structure; its values are not checked")
    with (tmp_path / "deploy.prototxt").open("a") as file:
        file.write("# a remark\n")
    changed = netsurgery.load(tmp_path / "deploy.prototxt", tmp_path / "digits.caffemodel")
    report = netsurgery.verify(changed, tmp_path / "embed.onnx", batches=[1])
    assert report.passed
    assert report.sources["prototxt"].startswith("deploy.prototxt: differs (sha256 ")
    assert any(n.startswith("the model was made from another prototxt file: ") for n in report.notes)
    made = netsurgery.verify(small(), netsurgery.to_onnx(small()), batches=[1])
    assert made.sources == {"prototxt": "small.prototxt: not checked: the net did not come from a file"}


def test_damaged_weights_in_a_linked_caffemodel_are_found(tmp_path: Path) -> None:
    for name in ("deploy.prototxt", "digits.caffemodel"):
        (tmp_path / name).write_bytes((DIGITS / name).read_bytes())
    original = digits()
    net = netsurgery.load(tmp_path / "deploy.prototxt", tmp_path / "digits.caffemodel")
    netsurgery.save_onnx(net, tmp_path / "link.onnx", weights="link")
    data = bytearray((tmp_path / "digits.caffemodel").read_bytes())
    largest = max((w for layer in original.layers for w in layer.weights), key=lambda w: w.size)
    at = bytes(data).find(np.ascontiguousarray(largest).tobytes())
    assert at > 0
    data[at : at + 4000] = np.full(1000, 0.5, np.float32).tobytes()
    (tmp_path / "digits.caffemodel").write_bytes(data)
    assert not netsurgery.verify(original, tmp_path / "link.onnx", batches=[1]).passed


def renamed_model(net: Net, names: dict[str, str]) -> onnx.ModelProto:
    """The net's model as another converter might have written it."""
    model = netsurgery.to_onnx(net)
    del model.metadata_props[:]
    model.producer_name = "somebody"
    for node in model.graph.node:
        for places in (node.input, node.output):
            for i, value in enumerate(places):
                places[i] = names.get(value, value)
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    del model.graph.value_info[:]
    return model


def test_models_of_other_converters_are_paired() -> None:
    net = small()
    model = renamed_model(net, {"data": "input_1", "prob": "output_0"})
    report = netsurgery.verify(net, model)
    assert report.passed
    assert [c.blob for c in report.cases[0].comparisons] == ["prob"]
    assert report.notes[:3] == (
        "inputs paired by position: data = input_1",
        "outputs paired by position: prob = output_0",
        "only outputs are compared: netsurgery did not write this model, and its blobs may mean something else",
    )
    every = netsurgery.verify(net, model, inner=True, batches=[1])
    assert [c.blob for c in every.cases[0].comparisons] == ["conv@conv", "conv", "pool", "fc", "prob"]
    wrong = renamed_model(damaged(net), {"data": "input_1", "prob": "output_0"})
    assert not netsurgery.verify(net, wrong).passed
    named = netsurgery.verify(net, model, names={"data": "input_1", "prob": "output_0", "pool": "pool"}, inner=True)
    assert named.passed


def test_an_output_that_the_model_lacks_is_no_agreement() -> None:
    net = small()
    model = netsurgery.to_onnx(net, outputs=["fc"])
    with pytest.raises(NetsurgeryError) as caught:
        netsurgery.verify(net, model)
    assert str(caught.value) == (
        "the model has no output 'prob' of the net\n"
        "  expected: its outputs: fc\n"
        "  fix: --map prob=NAME says what it is called there; --output BLOB compares only some"
    )
    report = netsurgery.verify(net, model, outputs=["fc"], batches=[1])
    assert [c.blob for c in report.cases[0].comparisons if c.is_output] == ["fc"]


def test_an_input_that_the_net_lacks_is_told() -> None:
    net = small()
    model = netsurgery.to_onnx(net)
    model.graph.input.append(onnx.helper.make_tensor_value_info("mask", 1, [1]))
    with pytest.raises(NetsurgeryError, match="the model wants an input 'mask', which the net does not have"):
        netsurgery.verify(net, model)


def test_caffe_against_caffe() -> None:
    net = digits()
    report = netsurgery.verify(net, netsurgery.convolutionalize(net), rtol=1e-9)
    assert not report.passed  # shapes of the fully connected layers' tops
    twin = net.with_layers(replace(layer) for layer in net.layers)
    assert netsurgery.verify(net, twin, rtol=0, atol=0).passed
    last = [layer for layer in net.layers if layer.weights][-1]
    report = netsurgery.verify(net, damaged(net, last.name), batches=[1])
    assert report.runtime == "netsurgery"
    assert report.first_difference is not None
    assert report.first_difference.layer == last.title
