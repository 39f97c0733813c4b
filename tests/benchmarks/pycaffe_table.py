"""Prints what netsurgery.pycaffe takes beside real Caffe and plain onnxruntime, taking turns, medians:

    NETSURGERY_CAFFE_PYTHON=PYTHON python tests/benchmarks/pycaffe_table.py [--rounds 9] [SECTION ...]

Sections: forward, inner, overhead, open, edit, pyramid, memory, start. The nets are made at the first call (see nets.py). Without a
Python that has Caffe its columns stay empty.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import nets
import numpy as np
from table import _session, header, row

import netsurgery
import netsurgery.pycaffe as caffe

# Real Caffe in a process of its own: a line is Python, run there; what it says last is the seconds that it took.
WORKER = """
import os, sys, time
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
import caffe, numpy as np
names = {"caffe": caffe, "np": np}
for line in sys.stdin:
    code = compile(line.replace(";;", "\\n"), "line", "exec")
    began = time.perf_counter()
    exec(code, names)
    sys.stdout.write("%r\\n" % (time.perf_counter() - began))
    sys.stdout.flush()
"""
Work = Callable[[], float]


@contextlib.contextmanager
def worker(clock: str = "perf_counter") -> Iterator[Callable[[str], float] | None]:
    """Runs a line in real Caffe and gives its seconds; None where there is no Caffe."""
    python = os.environ.get("NETSURGERY_CAFFE_PYTHON")
    if not python:
        yield None
        return
    with subprocess.Popen(
        [python, "-c", WORKER.replace("perf_counter", clock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        source, answers = process.stdin, process.stdout

        def ask(line: str) -> float:
            source.write(line + "\n")
            source.flush()
            return float(answers.readline())

        yield ask
        source.close()


def timed(run: Callable[[], object]) -> Work:
    def work() -> float:
        began = time.perf_counter()
        run()
        return time.perf_counter() - began

    return work


def medians(work: Mapping[str, Work], rounds: int) -> dict[str, float]:
    """Milliseconds, all kinds of work taking turns, after a round that does not count."""
    for run in work.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, run in work.items():
            times[name].append(run())
    return {name: 1e3 * statistics.median(taken) for name, taken in times.items()}


def cells(times: Mapping[str, float], *names: str) -> list[str]:
    return [f"{times[name]:.2f}" if name in times else "" for name in names]


def ratio(times: Mapping[str, float], name: str, base: str) -> str:
    return f"{times[name] / times[base]:.3f}" if base in times else ""


def _noise(shape: Any) -> Any:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def forward(rounds: int) -> None:
    """net.forward(), reading the output."""
    header("forward, ms", "", "Caffe", "here", "onnxruntime", "here / Caffe")
    for name in ("alexnet", "googlenet", "resnet50", "vgg16"):
        prototxt, weights = map(str, nets.files(name))
        session = _session(netsurgery.to_onnx(netsurgery.load(prototxt, weights)).SerializeToString())
        for batch in (1, 10):
            net = caffe.Net(prototxt, weights, caffe.TEST)
            shape = (batch, *net.blobs["data"].shape[1:])
            net.blobs["data"].reshape(*shape)
            net.blobs["data"].data[...] = x = _noise(shape)
            work = {
                "here": timed(lambda net=net: net.forward()["prob"].sum()),
                "onnxruntime": timed(lambda x=x, session=session: session.run(None, {"data": x})[0].sum()),
            }
            with worker() as ask:
                if ask:
                    ask(f"net = caffe.Net({prototxt!r}, {weights!r}, caffe.TEST)")
                    ask(f"net.blobs['data'].reshape{shape}; net.reshape()")
                    ask("net.blobs['data'].data[...] = np.random.RandomState(0).randn(*net.blobs['data'].data.shape)")
                    work["Caffe"] = lambda ask=ask: ask("net.forward()['prob'].sum()")
                times = medians(work, rounds)
            row(f"{name}, batch {batch}", *cells(times, "Caffe", "here", "onnxruntime"), ratio(times, "here", "Caffe"))


def inner(rounds: int) -> None:
    """An inner blob read after each forward, against onnxruntime with that output."""
    header("an inner blob beside the output, ms", "", "here", "onnxruntime", "more")
    for name, blob in ("alexnet", "conv3"), ("googlenet", "4a/output"), ("resnet50", "res4a"):
        prototxt, weights = nets.files(name)
        net, source = caffe.Net(prototxt, weights, caffe.TEST), netsurgery.load(prototxt, weights)
        session = _session(netsurgery.to_onnx(source, outputs=["prob", blob]).SerializeToString())
        net.blobs["data"].data[...] = x = _noise(net.blobs["data"].data.shape)
        work = {
            "here": timed(lambda net=net, blob=blob: (net.forward()["prob"].sum(), net.blobs[blob].data[0, 0, 0, 0])),
            "onnxruntime": timed(lambda s=session, x=x: (r := s.run(None, {"data": x}))[0].sum() + r[1][0, 0, 0, 0]),
        }
        times = medians(work, 3 * rounds)
        row(f"{name}, {blob}", *cells(times, "here", "onnxruntime"), f"{times['here'] - times['onnxruntime']:.2f}")


def overhead(rounds: int) -> None:
    """100 layers that compute next to nothing."""
    header("overhead over onnxruntime, 100 small layers, ms", "", "here", "onnxruntime", "more")
    lines = ['input: "data" input_shape { dim: 1 dim: 4 dim: 8 dim: 8 }']
    for i in range(100):
        last = f"c{i - 1}" if i else "data"
        lines.append(
            f'layer {{ name: "c{i}" type: "Convolution" bottom: "{last}" top: "c{i}" convolution_param {{ num_output: 4'
            ' kernel_size: 1 weight_filler { type: "xavier" } } }'
        )
    with tempfile.TemporaryDirectory() as folder:
        path, weights = Path(folder) / "deep.prototxt", Path(folder) / "deep.caffemodel"
        path.write_text("\n".join(lines))
        net = caffe.Net(path, caffe.TEST)
        net.save(weights)
        session = _session(netsurgery.to_onnx(netsurgery.load(path, weights)).SerializeToString())
    x = _noise(net.blobs["data"].data.shape)
    net.blobs["data"].data[...] = x
    work = {
        "here": timed(lambda: net.forward()["c99"].sum()),
        "onnxruntime": timed(lambda: session.run(None, {"data": x})[0].sum()),
    }
    times = medians(work, 30 * rounds)
    row("100 convolutions", *cells(times, "here", "onnxruntime"), f"{times['here'] - times['onnxruntime']:.3f}")
    net.blobs["data"].reshape(2, 4, 8, 8)
    net.forward()
    work["here"] = timed(lambda: (net.blobs["data"].reshape(1, 4, 8, 8), net.forward()["c99"].sum()))
    work["other"] = timed(lambda: (net.blobs["data"].reshape(2, 4, 8, 8), net.forward()["c99"].sum()))
    times = medians(work, 10 * rounds)
    row(
        "with a reshape before each",
        *cells(times, "here", "onnxruntime"),
        f"{times['here'] - times['onnxruntime']:.3f}",
    )


def open_(rounds: int) -> None:
    """caffe.Net(prototxt, weights, TEST)."""
    header("caffe.Net(...), ms", "", "Caffe", "here", "here / Caffe")
    for name in ("vgg16", "googlenet", "resnet50"):
        prototxt, weights = map(str, nets.files(name))
        work = {"here": timed(lambda p=prototxt, w=weights: caffe.Net(p, w, caffe.TEST))}
        with worker() as ask:
            if ask:
                line = f"net = caffe.Net({prototxt!r}, {weights!r}, caffe.TEST)"
                work["Caffe"] = lambda ask=ask, line=line: ask(line)
            times = medians(work, rounds)
        row(name, *cells(times, "Caffe", "here"), ratio(times, "here", "Caffe"))


def edit(rounds: int) -> None:
    """A parameter edited before each forward."""
    header(
        "net.params['conv1'][0].data[...] = w, then forward, ms", "", "no edit", "an edit each time", "more", "first"
    )
    for name in ("alexnet", "googlenet"):
        net = caffe.Net(*map(str, nets.files(name)), caffe.TEST)
        plain = caffe.Net(*map(str, nets.files(name)), caffe.TEST)
        first = next(iter(net.params))
        for each in (net, plain):
            each.blobs["data"].data[...] = _noise(each.blobs["data"].data.shape)
            each.forward()
        weights = net.params[first][0].data.copy()
        step = [1.0]

        def edited(net: Any = net, first: str = first, weights: Any = weights, step: list[float] = step) -> None:
            step[0] *= 1.01
            net.params[first][0].data[...] = weights * step[0]
            net.forward()["prob"].sum()

        began = timed(edited)()
        work = {"plain": timed(lambda plain=plain: plain.forward()["prob"].sum()), "edited": timed(edited)}
        times = medians(work, 3 * rounds)
        row(name, *cells(times, "plain", "edited"), f"{times['edited'] - times['plain']:.2f}", f"{1e3 * began:.0f}")


def _pyramid(folder: Path) -> Any:
    source = Path(__file__).parents[2] / "fixtures" / "pycaffe" / "mtcnn_pyramid"
    return caffe.Net(source / "det1.prototxt", source / "det1.caffemodel", caffe.TEST)


def pyramid(rounds: int) -> None:
    """MTCNN's way: a reshape for each scale, again for each image."""
    header("image pyramid, 8 scales, ms", "", "first image", "later ones")
    with tempfile.TemporaryDirectory() as folder:
        net = _pyramid(Path(folder))
    sizes = [(int(400 * 0.709**i), int(300 * 0.709**i)) for i in range(8)]

    def image() -> None:
        for size in sizes:
            net.blobs["data"].reshape(1, 3, *size)
            net.blobs["data"].data[...] = 0.5
            net.forward()

    first = timed(image)()
    row("det1", f"{1e3 * first:.1f}", *cells(medians({"later": timed(image)}, 3 * rounds), "later"))


