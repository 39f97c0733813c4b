"""netsurgery.session: onnxruntime with the options that measurement chose."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import netsurgery
from netsurgery.errors import NetsurgeryError
from netsurgery.exporters.onnx import session as module
from netsurgery.exporters.onnx.session import options

DIGITS = Path(__file__).resolve().parents[3] / "fixtures" / "digits"
X = np.random.default_rng(0).random((2, 1, 28, 28), np.float32)


@pytest.fixture(scope="module")
def net() -> netsurgery.Net:
    return netsurgery.load(DIGITS / "deploy.prototxt", DIGITS / "digits.caffemodel")


def test_a_file_its_bytes_and_a_model_in_memory_give_the_same(net: netsurgery.Net, tmp_path: Path) -> None:
    path = tmp_path / "digits.onnx"
    netsurgery.save_onnx(net, path)
    expected = netsurgery.run(net, {"data": X})["prob"]
    for model in (path, str(path), path.read_bytes(), netsurgery.to_onnx(net)):
        (prob,) = netsurgery.session(model, threads=1).run(None, {"data": X})
        np.testing.assert_allclose(prob, expected, atol=1e-5)


@pytest.mark.parametrize(("weights", "packed"), [("embed", True), ("external", False)])
def test_matrices_are_packed_unless_they_are_mapped_from_a_file(
    net: netsurgery.Net, tmp_path: Path, weights: str, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "digits.onnx"
    netsurgery.save_onnx(net, path, weights=weights)
    asked = []
    monkeypatch.setattr(module, "options", lambda **chosen: asked.append(chosen["prepack"]) or options(**chosen))
    for prepack in (None, True, False):
        (prob,) = netsurgery.session(path, prepack=prepack).run(None, {"data": X})
        assert prob.shape == (2, 11)
    assert asked == [packed, True, False]


def test_options_say_what_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    chosen = options(prepack=False, spin=False)
    assert chosen.intra_op_num_threads == 3
    assert not chosen.enable_mem_pattern
    assert chosen.get_session_config_entry("session.disable_prepacking") == "1"
    assert chosen.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options(threads=2, free=False).enable_mem_pattern
    for odd in ("", "0", "²", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", odd)
        assert 1 <= options().intra_op_num_threads <= (os.cpu_count() or 1)


def test_what_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(NetsurgeryError, match=r"model\.onnx: onnxruntime .* does not open it"):
        netsurgery.session(path)
    with pytest.raises(NetsurgeryError, match="absent"):
        netsurgery.session(tmp_path / "absent.onnx")


def test_sessions_are_opened_in_one_place() -> None:
    """Beside it: verify, whose sessions share the machine with the reference, and the look at a model without its weights."""
    package = Path(netsurgery.__file__).parent
    openers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "onnxruntime.InferenceSession(" in path.read_text()
    }
    aside = {"verification/runtimes/session.py", "exporters/onnx/opened.py", "pycaffe/explanation.py"}
    assert openers == {"exporters/onnx/session.py", *aside}
