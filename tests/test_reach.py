"""The cases in runtimes other than onnxruntime: one export with free sizes gives Caffe's numbers there, but for those in reach.txt.

They run where a runtime is: OpenVINO as installed, OpenCV 5 in the folder that NETSURGERY_OPENCV5 names
(`pip install --target FOLDER --no-deps 'opencv-python-headless>=5'`), onnxruntime-web in the folder that NETSURGERY_WEB names.
"""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import cases
import pytest
import reach

pytestmark = pytest.mark.reach

EXPECTED = Path(__file__).with_name("reach.txt")
HERE = {
    "openvino": find_spec("openvino") is not None,
    "opencv": bool(os.environ.get(reach.OPENCV5)),
    "web": bool(os.environ.get("NETSURGERY_WEB")) and shutil.which("node") is not None,
}
SLOW = {"web"}
"""One process a run: these see every fortieth case."""


def expected(runtime: str) -> dict[str, str]:
    """case -> what becomes of it (wrong or refused), of the cases that are not right."""
    lines = [line.split() for line in EXPECTED.read_text().splitlines() if line and not line.startswith("#")]
    return {case: what for name, case, what, *_ in lines if name == runtime}


@pytest.mark.parametrize("runtime", HERE)
def test_cases_are_right_there_but_for_those_that_are_known(runtime: str) -> None:
    if not HERE[runtime]:
        pytest.skip(f"{runtime} is not here: its cases do NOT run")
    folders = cases.find("conformance")[:: 40 if runtime in SLOW else 1]
    assert len(folders) > 4
    seen = {
        cases.name(case): verdict for case, verdict in reach.verdicts(folders, runtime, False, {}) if verdict != "right"
    }
    known = {case: what for case, what in expected(runtime).items() if any(cases.name(f) == case for f in folders)}
    fresh = {case: verdict for case, verdict in seen.items() if not verdict.startswith(known.get(case, "?"))}
    assert not fresh, "newly not right"
    assert not {*known} - {*seen}, f"right now: take them off {EXPECTED.name}"


def test_what_is_known_is_of_cases_that_there_are() -> None:
    for runtime in HERE:
        for case, what in expected(runtime).items():
            assert (cases.FIXTURES / case / "runs.npz").is_file(), case
            assert what in ("wrong", "refused")


def test_a_wrong_number_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = cases.FIXTURES / "conformance" / "convolution" / "3x3_pad1"
    assert reach.verdict(case, "onnxruntime", False, {}) == reach.RIGHT
    net = cases.damaged(cases.load(case))
    monkeypatch.setattr(cases, "load", lambda folder: net)
    assert reach.verdict(case, "onnxruntime", False, {}).startswith("wrong: y off by ")
    assert reach.verdict(case, "onnxruntime", True, {}).startswith("wrong: y off by ")
