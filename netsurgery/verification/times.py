"""How long a forward takes, layer by layer: by onnxruntime's own profile, and by real Caffe beside it.

A node of a model bears the name of its layer, or `layer/Op`, so that its time is the layer's. onnxruntime fuses nodes: what was fused
into a layer is counted there (the ReLU behind a Convolution), and what it adds on its own, reordering of memory, is nobody's.
A node in onnxruntime's blocked layout bears the name of its output, be it that of a ReLU which was fused into it: the node behind it is
the one of the model that has the same operator.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, Source, UnavailableError
from ..exporters.onnx.light import read_light
from ..exporters.onnx.save import save_onnx
from ..exporters.onnx.session import cores, open_session, options
from ..net import Net
from .runtimes.as_caffe import caffe_files
from .runtimes.caffe import lacking_layers
from .side.opened import open_side
from .side.recipe import CAFFE
from .sizes import choose_shapes

if TYPE_CHECKING:
    import onnx

Feeds = Mapping[str, NDArray[Any]]
SUFFIXES = ("_kernel_time", "_nchwc")
"""What onnxruntime appends to the name of a node; before that of one that others were fused into stands "fused "."""


@dataclass(frozen=True)
class LayerTime:
    """A layer's share of a forward, in seconds; None in caffe where Caffe has no such layer. macs: multiply-accumulates, None if
    they cannot be told."""

    name: str
    type: str
    seconds: float
    macs: int | None = None
    caffe: float | None = None

    @property
    def flops(self) -> float | None:
        """Floating-point operations in a second, two for each multiply-accumulate."""
        return 2 * self.macs / self.seconds if self.macs and self.seconds else None


@dataclass(frozen=True)
class Times:
    """Medians over `rounds` forwards. total: of a forward as a whole, without profiling; other: what no layer has; caffe: of
    Caffe's forward, None where it was not asked."""

    layers: tuple[LayerTime, ...]
    total: float
    other: float
    rounds: int
    threads: int
    shapes: Mapping[str, tuple[int, ...]]
    caffe: float | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "total": self.total,
            "other": self.other,
            "caffe": self.caffe,
            "rounds": self.rounds,
            "threads": self.threads,
            "inputs": {name: list(shape) for name, shape in self.shapes.items()},
            "layers": [{**vars(layer), "flops": layer.flops} for layer in self.layers],
            "notes": list(self.notes),
        }


def time_net(
    net: Net,
    model: str | os.PathLike[str] | None = None,
    *,
    shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    rounds: int = 20,
    threads: int | None = None,
    caffe: bool | None = None,
) -> Times:
    """The times of a net on noise, at its declared input sizes or those that `shapes` has numbers for: of its float32 model, or of
    `model`, which was converted from it.

    threads: of onnxruntime; None: a thread for each core. caffe: whether real Caffe is timed, too; None: if it is installed.

    Raises: NetsurgeryError for a model that cannot be run, UnavailableError without Caffe if it is asked for.
    """
    rng = np.random.default_rng(0)
    declared = net.shapes()
    sizes = {
        name: [
            n if isinstance(n, int) else m if isinstance(m, int) else 1
            for n, m in zip(shape, declared[name], strict=False)
        ]
        for name in net.inputs
        for shape in [(shapes or {}).get(name, declared[name])]
    }
    if model is None:
        choose_shapes(net, dict.fromkeys(net.inputs), shapes=[sizes])  # refuses sizes that the net does not take
    feeds = {name: rng.standard_normal(size).astype(np.float32) for name, size in sizes.items()}
    with TemporaryDirectory(prefix="netsurgery-") as folder:
        path = Path(folder) / "model.onnx" if model is None else Path(model)
        if model is None:
            save_onnx(net, path)
        total, nodes = _profile(path, feeds, rounds, threads, Path(folder))
    rows, other = _by_layer(net, nodes, sizes)
    times = Times(
        rows,
        total,
        other,
        rounds,
        threads or cores(),
        {name: tuple(value.shape) for name, value in feeds.items()},
    )
    return _with_caffe(times, net, rounds, caffe)


