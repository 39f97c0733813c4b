"""Reports as JUnit, JSON, HTML and Markdown; models checked in bulk; numbers recorded. From the command line, as CI uses them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from verify_command import BAD, GOOD, check_junit, command, first_blob, manifest

import netsurgery

LOST = 'name = "lost"\nonnx = "nowhere.onnx"\n'


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_manifest_is_worked_through(jobs: int, folder: Path, tmp_path: Path) -> None:
    outputs = ["--junit", tmp_path / "r.xml", "--json", tmp_path / "r.json", "--html", tmp_path / "r.html"]
    done = command("--manifest", manifest(folder, GOOD), "--jobs", jobs, *outputs, "-q")
    assert done.exit_code == 0, done.output
    summary = tmp_path / "summary.md"
    done = command(
        "--manifest", manifest(folder, GOOD, BAD, LOST), "--jobs", jobs, *outputs, GITHUB_STEP_SUMMARY=str(summary)
    )
    assert done.exit_code == 1
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["verdict"] == "1 of 3 models agrees, 1 differs, 1 could not be compared"
    assert found["passed"] is False
    assert [(m["name"], m["verdict"]) for m in found["models"]] == [
        ("good", "agrees"),
        ("bad", "differs"),
        ("lost", "could not be compared"),
    ]
    assert found["models"][1]["rtol"] == 1e-3
    assert found["models"][1]["first_difference"]["blob"] == first_blob(folder)
    assert [case["inputs"].split(",")[0] for case in found["models"][0]["cases"]] == [
        "data 1x1x28x28",
        "data 3x1x28x28",
    ]
    assert "[3/3] " in done.stderr
    text = summary.read_text()
    assert "## netsurgery verify: 1 of 3 models agrees, 1 differs, 1 could not be compared" in text
    assert "| good | ✅ agrees |" in text
    assert "| bad | ❌ differs | " in text
    check_junit((tmp_path / "r.xml").read_bytes())
    assert "1 of 3 models agrees" in (tmp_path / "r.html").read_text()


def test_pinned_hashes(folder: Path) -> None:
    right = hashlib.sha256((folder / "good.onnx").read_bytes()).hexdigest()
    array = np.zeros((1, 1, 28, 28), np.float32)
    np.save(folder / "x.npy", array)
    pin = hashlib.sha256((folder / "x.npy").read_bytes()).hexdigest()
    entry = f'onnx = "good.onnx"\ninputs = {{ data = "x.npy" }}\nsha256 = {{ onnx = "{right}", "x.npy" = "{pin}" }}\n'
    assert command("--manifest", manifest(folder, entry)).exit_code == 0
    done = command("--manifest", manifest(folder, entry.replace(pin, "0" * 64)))
    assert done.exit_code == 2
    assert f"x.npy: is not the file that is pinned: its sha256 is {pin}" in done.stderr
    for name in ("prototxt", "weights", "onnx", "missing.npy"):
        done = command("--manifest", manifest(folder, f'onnx = "good.onnx"\nsha256 = {{ "{name}" = "{"1" * 64}" }}\n'))
        assert done.exit_code == 2


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('sizes = ["x"]', """model 'good': sizes is ['x']\n  expected: sizes of images: [227, "451x300"]"""),
        ("batches = [0]", "model 'good': batches is [0]\n  expected: a list of positive numbers"),
        ("rtol = -1", "model 'good': rtol is -1\n  expected: a number from 0 on"),
        ("against = 3", "model 'good': against is 3\n  expected: "),
        ("sha256 = { onnx = 3 }", "model 'good': sha256 is {'onnx': 3}"),
        ("ranges = { data = 3 }", "model 'good': ranges is {'data': 3}"),
        ("shapes = [3]", "model 'good': shapes is [3]"),
        ("seed = true", "model 'good': seed is True"),
        ("inner = 1", "model 'good': inner is 1"),
        ("batchs = [1]", "model 'good': the manifest's entry 'batchs' is not known"),
    ],
)
def test_what_a_manifest_cannot_say(entry: str, message: str, folder: Path) -> None:
    done = command("--manifest", manifest(folder, GOOD.replace("batches = [1, 3]\n", "") + entry + "\n"))
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_process_that_dies_takes_nothing_with_it(folder: Path, tmp_path: Path) -> None:
    """One model kills its process: the others are still compared, and it is reported."""
    plugin = tmp_path / "killer.py"
    plugin.write_text(
        "import os, netsurgery\n"
        "from netsurgery.layers.core.layer_type import LayerType\n"
        "@netsurgery.register\n"
        "class Killer(LayerType):\n"
        '    types = ("Killer",)\n'
        "    def forward(self, bottoms, weights):\n"
        "        os._exit(9)\n"
        "    def emit(self, op, bottoms, weights):\n"
        '        return [op("Neg", bottoms[0])]\n'
    )
    (folder / "killer.prototxt").write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }\n'
        'layer { name: "k" type: "Killer" bottom: "x" top: "k" }\n'
    )
    (folder / "relu.prototxt").write_text((folder / "killer.prototxt").read_text().replace("Killer", "ReLU"))
    netsurgery.save_onnx(netsurgery.load(folder / "relu.prototxt"), folder / "killer.onnx")
    path = manifest(folder, GOOD, GOOD.replace("good", "again", 1))
    path.write_text(path.read_text() + '[[model]]\nprototxt = "killer.prototxt"\nonnx = "killer.onnx"\n')
    arguments = ["netsurgery", "verify", "--manifest", str(path), "-j", "2", "--plugin", str(plugin), "--json", "-"]
    script = f"import sys; sys.argv = {arguments}\nfrom netsurgery.cli import main\nif __name__ == '__main__': main()\n"
    (tmp_path / "run.py").write_text(script)
    done = subprocess.run(
        [sys.executable, tmp_path / "run.py"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 2, done.stderr
    found = json.loads(done.stdout)
    assert [m["verdict"] for m in found["models"]] == ["agrees", "agrees", "could not be compared"]
    assert found["models"][2]["error"] == "its process died: out of memory, or a crash of the runtime"
