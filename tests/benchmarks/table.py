"""Prints the table of speeds, whole processes and ratios measured in one run:

    python tests/benchmarks/table.py [--rounds 7] [SECTION ...]

Sections: start, convert, folder, growth, save, graph, first, dense, reference, bits, huge. The nets are made at the first call
(1 GB, see nets.py).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hand
import nets
import numpy as np
import onnxruntime
from measure import Taken, here, in_turn, process

import netsurgery
from netsurgery.exporters.onnx.int8 import save_int8

PYTHON = sys.executable
NETSURGERY = [PYTHON, "-m", "netsurgery"]
MB = 1e6


def row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def header(title: str, *columns: str) -> None:
    print(f"\n**{title}**\n")
    row(*columns)
    row(*["---"] * len(columns))


def seconds(taken: Taken) -> str:
    return f"{taken.wall:.2f} s ({taken.cpu:.2f} s)"


def megabytes(taken: Taken) -> str:
    return f"{taken.rss / MB:.0f} MB"


def start(rounds: int) -> None:
    """What every command pays."""
    header("Start", "", "wall (processor)", "peak memory")
    digits = Path(__file__).parent.parent.parent / "fixtures" / "digits"
    with tempfile.TemporaryDirectory() as folder:
        convert = [*NETSURGERY, "convert", str(digits / "deploy.prototxt"), str(digits / "digits.caffemodel")]
        work = {
            "python -c pass": [PYTHON, "-c", "pass"],
            "import netsurgery": [PYTHON, "-c", "import netsurgery"],
            "netsurgery --help": [*NETSURGERY, "--help"],
            "netsurgery --version": [*NETSURGERY, "--version"],
            "netsurgery layers": [*NETSURGERY, "layers"],
            "netsurgery inspect, digits net": [*NETSURGERY, "inspect", str(digits / "deploy.prototxt")],
            "netsurgery convert, digits net": [*convert, "-o", f"{folder}/digits.onnx"],
        }
        for name, taken in in_turn({n: lambda c=c: process(c) for n, c in work.items()}, rounds).items():
            row(name, seconds(taken), megabytes(taken))
    prototxt, caffemodel = nets.files("vgg16")
    netsurgery.load(prototxt, caffemodel)
    load = in_turn({"load": lambda: here(lambda: netsurgery.load(prototxt, caffemodel))}, 5 * rounds)["load"]
    row("netsurgery.load, VGG16 (553 MB), imports done", f"{load.wall:.3f} s ({load.cpu:.3f} s)", "")


def _copying(source: Path, target: Path) -> Callable[[], Taken]:
    return lambda: process(["cp", str(source), str(target)])


def convert(rounds: int) -> None:
    """Whole processes of `netsurgery convert`, against `cp` of the caffemodel."""
    header("netsurgery convert", "", "`cp` of the caffemodel", "wall (processor)", "x `cp`", "peak memory")
    for name in ("vgg16", "alexnet", "googlenet", "resnet50", "mobilenet"):
        prototxt, caffemodel = nets.files(name)
        with tempfile.TemporaryDirectory(dir=nets.cache()) as folder:
            work: dict[str, Callable[[], Taken]] = {"cp": _copying(caffemodel, Path(folder) / "copy")}
            for mode in ("link", "external", "embed"):
                place = nets.cache() / "bench.link.onnx" if mode == "link" else Path(folder) / f"{mode}.onnx"
                command = [*NETSURGERY, "convert", str(prototxt), str(caffemodel), "-o", str(place), "--weights", mode]
                work[mode] = lambda command=command: process(command)
            found = in_turn(work, rounds)
        for mode, taken in found.items():
            if mode != "cp":
                ratio = taken.wall / found["cp"].wall
                size = caffemodel.stat().st_size / MB
                row(
                    f"{name} ({size:.0f} MB), {mode}",
                    seconds(found["cp"]),
                    seconds(taken),
                    f"{ratio:.2f}",
                    megabytes(taken),
                )


def folder(rounds: int) -> None:
    """Many nets at once: 200, of three architectures, 5 to 28 MB each."""
    header("netsurgery convert FOLDER, 200 nets", "", "wall (processor)", "peak memory")
    with tempfile.TemporaryDirectory(dir=nets.cache()) as place:
        source = Path(place, "nets")
        source.mkdir()
        for i in range(200):
            name = ("googlenet", "mobilenet", "squeezenet")[i % 3]
            for file in nets.files(name):
                os.link(file, source / f"{i:03d}_{name}{file.suffix}")
        command = [*NETSURGERY, "convert", str(source), "-o", f"{place}/models", "--force", "--quiet"]
        work = {jobs: lambda jobs=jobs: process([*command, "--jobs", jobs]) for jobs in ("1", "2")}
        taken = in_turn(work, rounds)
    for jobs, one in taken.items():
        row(f"--jobs {jobs}", seconds(one), megabytes(one))
    row("ratio", f"{taken['1'].wall / taken['2'].wall:.2f}", "")


def growth(rounds: int) -> None:
    """Link costs the same however many weights there are."""
    header("convert --weights link as weights grow", "", "caffemodel", "wall (processor)", "peak memory")
    work = {}
    for width in (0.1, 0.316, 1.0):
        name = "vgg16" if width == 1 else f"vgg16x{width}"
        prototxt, caffemodel = nets.files(name, lambda w, width=width: nets.vgg16(w, width))
        command = [*NETSURGERY, "convert", str(prototxt), str(caffemodel), "--weights", "link"]
        command += ["-o", str(nets.cache() / "bench.growth.onnx")]
        work[f"{name} | {caffemodel.stat().st_size / MB:.0f} MB"] = lambda command=command: process(command)
    for name, taken in in_turn(work, rounds).items():
        row(name, seconds(taken), megabytes(taken))


def save(rounds: int) -> None:
    """save_caffe of the fully convolutional VGG16."""
    header(
        "netsurgery convert --fully-convolutional -o fcn.prototxt",
        "",
        "`cp`",
        "wall (processor)",
        "x `cp`",
        "peak memory",
    )
    prototxt, caffemodel = nets.files("vgg16")
    with tempfile.TemporaryDirectory(dir=nets.cache()) as folder:
        command = [*NETSURGERY, "convert", str(prototxt), str(caffemodel), "--fully-convolutional"]
        command += ["-o", f"{folder}/fcn.prototxt"]
        work = {"cp": _copying(caffemodel, Path(folder) / "copy"), "save": lambda: process(command)}
        found = in_turn(work, rounds)
    cp, taken = found["cp"], found["save"]
    row("vgg16 (553 MB)", seconds(cp), seconds(taken), f"{taken.wall / cp.wall:.2f}", megabytes(taken))


def _session(model: Path | bytes, **entries: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    for key, value in entries.items():
        options.add_session_config_entry(f"session.{key}", value)
    source = str(model) if isinstance(model, Path) else model
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _image(net: netsurgery.Net) -> np.ndarray[Any, Any]:
    (shape,) = net.inputs.values()
    assert shape is not None
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def graph(rounds: int) -> None:
    """The graph that netsurgery writes against the one that one would write by hand."""
    columns = "", "nodes, by hand", "onnxruntime, ms (processor)", "by hand", "ratio (processor)"
    header("onnxruntime on the graph, median of interleaved runs", *columns)
    for name in nets.NETS:
        net = netsurgery.load(*nets.files(name))
        models = {"ours": netsurgery.to_onnx(net), "hand": hand.by_hand(name, {x.name: x.weights for x in net.layers})}
        x = _image(net)
        work = {}
        for which, model in models.items():
            session = _session(model.SerializeToString())
            session.run(None, {"data": x})
            work[which] = lambda s=session, x=x: here(lambda: s.run(None, {"data": x}))
        found = in_turn(work, max(rounds * 3, 20))
        nodes = [len(model.graph.node) for model in models.values()]
        ours, by_hand = found["ours"], found["hand"]
        times = [f"{t.wall * 1e3:.1f} ({t.cpu * 1e3:.1f})" for t in (ours, by_hand)]
        ratio = f"{ours.wall / by_hand.wall:.2f} ({ours.cpu / by_hand.cpu:.2f})"
        row(name, f"{nodes[0]}, {nodes[1]}", *times, ratio)


OPENCV = """
import cv2, json, numpy as np, sys, time
x = np.random.default_rng(0).normal(size=json.loads(sys.argv[3])).astype(np.float32)
began, cpu = time.perf_counter(), time.process_time()
net = cv2.dnn.readNetFromCaffe(sys.argv[1], sys.argv[2])
net.setInput(x)
net.forward()
print(json.dumps([time.perf_counter() - began, time.process_time() - cpu]))
"""
ONNXRUNTIME = """
import json, numpy as np, onnxruntime as ort, sys, time
x = np.random.default_rng(0).normal(size=json.loads(sys.argv[3])).astype(np.float32)
options = ort.SessionOptions()
options.log_severity_level = 3
if sys.argv[2]:
    options.add_session_config_entry(*sys.argv[2].split("="))