def _profile(
    path: Path, feeds: Feeds, rounds: int, threads: int | None, folder: Path
) -> tuple[float, dict[str, float]]:
    """The median seconds of a forward, and those of each node of the model as onnxruntime runs it."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    def session(profiled: bool) -> Any:
        chosen = options(threads=threads, free=False)
        chosen.enable_profiling = profiled
        chosen.profile_file_prefix = str(folder / "profile")
        return open_session(os.fspath(path), chosen)

    try:
        plain = session(False)
        names = {i.name for i in plain.get_inputs()}
        used = {name: value for name, value in feeds.items() if name in names}
        seconds = []
        for _ in range(rounds + 1):
            begin = time.perf_counter()
            plain.run(None, used)
            seconds.append(time.perf_counter() - begin)
        profiled = session(True)
        for _ in range(rounds + 1):
            profiled.run(None, used)
        events = json.loads(Path(profiled.end_profiling()).read_text())
    except (state.Fail, state.InvalidArgument, state.InvalidProtobuf, state.InvalidGraph, state.NoSuchFile) as error:
        raise NetsurgeryError(f"onnxruntime cannot run it: {error}", source=Source(os.fspath(path))) from None
    producers = {output: node for node in read_light(path).proto.graph.node for output in node.output}
    durations: dict[str, list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            name = _node_of(event["name"], event.get("args", {}).get("op_name", ""), producers)
            durations.setdefault(name, []).append(event["dur"] * 1e-6)
    # the first forward warms up; a node may run several times in one
    return statistics.median(seconds[1:]), {name: _per_round(times, rounds + 1) for name, times in durations.items()}


def _node_of(event: str, operator: str, producers: Mapping[str, onnx.NodeProto]) -> str:
    """The name of the model's node that an event of the profile is about; what onnxruntime made stays as it is called."""
    name = _without_marks(event)
    node = producers.get(name)
    while node is not None and node.op_type != operator.removeprefix("Fused"):
        node = producers.get(node.input[0]) if node.input else None
    return node.name if node is not None else name


def _without_marks(name: str) -> str:
    name = name.removeprefix("fused ")
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def _per_round(times: Sequence[float], rounds: int) -> float:
    each = max(1, len(times) // rounds)
    return (
        statistics.median(sum(times[k : k + each]) for k in range(each, len(times), each))
        if len(times) > each
        else sum(times)
    )


def _by_layer(
    net: Net, nodes: Mapping[str, float], sizes: Mapping[str, Sequence[int]]
) -> tuple[tuple[LayerTime, ...], float]:
    """The layers with the times of their nodes, and what is left."""
    layers = {layer.name: layer for layer in net.layers}
    seconds = dict.fromkeys(layers, 0.0)
    other = 0.0
    for name, duration in nodes.items():
        owner = _without_marks(name)
        while owner and owner not in layers:
            owner = owner.rpartition("/")[0]
        if owner:
            seconds[owner] += duration
        else:
            other += duration
    shapes = net.shapes(sizes)
    rows = []
    for layer in net.layers:
        if layer.kind.is_input:
            continue
        macs = layer.kind.macs([shapes[b] for b in layer.bottoms], [shapes[t] for t in layer.tops])
        rows.append(LayerTime(layer.name, layer.type, seconds[layer.name], macs if isinstance(macs, int) else None))
    return tuple(rows), other


def _with_caffe(times: Times, net: Net, rounds: int, caffe: bool | None) -> Times:
    """The same with real Caffe's times, where it is wanted and can be had."""
    if caffe is False:
        return times
    try:
        side, about = open_side(CAFFE)
    except UnavailableError:
        if caffe:
            raise
        return times
    with side:
        lacking = lacking_layers(net, side, about)
        if lacking:
            note = f"Caffe is not timed: it has no {', '.join(lacking)}"
            return replace(times, notes=(*times.notes, note))
        with caffe_files(net) as files:
            told = side.ask(
                {
                    "do": "time",
                    "prototxt": os.path.abspath(files.prototxt),
                    "weights": os.path.abspath(files.weights) if files.weights is not None else None,
                    "shapes": [[name, list(shape)] for name, shape in times.shapes.items()],
                    "rounds": rounds,
                }
            )
    seconds = dict(zip(told["layers"], told["seconds"], strict=True))
    rows = tuple(replace(layer, caffe=seconds.get(layer.name)) for layer in times.layers)
    return replace(times, layers=rows, caffe=told["total"])
