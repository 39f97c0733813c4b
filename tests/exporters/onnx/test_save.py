"""Where the weights of an ONNX model stand: in it, beside it, or left in the caffemodel."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import cases
import numpy as np
import onnx
import pytest
from onnx_files import MODES, answers, places, saved

import netsurgery
from netsurgery.exporters.onnx.links import check_links
from netsurgery.formats.weights.hashes import sha256, structure_hash


def recorded(path: Path) -> dict[str, str]:
    return {p.key: p.value for p in onnx.load(path, load_external_data=False).metadata_props}


SOME = cases.find(
    "conformance/nets", "conformance/batchnorm", "conformance/lstm", "conformance/deconvolution", "conformance/embed"
)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", SOME, ids=cases.name)
def test_the_numbers_are_caffes_wherever_the_weights_stand(case: Path, mode: str, tmp_path: Path) -> None:
    weights = cases.weights(case)
    if weights is not None:
        weights = Path(shutil.copy(weights, tmp_path))
    net = netsurgery.load(case / "net.prototxt", weights)
    path = tmp_path / "model.onnx"
    netsurgery.save_onnx(net, path, weights=mode)
    onnx.checker.check_model(str(path), full_check=True)
    check_links(onnx.load(path, load_external_data=False), path)
    session = cases.session(str(path))
    outputs = [o.name for o in session.get_outputs()]
    for feed, want in cases.runs(case):
        for blob, got in zip(outputs, session.run(None, feed), strict=True):
            if blob in want:
                assert not cases.difference(got, want[blob])


def test_a_link_leaves_every_number_in_the_caffemodel(net: netsurgery.Net, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    written = netsurgery.save_onnx(net, path, weights="link")
    assert (written.weights, written.data, written.notes) == ("link", None, ())
    assert {e["location"] for e in places(path).values()} == {"digits.caffemodel"}
    data = (tmp_path / "digits.caffemodel").read_bytes()
    for name in ("conv1", "conv2", "ip1", "ip2"):
        place = places(path)[f"{name}.weight"]
        begin, length = int(place["offset"]), int(place["length"])
        assert data[begin : begin + length] == net[name].weights[0].tobytes()
    assert path.stat().st_size < 4000
    assert np.array_equal(answers(path), answers(saved(net, tmp_path / "other.onnx", "embed")))


def test_tensors_beside_the_model_begin_at_pages(net: netsurgery.Net, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    written = netsurgery.save_onnx(net, path, weights="external")
    assert written.data == tmp_path / "model.onnx.data"
    found = places(path)
    assert {e["location"] for e in found.values()} == {"model.onnx.data"}
    assert all(int(e["offset"]) % 4096 == 0 for e in found.values())
    end = max(int(e["offset"]) + int(e["length"]) for e in found.values())
    assert written.data.stat().st_size == end
    assert np.array_equal(answers(path), answers(saved(net, tmp_path / "other.onnx", "embed")))


def test_only_numbers_that_changed_are_copied_by_a_link(net: netsurgery.Net, tmp_path: Path) -> None:
    halved = net.with_weights("ip1", net["ip1"].weights[0] / 2, net["ip1"].weights[1])
    path = tmp_path / "model.onnx"
    written = netsurgery.save_onnx(halved, path, weights="link")
    found = {name: e["location"] for name, e in places(path).items()}
    assert found == {
        "conv1.weight": "digits.caffemodel",
        "conv2.weight": "digits.caffemodel",
        "ip1.weight": "model.onnx.data",
        "ip2.weight": "digits.caffemodel",
    }
    assert written.notes == (
        "0.1 MB of weights are not in the weights file as the model needs them (folded, of another type, made up): "
        "they stand in model.onnx.data",
    )
    assert np.array_equal(answers(path), answers(saved(halved, tmp_path / "other.onnx", "embed")))
    assert netsurgery.save_onnx(net, path, weights="link").notes == (
        "model.onnx.data, of an earlier conversion, is no longer needed",
    )


def test_a_link_copies_weights_of_another_file(net: netsurgery.Net, tmp_path: Path) -> None:
    (tmp_path / "donor").mkdir()
    donor_file = Path(shutil.copy(tmp_path / "digits.caffemodel", tmp_path / "donor"))
    donor = netsurgery.load(tmp_path / "deploy.prototxt", donor_file)
    mixed = net.with_weights("ip2", *donor["ip2"].weights)
    path = saved(mixed, tmp_path / "model.onnx", "link")
    assert places(path)["ip2.weight"]["location"] == "model.onnx.data"
    assert places(path)["ip1.weight"]["location"] == "digits.caffemodel"


def test_a_caffemodel_replaced_since_it_was_loaded_is_copied_as_it_was(net: netsurgery.Net, tmp_path: Path) -> None:
    want = answers(saved(net, tmp_path / "before.onnx", "embed"))
    hashed = structure_hash(tmp_path / "digits.caffemodel")
    (tmp_path / "other").write_bytes(b"something else")
    os.replace(tmp_path / "other", tmp_path / "digits.caffemodel")
    path = saved(net, tmp_path / "model.onnx", "link")
    assert {e["location"] for e in places(path).values()} == {"model.onnx.data"}
    assert recorded(path)["netsurgery.weights.structure_sha256"] == hashed
    assert np.array_equal(answers(path), want)


def test_hashes_are_recorded(net: netsurgery.Net, tmp_path: Path) -> None:
    weights = tmp_path / "digits.caffemodel"
    full, size = sha256(weights), str(weights.stat().st_size)
    prefix = "netsurgery.weights."

    def of(path: Path) -> dict[str, str]:
        assert recorded(path)["netsurgery.weights"] == "digits.caffemodel"
        assert recorded(path)["netsurgery.prototxt.sha256"] == sha256(tmp_path / "deploy.prototxt")
        return {k.removeprefix(prefix): v for k, v in recorded(path).items() if k.startswith(prefix)}

    for mode in ("embed", "external"):
        assert of(saved(net, tmp_path / "model.onnx", mode)) == {"sha256": full}
    structure = {"size": size, "structure_sha256": structure_hash(weights)}
    assert of(saved(net, tmp_path / "model.onnx", "link")) == structure
    netsurgery.save_onnx(net, tmp_path / "model.onnx", weights="link", full_hash=True)
    assert of(tmp_path / "model.onnx") == {**structure, "sha256": full}


def test_the_same_net_gives_the_same_bytes(net: netsurgery.Net, tmp_path: Path) -> None:
    for mode in MODES:
        first = saved(net, tmp_path / "model.onnx", mode).read_bytes()
        assert saved(net, tmp_path / "model.onnx", mode).read_bytes() == first


def test_the_embedded_file_is_what_onnx_would_write(net: netsurgery.Net, tmp_path: Path) -> None:
    model = onnx.load(saved(net, tmp_path / "model.onnx", "embed"))
    assert model.graph == netsurgery.to_onnx(net).graph
