"""What is not imported and not read before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cases
import pytest

DIGITS = cases.FIXTURES / "digits"
HEAVY = ("onnx", "onnxruntime", "h5py", "PIL", "torch", "dask", "distributed", "cv2")


def imported_by(code: str) -> list[str]:
    """The heavy modules that are there when the code has run."""
    watch = f"import sys\n{code}\nprint('|'.join(m for m in {HEAVY} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", watch], capture_output=True, text=True, check=True)
    return [m for m in done.stdout.splitlines()[-1].split("|") if m]


def command(*arguments: str) -> str:
    return (
        f"sys.argv = ['netsurgery', *{list(arguments)!r}]\n"
        "from netsurgery.cli import main\n"
        "try: main()\nexcept SystemExit as exit: assert not exit.code\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("--version",), ("layers",), ("inspect", str(DIGITS / "deploy.prototxt")), ("convert", "--help")],
    ids=lambda arguments: arguments[0],
)
def test_commands_that_need_no_runtime_import_none(arguments: tuple[str, ...]) -> None:
    assert imported_by(command(*arguments)) == []


def test_converting_imports_no_runtime(tmp_path: Path) -> None:
    files = str(DIGITS / "deploy.prototxt"), str(DIGITS / "digits.caffemodel"), "-o", str(tmp_path / "digits.onnx")
    assert imported_by(command("convert", *files, "-q", "--no-check")) == ["onnx"]


def test_loading_running_and_operating_import_nothing_heavy() -> None:
    files = str(DIGITS / "deploy.prototxt"), str(DIGITS / "digits.caffemodel")
    code = f"""
import netsurgery, numpy
net = netsurgery.convolutionalize(netsurgery.load(*{files!r}))
netsurgery.run(net, {{"data": numpy.zeros((1, 1, 40, 40))}})
"""
    assert imported_by(code) == []
