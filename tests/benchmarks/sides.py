"""Twelve nets side by side, taking turns in one run, medians in milliseconds:

    NETSURGERY_CAFFE_PYTHON=PYTHON python tests/benchmarks/sides.py [--batch 1] [--rounds 7] [--threads 2] [NET ...]

Our model in onnxruntime, that of `convert --winograd` if it is another, the graph that one would write by hand, OpenVINO on our
model, OpenCV on the caffemodel, real Caffe. Where OpenVINO or Caffe is not installed, or lacks a layer, the cell stays empty; `NET,
part` is the net without the layers that BVLC's Caffe lacks. The nets are made at the first call (see nets.py).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import more_hand
import nets
import numpy as np
from measure import turn
from more_nets import NETS, PARTS, MorePrototxt
from pycaffe_table import worker
from table import header, row

import netsurgery

ORDER = (
    *("alexnet", "vgg16", "googlenet", "resnet50", "mobilenet", "squeezenet"),
    *("densenet121", "shufflenet", "ssd300", "faster_rcnn", "fcn8s", "segnet"),
)
SIDES = ("ours", "--winograd", "by hand", "OpenVINO", "OpenCV", "Caffe")
Array = np.ndarray[Any, Any]


def files(name: str, whole: bool) -> tuple[Path, Path]:
    """Prototxt and caffemodel of a net, or of the part of it that Caffe has."""
    if name in nets.NETS:
        return nets.files(name)
    writer = MorePrototxt(name)
    NETS[name](writer, whole)
    return nets.written(name if whole else f"{name}_part", "\n".join(writer.lines))


def feeds(net: netsurgery.Net, batch: int) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    arrays = {}
    for name, shape in net.inputs.items():
        assert shape is not None
        sizes = [n if isinstance(n, int) else 1 for n in shape]
        arrays[name] = rng.normal(0, 50, (batch, *sizes[1:])).astype(np.float32)
    if "im_info" in arrays:
        arrays["im_info"] = np.array([[*arrays["data"].shape[2:], 1]], np.float32)
    return arrays


def ours(path: Path, arrays: Mapping[str, Array], threads: int) -> Callable[[], object]:
    session = netsurgery.session(path, threads=threads)
    used = {i.name: arrays[i.name] for i in session.get_inputs()}
    return lambda: session.run(None, used)


def openvino(path: Path, arrays: Mapping[str, Array], threads: int) -> Callable[[], object]:
    import openvino as ov

    model = ov.Core().compile_model(
        str(path), "CPU", {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    )
    used = [arrays[port.any_name] for port in model.inputs]
    request = model.create_infer_request()
    return lambda: request.infer(used)


def opencv(prototxt: Path, caffemodel: Path, arrays: Mapping[str, Array], threads: int) -> Callable[[], object]:
    import cv2

    cv2.setNumThreads(threads)
    net = cv2.dnn.readNetFromCaffe(str(prototxt), str(caffemodel))
    names = net.getUnconnectedOutLayersNames()

    def run() -> object:
        for name, array in arrays.items():
            net.setInput(array, name)
        return net.forward(names)

    return run


def caffe(ask: Callable[[str], float], prototxt: Path, caffemodel: Path, batch: int) -> Callable[[], object]:
    """On zeros, which take as long."""
    ask(f"net = caffe.Net({str(prototxt)!r}, {str(caffemodel)!r}, caffe.TEST)")
    ask(f"net.blobs['data'].reshape({batch}, *net.blobs['data'].shape[1:])")
    ask("net.reshape()")
    return lambda: ask("net.forward()")


def contenders(
    name: str, whole: bool, batch: int, threads: int, clock: str, stack: ExitStack
) -> Iterator[tuple[str, Callable[[], object]]]:
    prototxt, caffemodel = files(name, whole)
    net = netsurgery.load(prototxt, caffemodel)
    arrays = feeds(net, batch)
    path = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=nets.cache()))) / "model.onnx"
    netsurgery.save_onnx(net, path)
    yield "ours", ours(path, arrays, threads)
    other = path.with_name("winograd.onnx")
    netsurgery.save_onnx(net, other, winograd=True)
    if other.stat().st_size != path.stat().st_size:
        yield "--winograd", ours(other, arrays, threads)
    if whole:
        model = more_hand.by_hand(name, {layer.name: layer.weights for layer in net.layers}, batch)
        plain = path.with_name("hand.onnx")
        plain.write_bytes(model.SerializeToString())
        yield "by hand", ours(plain, arrays, threads)
        try:
            yield "OpenVINO", openvino(path, arrays, threads)
        except (ImportError, RuntimeError) as error:
            print(f"{name}: OpenVINO: {str(error).splitlines()[0]}", file=sys.stderr)
        try:
            run = opencv(prototxt, caffemodel, arrays, threads)
            run()
            yield "OpenCV", run
        except Exception as error:  # cv2.error derives from Exception
            print(f"{name}: OpenCV: {str(error).splitlines()[0]}", file=sys.stderr)
    ask = stack.enter_context(worker(clock))
    if ask and (name not in PARTS or not whole):
        yield "Caffe", caffe(ask, prototxt, caffemodel, batch)


def line(name: str, whole: bool, asked: Any) -> None:
    clock = "process_time" if asked.processor else "perf_counter"
    with ExitStack() as stack:
        runs = dict(contenders(name, whole, asked.batch, asked.threads, clock, stack))
        turns: dict[str, list[float]] = {side: [] for side in runs}
        for number in range(asked.rounds + 1):
            for side, run in runs.items():
                seconds = turn(run, getattr(time, clock))
                if number:
                    turns[side].append(seconds)
    medians = {side: statistics.median(times) * 1e3 for side, times in turns.items()}
    cells = [f"{medians[side]:.1f}" if side in medians else "" for side in SIDES]
    ratios = [f"{medians['ours'] / medians[side]:.2f}" if side in medians else "" for side in SIDES[1:]]
    row(name if whole else f"{name}, part", asked.batch, *cells, *ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", metavar="NET", default=ORDER)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--processor", action="store_true", help="processor time instead of wall time, with --threads 1"
    )
    asked = parser.parse_args()
    os.environ |= {name: str(asked.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    header("Side by side, ms", "net", "batch", *SIDES, *(f"ours / {side}" for side in SIDES[1:]))
    for name in asked.nets:
        if name == "faster_rcnn" and asked.batch > 1:
            print("faster_rcnn: proposals are those of one image", file=sys.stderr)
            continue
        for whole in (True, False) if name in PARTS and asked.batch == 1 else (True,):
            line(name, whole, asked)


if __name__ == "__main__":
    main()
