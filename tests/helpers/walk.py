"""What a command walks through: python tests/helpers/walk.py convert NET WEIGHTS -o MODEL.onnx

The files of netsurgery in which functions run, how many of them stand one upon the other at the deepest, and the calls from file to file,
each pair once, with those that lead up: into a room that stands above. (Modules that are only imported do not count.)
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

import netsurgery
from netsurgery.cli import main

sys.path.insert(0, str(Path(__file__).parents[1]))

import test_layering

PACKAGE = str(Path(netsurgery.__file__).parent) + "/"
files: dict[str, None] = {}
calls: dict[tuple[str, str], None] = {}
stack: list[str] = []
deepest: list[str] = []


def watch(frame: FrameType, event: str, _: object) -> None:
    name = frame.f_code.co_filename
    if not name.startswith(PACKAGE) or frame.f_code.co_name == "<module>" or "_proto" in name:
        return
    name = name.removeprefix(PACKAGE)
    if event == "call":
        if stack and stack[-1] != name:
            calls[stack[-1], name] = None
        files[name] = None
        stack.append(name)
        chain = list(dict.fromkeys(stack))
        if len(chain) > len(deepest):
            deepest[:] = chain
    elif event == "return" and stack:
        stack.pop()


def rank(name: str) -> int:
    return test_layering.rank(test_layering.module(Path(PACKAGE) / name))


if __name__ == "__main__":
    sys.setprofile(watch)
    try:
        main()
    except SystemExit:
        pass
    finally:
        sys.setprofile(None)
    up = [f"{a} -> {b}" for a, b in calls if rank(b) > rank(a)]
    print(f"{len(files)} files, {sum(name.startswith('layers/') for name in files)} of them of layers")
    print(f"deepest, {len(deepest)} files: {' > '.join(deepest)}")
    print(f"{len(calls)} calls from file to file, {len(up)} of them up:", *up, sep="\n  ")
