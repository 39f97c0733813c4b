"""Runs scripts that begin with `import caffe`."""

from __future__ import annotations

import os
import runpy
import sys
import tokenize
from collections.abc import Sequence

from .finder import install

USAGE = """usage: python -m netsurgery.pycaffe SCRIPT [ARGUMENT ...]
       python -m netsurgery.pycaffe -m MODULE [ARGUMENT ...]

Runs a Python script or module in which `import caffe` finds netsurgery's own pycaffe: no Caffe is needed.
"""


def main(arguments: Sequence[str]) -> int:
    """Runs the script or module that the arguments name, with the rest of them as its own. Gives the exit code."""
    if not arguments or arguments[0] in ("-h", "--help"):
        (sys.stdout if arguments else sys.stderr).write(USAGE)
        return 0 if arguments else 2
    install(force=True)
    if arguments[0] == "-m":
        if len(arguments) < 2:
            sys.stderr.write(USAGE)
            return 2
        sys.argv = list(arguments[1:])
        sys.path.insert(0, os.getcwd())
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return 0
    path = arguments[0]
    if complaint := unreadable(path):
        sys.stderr.write(f"error: {complaint}\n")
        return 2
    sys.argv = list(arguments)
    sys.path[0] = os.path.dirname(os.path.abspath(path))
    names = runpy.run_path(path, run_name="__main__")
    if "netsurgery.pycaffe.net" in sys.modules:
        from .explanation import at_exit

        at_exit(names.values())
    return 0


def unreadable(path: str) -> str:
    """Why the script cannot be run, "" if it can: it is missing, or no Python 3."""
    try:
        with tokenize.open(path) as file:
            text = file.read()
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror}"
    except (SyntaxError, UnicodeDecodeError) as error:
        return f"{path}: {error}"
    try:
        compile(text, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        return _explain(path, text, error)
    return ""


def _explain(path: str, text: str, error: SyntaxError) -> str:
    line = (error.text or "").strip()
    said = f"{path}:{error.lineno or 0}: {error.msg}: {line}"
    if not _looks_old(text, error):
        return said
    return (
        f"{said}\n  this is Python 2, and this Python is {sys.version_info.major}.{sys.version_info.minor}\n"
        f"  fix: translate it once: pip install fissix && python -m fissix -w {path}"
    )


def _looks_old(text: str, error: SyntaxError) -> bool:
    """Whether the script is Python 2 rather than broken."""
    words = ("print ", "exec ", "except ", "raise ", "`", "<>", "ur'", 'ur"', "0")
    said = (error.msg or "") + (error.text or "")
    return any(word in said for word in words) or "Missing parentheses" in said or "inconsistent use of tabs" in said
