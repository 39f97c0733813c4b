"""`import caffe` finds this package; scripts run; Python 2 is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "netsurgery.pycaffe", *arguments], cwd=cwd, capture_output=True, text=True, timeout=60
    )


def test_a_script_finds_caffe_and_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("WORD = 'beside'\n")
    (tmp_path / "demo.py").write_text(
        "import sys, caffe, helper\nprint(caffe.TEST, helper.WORD, sys.argv[1:], __name__)\n"
    )
    done = run("demo.py", "--gpu", "0", cwd=tmp_path)
    assert done.stdout == "1 beside ['--gpu', '0'] __main__\n", done.stderr


def test_a_module_of_caffe_is_one_object_under_two_names(tmp_path: Path) -> None:
    (tmp_path / "demo.py").write_text(
        "import caffe, caffe.solver, netsurgery.pycaffe.solver\n"
        "print(caffe.solver is netsurgery.pycaffe.solver, caffe is netsurgery.pycaffe)\n"
    )
    assert run("demo.py", cwd=tmp_path).stdout == "True True\n"


def test_python_2_is_told_not_translated(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text("import caffe\nprint 'hello'\n")
    done = run("old.py", cwd=tmp_path)
    assert done.returncode == 2
    assert "old.py:2:" in done.stderr and "this is Python 2" in done.stderr and "fissix" in done.stderr


def test_the_import_is_light() -> None:
    code = "import sys, netsurgery.pycaffe; print([m for m in ('onnx', 'onnxruntime', 'torch') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_solvers_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import caffe\n"
        "for name in ('SGDSolver', 'AdamSolver', 'get_solver'):\n"
        "    try:\n        getattr(caffe, name)('solver.prototxt')\n"
        "    except Exception as error:\n        print(str(error).splitlines()[0])\n"
    )
    assert run("train.py", cwd=tmp_path).stdout.splitlines() == [
        f"caffe.{name} trains, which netsurgery does not" for name in ("SGDSolver", "AdamSolver", "get_solver")
    ]


def test_the_command_hands_the_arguments_on(tmp_path: Path) -> None:
    (tmp_path / "demo.py").write_text("import sys, caffe\nprint(caffe.TEST, sys.argv)\n")
    command = [sys.executable, "-m", "netsurgery", "pycaffe", "demo.py", "--gpu", "0", "-v", "x.jpg"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "1 ['demo.py', '--gpu', '0', '-v', 'x.jpg']\n", done.stderr


def test_a_script_that_fails_fails_with_its_own_error(tmp_path: Path) -> None:
    (tmp_path / "demo.py").write_text("import caffe\ncaffe.Net('nowhere.prototxt', caffe.TEST)\n")
    done = run("demo.py", cwd=tmp_path)
    assert done.returncode == 1 and "Could not open file nowhere.prototxt" in done.stderr


def test_public_names_are_not_hidden_by_modules() -> None:
    code = (
        "import pkgutil, importlib, netsurgery.pycaffe as caffe\n"
        "for module in pkgutil.iter_modules(caffe.__path__, caffe.__name__ + '.'):\n"
        "    if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
        "home = lambda name: importlib.import_module(f'{caffe.__name__}.{caffe._HOME[name]}')\n"
        "print([name for name in caffe._HOME if getattr(caffe, name) is not getattr(home(name), name)], len(caffe._HOME))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("[] ") and int(done.stdout[3:]) > 15, done.stderr
