"""Where the weights of an ONNX model stand: in it, beside it, or left in the caffemodel."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_files import DIGITS, MODES, answers, places, saved

import netsurgery
from netsurgery.errors import NetsurgeryError, WeightsError
from netsurgery.exporters.onnx.links import FIX, check_links
from netsurgery.formats.weights.hashes import sha256, structure_hash


def test_a_model_may_lie_above_its_caffemodel_and_nowhere_else(net: netsurgery.Net, tmp_path: Path) -> None:
    want = answers(saved(net, tmp_path / "embed.onnx", "embed"))
    inner = tmp_path / "weights" / "v1"
    inner.mkdir(parents=True)
    moved = Path(shutil.move(tmp_path / "digits.caffemodel", inner))
    net = netsurgery.load(tmp_path / "deploy.prototxt", moved)
    path = saved(net, tmp_path / "model.onnx", "link")
    assert {e["location"] for e in places(path).values()} == {"weights/v1/digits.caffemodel"}
    assert np.array_equal(answers(path), want)
    (tmp_path / "out").mkdir()
    with pytest.raises(NetsurgeryError) as caught:
        netsurgery.save_onnx(net, tmp_path / "out" / "model.onnx", weights="link")
    assert str(caught.value) == (
        f"{tmp_path / 'out' / 'model.onnx'}: cannot point to {moved}\n"
        "  expected: a model in the folder of its caffemodel, or above it: runtimes refuse other places\n"
        f"  fix: write the model to {inner}, or use --weights external or --weights embed"
    )
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="making symbolic links needs a right there")
def test_symbolic_links_are_seen_through_or_refused(net: netsurgery.Net, tmp_path: Path) -> None:
    want = answers(saved(net, tmp_path / "embed.onnx", "embed"))
    # the caffemodel is a link to a file further down: the model points to that file
    (tmp_path / "store").mkdir()
    shutil.move(tmp_path / "digits.caffemodel", tmp_path / "store" / "real")
    (tmp_path / "digits.caffemodel").symlink_to("store/real")
    linked = netsurgery.load(tmp_path / "deploy.prototxt", tmp_path / "digits.caffemodel")
    path = saved(linked, tmp_path / "model.onnx", "link")
    assert {e["location"] for e in places(path).values()} == {"store/real"}
    assert np.array_equal(answers(path), want)
    onnx.checker.check_model(str(path))
    # the folder is reached through a link
    (tmp_path / "short").symlink_to(tmp_path)
    path = saved(linked, tmp_path / "short" / "again.onnx", "link")
    assert np.array_equal(answers(path), want)
    # the model itself is a link
    (tmp_path / "alias.onnx").symlink_to("model.onnx")
    for mode in ("link", "external"):
        with pytest.raises(NetsurgeryError) as caught:
            netsurgery.save_onnx(linked, tmp_path / "alias.onnx", weights=mode)
        assert str(caught.value) == (
            f"{tmp_path / 'alias.onnx'}: is a symbolic link: runtimes would look for the weights beside it, or refuse to\n"
            "  expected: the path of the model itself\n"
            f"  fix: write to {tmp_path / 'model.onnx'}, or use --weights embed"
        )
    netsurgery.save_onnx(linked, tmp_path / "alias.onnx", weights="embed")
    assert (tmp_path / "alias.onnx").is_symlink()
    assert np.array_equal(answers(tmp_path / "model.onnx"), want)


@pytest.mark.skipif(not hasattr(os, "link"), reason="no hard links here")
def test_hard_links_are_mentioned(net: netsurgery.Net, tmp_path: Path) -> None:
    os.link(tmp_path / "digits.caffemodel", tmp_path / "again.caffemodel")
    written = netsurgery.save_onnx(net, tmp_path / "model.onnx", weights="link")
    assert written.notes == (
        f"{tmp_path / 'digits.caffemodel'} has several hard links: onnxruntime reads it, onnx.load and onnx.checker refuse it",
    )
    answers(tmp_path / "model.onnx")


def test_the_weights_file_is_not_overwritten(net: netsurgery.Net, tmp_path: Path) -> None:
    before = (tmp_path / "digits.caffemodel").read_bytes()
    for mode in MODES:
        with pytest.raises(NetsurgeryError) as caught:
            netsurgery.save_onnx(net, tmp_path / "digits.caffemodel", weights=mode)
        assert str(caught.value) == (
            f"{tmp_path / 'digits.caffemodel'}: is the net's weights file\n  expected: another name"
        )
    assert (tmp_path / "digits.caffemodel").read_bytes() == before
    (tmp_path / "digits.caffemodel").rename(tmp_path / "m.onnx.data")
    net = netsurgery.load(tmp_path / "deploy.prototxt", tmp_path / "m.onnx.data")
    with pytest.raises(NetsurgeryError, match=r"m\.onnx\.data: is the net's weights file"):
        netsurgery.save_onnx(net, tmp_path / "m.onnx", weights="external")
    assert (tmp_path / "m.onnx.data").read_bytes() == before


def test_model_and_data_are_both_new_or_both_old(net: netsurgery.Net, tmp_path: Path) -> None:
    path, data = tmp_path / "model.onnx", tmp_path / "model.onnx.data"
    saved(net, path, "external")
    want = answers(path)
    other = net.with_weights("ip1", net["ip1"].weights[0] / 2, net["ip1"].weights[1])
    old = path.read_bytes(), data.read_bytes()
    saved(other, path, "external")
    assert not np.array_equal(answers(path), want)
    assert path.read_bytes() == old[0], "the two models differ in their numbers only"
    assert data.read_bytes() != old[1]
    data.unlink()
    data.mkdir()  # in the way
    files = sorted(tmp_path.iterdir())
    with pytest.raises(NetsurgeryError, match=r"model\.onnx\.data: cannot be written: is a folder"):
        saved(net, path, "external")
    assert path.read_bytes() == old[0]
    assert sorted(tmp_path.iterdir()) == files


def check(path: Path) -> None:
    check_links(onnx.load(path, load_external_data=False), path)


def test_a_caffemodel_that_is_no_longer_what_it_was_is_noticed(net: netsurgery.Net, tmp_path: Path) -> None:
    path, weights = tmp_path / "model.onnx", tmp_path / "digits.caffemodel"
    netsurgery.save_onnx(net, path, weights="link", full_hash=True)
    check(path)
    good, size = weights.read_bytes(), weights.stat().st_size
    structure, full = structure_hash(weights), sha256(weights)
    in_values = int(places(path)["ip1.weight"]["offset"]) + 5

    def refused(data: bytes) -> str:
        weights.write_bytes(data)
        with pytest.raises(WeightsError) as caught:
            check(path)
        return str(caught.value)

    assert refused(good[:-1]) == (
        f"{path}: its weights are in digits.caffemodel, which has {size - 1} bytes\n"
        f"  expected: {size} bytes, as when the model was made\n  fix: {FIX}"
    )
    changed = "its weights are in digits.caffemodel, which has changed:"
    assert refused(good.replace(b"ip1", b"ip9")) == (
        f"{path}: {changed} names, shapes or places of its weights are not as when the model was made\n"
        f"  expected: structure_sha256 {structure}\n  fix: {FIX}"
    )
    assert refused(good[:in_values] + bytes([good[in_values] ^ 1]) + good[in_values + 1 :]) == (
        f"{path}: {changed} it is not as when the model was made\n  expected: sha256 {full}\n  fix: {FIX}"
    )
    weights.write_bytes(good)
    check(path)
    weights.rename(tmp_path / "elsewhere")
    with pytest.raises(WeightsError) as caught:
        check(path)
    assert str(caught.value) == (
        f"{path}: its weights are in digits.caffemodel, which is not there\n  expected: {weights}\n  fix: {FIX}"
    )


def test_a_data_file_that_was_cut_off_is_noticed(net: netsurgery.Net, tmp_path: Path) -> None:
    path, data = tmp_path / "model.onnx", tmp_path / "model.onnx.data"
    saved(net, path, "external")
    check(path)
    size = data.stat().st_size
    os.truncate(data, size - 1)
    with pytest.raises(WeightsError) as caught:
        check(path)
    assert str(caught.value) == (
        f"{path}: its weights are in model.onnx.data, which has {size - 1} bytes\n"
        f"  expected: at least {size} bytes\n  fix: {FIX}"
    )


def test_verify_finds_a_caffemodel_that_was_moved_cut_off_or_altered(net: netsurgery.Net, tmp_path: Path) -> None:
    path, weights = tmp_path / "model.onnx", tmp_path / "digits.caffemodel"
    netsurgery.save_onnx(net, path, weights="link")
    original = netsurgery.load(DIGITS / "deploy.prototxt", DIGITS / "digits.caffemodel")
    report = netsurgery.verify(original, path)
    assert report.passed
    assert report.sources["weights"] == (
        "digits.caffemodel: same size and structure; its values are not checked by hash: convert with --hash records one"
    )
    good = weights.read_bytes()
    begin = int(places(path)["ip2.weight"]["offset"])
    weights.write_bytes(good[:begin] + np.full(40, 3, "<f4").tobytes() + good[begin + 160 :])
    altered = netsurgery.verify(original, path)
    assert not altered.passed
    assert altered.first_difference is not None
    assert altered.first_difference.blob == "ip2"
    os.truncate(weights, len(good) - 1)
    with pytest.raises(WeightsError, match=r"its weights are in digits\.caffemodel, which has \d+ bytes"):
        netsurgery.verify(original, path)
    weights.rename(tmp_path / "elsewhere")
    with pytest.raises(WeightsError, match="which is not there"):
        netsurgery.verify(original, path)


def test_weights_may_stand_at_any_byte(tmp_path: Path) -> None:
    """A caffemodel knows no alignment, and runtimes use the numbers where they lie."""
    met = set()
    for length in range(1, 5):
        text = (DIGITS / "deploy.prototxt").read_text()
        (tmp_path / "net.prototxt").write_text(text.replace('name: "digits"', f'name: "{"n" * length}"'))
        plain = netsurgery.load(tmp_path / "net.prototxt", DIGITS / "digits.caffemodel")
        netsurgery.save_caffe(plain, tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
        net = netsurgery.load(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
        linked = saved(net, tmp_path / "linked.onnx", "link")
        met |= {(name, int(place["offset"]) % 4) for name, place in places(linked).items()}
        assert np.array_equal(answers(linked), answers(saved(net, tmp_path / "embed.onnx", "embed")))
    assert {at for name, at in met if name == "ip1.weight"} == {0, 1, 2, 3}