def memory(rounds: int) -> None:
    """2,000 forwards with changing sizes."""
    header("growth over 2,000 forwards with changing sizes, MB", "", "")

    def resident() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

    with tempfile.TemporaryDirectory() as folder:
        net = _pyramid(Path(folder))
    sizes = np.random.RandomState(0).randint(12, 200, (2050, 2)).tolist()
    before = 0.0
    for i, size in enumerate(sizes):
        net.blobs["data"].reshape(1, 3, *size)
        net.forward()
        if i == 50:
            before = resident()
    row("det1, 12 to 200 pixels", f"{resident() - before:.1f}")


def start(rounds: int) -> None:
    """import netsurgery.pycaffe."""
    header("import, ms", "", "")

    def process(code: str) -> Work:
        return timed(lambda: subprocess.run([sys.executable, "-c", code], check=True))

    times = medians({"pass": process("pass"), "import": process("import netsurgery.pycaffe")}, rounds)
    row("python -c 'pass'", *cells(times, "pass"))
    row("python -c 'import netsurgery.pycaffe'", *cells(times, "import"))


SECTIONS = {
    "forward": forward,
    "inner": inner,
    "overhead": overhead,
    "open": open_,
    "edit": edit,
    "pyramid": pyramid,
    "memory": memory,
    "start": start,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", default=list(SECTIONS), choices=SECTIONS)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    for section in options.sections:
        SECTIONS[section](options.rounds)