began, cpu = time.perf_counter(), time.process_time()
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
session.run(None, {"data": x})
print(json.dumps([time.perf_counter() - began, time.process_time() - cpu]))
"""


NO_PREPACKING = "session.disable_prepacking=1"


def _inside(code: str, *arguments: str) -> Taken:
    """What the code says that it took, imports not counted."""
    done = subprocess.run([PYTHON, "-c", code, *arguments], capture_output=True, text=True, check=True)
    wall, cpu = json.loads(done.stdout)
    return Taken(wall, cpu, 0)


def first(rounds: int) -> None:
    """From nothing in memory to the first answer, imports not counted."""
    header(
        "Load and first forward, wall (processor)",
        "",
        "OpenCV",
        "embedded",
        "external",
        "linked",
        "linked, no prepacking",
    )
    for name in ("alexnet", "vgg16", "googlenet", "resnet50", "mobilenet"):
        prototxt, caffemodel = nets.files(name)
        net = netsurgery.load(prototxt, caffemodel)
        shape = json.dumps(_image(net).shape)
        with tempfile.TemporaryDirectory(dir=nets.cache()) as folder:
            paths = {mode: Path(folder) / f"{mode}.onnx" for mode in ("embed", "external")}
            paths["link"] = nets.cache() / f"bench.{name}.onnx"
            for mode, path in paths.items():
                netsurgery.save_onnx(net, path, weights=mode)
            work = {"opencv": lambda p=prototxt, c=caffemodel, s=shape: _inside(OPENCV, str(p), str(c), s)}
            for mode, path in paths.items():
                work[mode] = lambda path=path, s=shape: _inside(ONNXRUNTIME, str(path), "", s)
            work["bare"] = lambda path=paths["link"], s=shape: _inside(ONNXRUNTIME, str(path), NO_PREPACKING, s)
            row(name, *map(seconds, in_turn(work, rounds).values()))


def dense(rounds: int) -> None:
    """One pass over an image against one pass for each of its windows."""
    header("64 windows of 227x227, AlexNet", "64 windows one by one", "in one batch", "one pass at 451x451", "gain")
    net = netsurgery.load(*nets.files("alexnet"))
    windows = _session(netsurgery.to_onnx(net).SerializeToString())
    whole = _session(netsurgery.to_onnx(netsurgery.convolutionalize(net)).SerializeToString())
    image = np.random.default_rng(0).normal(size=(1, 3, 451, 451)).astype(np.float32)
    cuts = [image[:, :, 32 * i : 32 * i + 227, 32 * j : 32 * j + 227] for i in range(8) for j in range(8)]
    batch = np.concatenate(cuts)
    assert whole.run(None, {"data": image})[0].shape == (1, 1000, 8, 8)
    work = {
        "one by one": lambda: here(lambda: [windows.run(None, {"data": cut}) for cut in cuts]),
        "batch": lambda: here(lambda: windows.run(None, {"data": batch})),
        "dense": lambda: here(lambda: whole.run(None, {"data": image})),
    }
    found = in_turn(work, rounds)
    best = min(found["one by one"].wall, found["batch"].wall)
    row(*map(seconds, found.values()), f"{best / found['dense'].wall:.1f} x")


def reference(rounds: int) -> None:
    """netsurgery.run against onnxruntime."""
    columns = "", "onnxruntime", "float32", "x", "float64", "x"
    header("netsurgery.run, wall (processor)", *columns)
    for name in ("alexnet", "vgg16", "googlenet", "resnet50", "mobilenet"):
        net = netsurgery.load(*nets.files(name))
        x = {"data": _image(net)}
        session = _session(netsurgery.to_onnx(net).SerializeToString())
        work = {"onnxruntime": lambda s=session, x=x: here(lambda: s.run(None, x))}
        for dtype in ("float32", "float64"):
            work[dtype] = lambda n=net, x=x, d=dtype: here(lambda: netsurgery.run(n, x, n.outputs, dtype=d))
        for run in work.values():
            run()
        base, single, double = in_turn(work, rounds).values()
        row(
            name,
            seconds(base),
            seconds(single),
            f"{single.wall / base.wall:.1f}",
            seconds(double),
            f"{double.wall / base.wall:.1f}",
        )


def bits(rounds: int) -> None:
    """What --fp16 and --int8 gain; what they lose, verify says of trained nets."""
    header("Fewer bits: MB of the file, ms of onnxruntime (processor)", "", "float32", "--fp16", "--int8")
    for name in ("alexnet", "googlenet", "resnet50", "mobilenet", "squeezenet"):
        net = netsurgery.load(*nets.files(name))
        x = _image(net)
        with tempfile.TemporaryDirectory(dir=nets.cache()) as folder:
            paths = [Path(folder) / f"{which}.onnx" for which in ("float32", "fp16", "int8")]
            netsurgery.save_onnx(net, paths[0])
            netsurgery.save_onnx(net, paths[1], fp16=True)
            save_int8(net, paths[2], [{"data": np.roll(x, 7 * i, axis=3)} for i in range(4)])
            sessions = {path: _session(path) for path in paths}
            work = {str(p): lambda s=s, x=x: here(lambda: s.run(None, {"data": x})) for p, s in sessions.items()}
            for run in work.values():
                run()
            found = in_turn(work, 4 * rounds)
            cells = [
                f"{path.stat().st_size / MB:.1f} MB, {t.wall * 1e3:.1f} ms ({t.cpu * 1e3:.1f})"
                for path, t in zip(paths, found.values(), strict=True)
            ]
        row(name, *cells)


HUGE = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 16384 } } }\n' + "".join(
    f'layer {{ name: "fc{i}" type: "InnerProduct" bottom: "{f"fc{i - 1}" if i else "data"}" top: "fc{i}" '
    f"inner_product_param {{ num_output: 16384 bias_term: false }} }}\n"
    for i in range(3)
)


def huge_files(folder: Path) -> tuple[Path, Path]:
    """A net of 3.2 GB of weights, which are a hole in the file but for one number of each layer."""
    from netsurgery.files.wire import BYTES, put_bytes, put_tag, put_varint

    prototxt, caffemodel = folder / "huge.prototxt", folder / "huge.caffemodel"
    prototxt.write_text(HUGE)
    count = 16384 * 16384
    with open(caffemodel, "wb") as file:
        for i in range(3):
            dims = put_bytes(7, put_bytes(1, put_varint(16384) * 2))
            blob = dims + put_tag(5, BYTES) + put_varint(4 * count)
            names = put_bytes(1, b"fc%d" % i) + put_bytes(2, b"InnerProduct")
            head = names + put_tag(7, BYTES) + put_varint(len(blob) + 4 * count) + blob
            file.write(put_tag(100, BYTES) + put_varint(len(head) + 4 * count) + head)
            file.write(np.float32(i + 2).tobytes())
            file.seek(4 * count - 4, os.SEEK_CUR)
        file.truncate()
    return prototxt, caffemodel


def huge(rounds: int) -> None:
    """Over protobuf's 2 GB."""
    header("A net of 3.2 GB", "", "convert, wall (processor)", "peak memory", "session and first run")
    folder = Path(tempfile.mkdtemp(prefix="netsurgery-huge-"))
    try:
        prototxt, caffemodel = huge_files(folder)
        x = np.zeros((1, 16384), np.float32)
        x[0, 0] = 1
        for mode in ("link", "external"):
            path = folder / f"{mode}.onnx"
            taken = process(
                [*NETSURGERY, "convert", str(prototxt), str(caffemodel), "-o", str(path), "--weights", mode]
            )
            answers: list[Any] = []

            def run(path: Path = path, answers: list[Any] = answers) -> None:
                answers[:] = _session(path, disable_prepacking="1").run(None, {"data": x})

            first_run = here(run)
            assert answers[0][0, 0] == 24
            assert np.count_nonzero(answers[0]) == 1
            row(mode, seconds(taken), megabytes(taken), seconds(first_run))
    finally:
        shutil.rmtree(folder)


SECTIONS = {f.__name__: f for f in (start, convert, folder, growth, save, graph, first, dense, reference, bits, huge)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    if unknown := set(given.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}")
    # as in an installed package: modules are compiled once
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(nets.cache() / "bytecode"))
    process([*NETSURGERY, "layers"])
    processor = platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{platform.system()} {processor}, {cores} cores, Python {platform.python_version()}, ", end="")
    print(f"onnxruntime {onnxruntime.__version__}, medians of {given.rounds} rounds; files in the page cache")
    for name in nets.NETS:
        nets.files(name)
    for name, section in SECTIONS.items():
        if not given.sections or name in given.sections:
            section(given.rounds)


if __name__ == "__main__":
    main()
