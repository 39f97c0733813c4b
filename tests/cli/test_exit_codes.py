"""How commands end: a fault of ours is never taken for numbers that differ, and a signal leaves nothing half done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cases
import pytest

DIGITS = str(cases.FIXTURES / "digits" / "deploy.prototxt"), str(cases.FIXTURES / "digits" / "digits.caffemodel")
PLUGIN = """
import netsurgery
from netsurgery import LayerType

@netsurgery.register
class Broken(LayerType):
    types = ("Broken",)

    def shapes(self, bottoms):
        raise KeyError("nothing")
"""
NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }
layer { name: "b" type: "Broken" bottom: "x" top: "y" }
"""


def netsurgery(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "netsurgery", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=60, check=False)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "broken.py").write_text(PLUGIN)
    (tmp_path / "net.prototxt").write_text(NET)
    return tmp_path


def test_a_fault_is_exit_code_3_and_one_line(broken: Path) -> None:
    words = "inspect", "net.prototxt", "--plugin", "broken.py"
    done = netsurgery(*words, cwd=broken)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("internal error: KeyError: 'nothing'")
    assert done.stderr.count("\n") == 1
    assert "please report this line, the command and the files" in done.stderr
    done = netsurgery(*words, "--json", cwd=broken)
    assert json.loads(done.stdout) == {"error": "KeyError: 'nothing'", "kind": "internal error"}


@pytest.mark.parametrize("at", ["front", "end"])
def test_the_traceback_is_shown_on_request(at: str, broken: Path) -> None:
    words = ["inspect", "net.prototxt", "--plugin", "broken.py"]
    done = netsurgery(*(["--debug", *words] if at == "front" else [*words, "--debug"]), cwd=broken)
    assert done.returncode == 3
    assert "Traceback" in done.stderr and "broken.py" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_cleans_up_and_has_a_code_of_its_own(number: int, code: int, tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from netsurgery.cli import main\n"
        "from netsurgery.exporters.onnx import save\n"
        "write = save.replacing_all\n"
        "class Slow:\n"
        "    def __init__(self, paths): self.inner = write(paths)\n"
        "    def __enter__(self):\n"
        "        files = self.inner.__enter__(); print('open', flush=True); time.sleep(60); return files\n"
        "    def __exit__(self, *args): return self.inner.__exit__(*args)\n"
        "save.replacing_all = Slow\n"
        f"sys.argv = ['netsurgery', 'convert', *{DIGITS!r}, '-o', 'm.onnx', '--weights', 'external']\n"
        "main()\n"
    )
    (tmp_path / "m.onnx").write_text("old")
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert process.stdout is not None and process.stdout.readline() == "open\n"
    process.send_signal(number)
    assert process.wait(timeout=30) == code
    assert os.listdir(tmp_path) == ["m.onnx"]
    assert (tmp_path / "m.onnx").read_text() == "old"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    code = (
        "import time\nfrom netsurgery.files.output import replacing\n"
        "with replacing('a.bin'):\n    print('open', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert process.stdout is not None and process.stdout.readline() == "open\n"
    other = code.replace("time.sleep(60)", "").replace("a.bin", "b.bin")
    subprocess.run([sys.executable, "-c", other], cwd=tmp_path, timeout=30, check=True, capture_output=True)
    assert len([name for name in os.listdir(tmp_path) if name.endswith(".part")]) == 1  # its process lives
    process.kill()
    process.wait(timeout=30)
    subprocess.run([sys.executable, "-c", other], cwd=tmp_path, timeout=30, check=True, capture_output=True)
    assert os.listdir(tmp_path) == ["b.bin"]


@pytest.mark.skipif(os.name != "posix", reason="pipes as POSIX has them")
@pytest.mark.parametrize("words", [["layers"], ["--version"], ["time", "--nosuch"], ["convert", "nothing.prototxt"]])
def test_where_nobody_reads_numbers_do_not_differ(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-m", "netsurgery", *words], stdout=writer, stderr=writer, check=False)
    os.close(writer)
    assert done.returncode == 141
