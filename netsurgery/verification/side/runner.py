"""Runs nets in Caffe2. Started by caffe2.py in a Python that has Caffe2 (3.8 or 3.9, NumPy 1): it imports nothing of netsurgery's.

Reads requests from stdin, one line of JSON each, and answers each with one line of JSON on stdout, until stdin ends:

    {"do": "probe"}                                   what is here
    {"do": "run", "init": FILE, "predict": FILE, "inputs": NPZ, "outputs": NPZ, "blobs": [..]}
    {"do": "to_onnx", "init": FILE, "predict": FILE, "shapes": {blob: [..]}, "onnx": FILE}

Members of the npz files are counted, their blobs named by "names" beside them: a blob's name may hold what a file's may not. A net stays
loaded until another one is asked for.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import traceback
from typing import Any

LOADED: dict[str, Any] = {}


class RefusedError(Exception):
    """A request that cannot be met; `stage` says where it failed."""

    def __init__(self, stage: str, problem: str) -> None:
        super().__init__(problem)
        self.stage = stage


def imported() -> tuple[Any, Any, Any]:
    """numpy, caffe2.python.workspace and caffe2_pb2. Raises: RefusedError."""
    if "modules" not in LOADED:
        try:
            import numpy

            if int(numpy.__version__.split(".")[0]) >= 2:  # all would seem well until the first blob is fetched
                raise ImportError(f"numpy {numpy.__version__}: Caffe2 was built for numpy 1")
            import google.protobuf

            if int(google.protobuf.__version__.split(".")[0]) >= 4:  # the generated code is too old for the fast one
                os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")
            import logging

            logging.getLogger().setLevel(logging.ERROR)  # it says that there is no GPU
            from caffe2.proto import caffe2_pb2
            from caffe2.python import workspace
        except (ImportError, SystemExit) as error:
            raise RefusedError("import", f"{type(error).__name__}: {error}") from None
        LOADED["modules"] = numpy, workspace, caffe2_pb2
    numpy, workspace, caffe2_pb2 = LOADED["modules"]
    return numpy, workspace, caffe2_pb2


def versions() -> dict[str, str | None]:
    from importlib.metadata import PackageNotFoundError, version

    packages: dict[str, str | None] = {"python": sys.version.split()[0]}
    for name in ("torch", "numpy", "protobuf", "onnx"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = None
    return packages


def probe(request: dict[str, Any]) -> dict[str, Any]:
    _, workspace, _ = imported()
    return {"versions": versions(), "operators": len(workspace.RegisteredOperators())}


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def load(init: str, predict: str) -> Any:
    """Makes the net ready, unless it is; its NetDef. Raises: RefusedError."""
    _, workspace, caffe2_pb2 = imported()
    key = [(path, os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in (init, predict)]
    if LOADED.get("key") == key:
        return LOADED["net"]
    LOADED.pop("key", None)
    net = caffe2_pb2.NetDef()
    from google.protobuf.message import DecodeError

    try:
        net.ParseFromString(read(predict))
    except DecodeError as error:
        raise RefusedError("predict net", f"no NetDef: {error}") from None
    net.type = "simple"  # operators run in the order in which they stand
    net.name = net.name or "predict"
    missing = sorted({op.type for op in net.op} - set(workspace.RegisteredOperators()))
    if missing:
        raise RefusedError("operators", "not in this Caffe2: " + ", ".join(missing))
    workspace.ResetWorkspace()
    try:
        if not workspace.C.run_net_once(read(init)):  # bytes go to C++ as they are
            raise RefusedError("init net", "it failed")
    except RuntimeError as error:
        raise RefusedError("init net", first_line(error)) from None
    LOADED.update(key=key, net=net, created=False)
    return net


def run(request: dict[str, Any]) -> dict[str, Any]:
    numpy, workspace, _ = imported()
    start = time.time()
    net = load(request["init"], request["predict"])
    loaded = time.time()
    with numpy.load(request["inputs"], allow_pickle=False) as arrays:
        for index, name in enumerate(request["names"]):
            workspace.FeedBlob(name, numpy.ascontiguousarray(arrays[str(index)]))
    blobs = set(workspace.Blobs())
    lacking = [name for name in net.external_input if name not in blobs]
    if lacking:
        raise RefusedError("inputs", "neither filled in by the init net nor given: " + ", ".join(lacking))
    begin = time.time()
    try:
        if not LOADED["created"]:
            workspace.CreateNet(net, True)
            LOADED["created"] = True
        workspace.RunNet(net.name)
    except RuntimeError as error:
        raise RefusedError("predict net", first_line(error)) from None
    seconds = time.time() - begin
    names: list[str] = []
    values: dict[str, Any] = {}
    for name in request["blobs"]:
        if not workspace.HasBlob(name):
            continue
        value = workspace.FetchBlob(name)
        if isinstance(value, numpy.ndarray) and value.dtype != object:
            values[str(len(names))] = value
            names.append(name)
    with open(request["outputs"], "wb") as file:
        numpy.savez(file, **values)
    return {"names": names, "load_seconds": loaded - start, "run_seconds": seconds}


def to_onnx(request: dict[str, Any]) -> dict[str, Any]:
    """The net as ONNX by Caffe2's own frontend, which changes what it is given."""
    _, _, caffe2_pb2 = imported()
    try:
        from caffe2.python.onnx import frontend
    except ImportError as error:
        raise RefusedError("import", f"Caffe2's ONNX frontend: {error}") from None
    init, predict = caffe2_pb2.NetDef(), caffe2_pb2.NetDef()
    init.ParseFromString(read(request["init"]))
    predict.ParseFromString(read(request["predict"]))
    shapes = {name: (1, tuple(shape)) for name, shape in request["shapes"].items()}
    model = frontend.caffe2_net_to_onnx_model(predict, init, shapes)
    with open(request["onnx"], "wb") as file:
        file.write(model.SerializeToString())
    return {"versions": versions()}


def first_line(error: BaseException) -> str:
    """What Caffe2 says, without the stack that follows, and of which operator: it prints that one whole."""
    said = str(error).strip()
    first = (said.splitlines() or [type(error).__name__])[0].split(" (Error from operator")[0][:2000]
    shown = ", ".join(
        f"{key} '{m.group(1)}'"
        for key in ("name", "type", "output")
        for m in [re.search(f'^ *{key}: "(.+)"$', said, re.MULTILINE)]
        if m
    )
    return f"{first} (operator: {shown})" if shown else first


def answer(line: str) -> dict[str, Any]:
    try:
        request = json.loads(line)
        return dict({"probe": probe, "run": run, "to_onnx": to_onnx}[request["do"]](request), ok=True)
    except RefusedError as error:
        return {"ok": False, "stage": error.stage, "error": str(error)}
    except BaseException as error:  # whatever it is, the other side must hear of it
        problem = f"{type(error).__name__}: {first_line(error)}"
        return {"ok": False, "stage": "runner", "error": problem, "trace": traceback.format_exc()[-3000:]}


def main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Caffe2 prints is no answer
    for line in sys.stdin:
        out.write(json.dumps(answer(line)) + "\n")
        out.flush()
    os._exit(0)  # Caffe2's own clean-up at exit is slow, and not safe everywhere


if __name__ == "__main__":
    main()
