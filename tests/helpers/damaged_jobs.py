"""How many damages to whole jobs `verify` catches, by kind, and whether the first blob that it names is the right one. Run by hand:

    python tests/helpers/damaged_jobs.py fixtures/digits fixtures/conformance fixtures/recurrent MODELS -o table.md

A damage counts if it changes an output by more than the tolerance on the inputs at hand. It is caught if the model is found to differ, or
cannot be compared; a model that does not run counts for nothing. Exit code: 1 under 99.5 %.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cases
import mutations
import numpy as np
import onnx

import netsurgery
from netsurgery.errors import NetsurgeryError
from netsurgery.formats.load import from_text
from netsurgery.net import Net
from netsurgery.passes.fold_preprocessing import fold_preprocessing
from netsurgery.passes.recurrent_state import has_memory, recurrent_state
from netsurgery.verification.compare import INT8_RTOL, RTOL

LEAST = 0.995


@dataclass
class Job:
    """A net, the model that was made of it, and inputs."""

    name: str
    net: Net
    feeds: cases.Blobs
    file: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of verify."""
    model: onnx.ModelProto | None = None
    """The right model, where it is not the net's own."""

    @property
    def right(self) -> onnx.ModelProto:
        return self.model or netsurgery.to_onnx(self.net)


Damaged = tuple[str, Job, onnx.ModelProto]


def by_operator(job: Job) -> Iterator[Damaged]:
    """A weight by 1 %, two channels of a weight swapped, an attribute off by one, an activation gone, padding not averaged ..."""
    for what, model in mutations.mutations(job.right, 1):
        kind = what.split(":")[0].replace("_", " ")
        yield kind.replace("softmax axis", "an attribute").replace("lrn alpha", "an attribute"), job, model


def layer_dropped(job: Job) -> Iterator[Damaged]:
    count = len(job.right.graph.node)
    for i in range(0, count, max(1, count // 8)):
        model = mutations.copied(job.right)
        node = model.graph.node[i]
        if len(node.output) == 1 and node.op_type != "Identity":
            node.op_type = "Identity"
            del node.attribute[:]
            del node.input[1:]
            yield "a layer dropped", job, model


def of_net(kind: str, job: Job, net: Net) -> Iterator[Damaged]:
    yield kind, job, netsurgery.to_onnx(net)


def channels_swapped(job: Job) -> Iterator[Damaged]:
    """RGB for BGR: the first layer reads the channels in reverse."""
    for layer in job.net.layers:
        if (
            layer.type == "Convolution"
            and layer.weights[0].shape[1] > 1
            and job.net.writer(layer.bottoms[0]).kind.is_input
        ):
            turned = np.ascontiguousarray(layer.weights[0][:, ::-1])
            yield from of_net(
                "channels of the input swapped", job, job.net.with_weights(layer.name, turned, *layer.weights[1:])
            )


def class_swapped(job: Job) -> Iterator[Damaged]:
    """Two answers of the last layer that has weights."""
    layers = [
        x
        for x in job.net.layers
        if x.weights and x.kind.gives_features and x.weights[0].ndim and x.weights[0].shape[0] > 1
    ]
    for layer in layers[-1:]:
        order = [1, 0, *range(2, layer.weights[0].shape[0])]
        swapped = [w[order] if w.shape[:1] == (len(order),) else w for w in layer.weights]
        yield from of_net("one class swapped", job, job.net.with_weights(layer.name, *swapped))


def mean_wrong(job: Job) -> Iterator[Damaged]:
    """Pixels prepared with another mean than the job's: none, one off by 5, the channels' in reverse."""
    mean = [104.0, 117.0, 123.0]
    try:
        right = fold_preprocessing(job.net, mean=mean, scale=1 / 64, inexact_borders=True)
        wrong = [
            fold_preprocessing(job.net, mean=m, scale=1 / 64, inexact_borders=True)
            for m in ([0.0], [109.0, 117.0, 123.0], mean[::-1])
        ]
    except NetsurgeryError:
        return
    name = next(iter(right.inputs))
    pixels = {name: np.random.default_rng(0).uniform(0, 255, job.feeds[name].shape).astype(np.float32)}
    for net in wrong:
        yield from of_net("mean wrong", replace(job, net=right, feeds={**job.feeds, **pixels}), net)


def phase_wrong(job: Job) -> Iterator[Damaged]:
    """BatchNorm on the statistics of the batch; the layers of TRAIN."""
    prototxt = job.file / "net.prototxt"
    if not prototxt.exists():
        return
    text = prototxt.read_text()
    batch = re.sub(r'type: *"BatchNorm"', 'type: "BatchNorm" batch_norm_param { use_global_stats: false }', text)
    for changed, phase in ((batch, "TEST"), (text, "TRAIN")):
        if (changed, phase) == (text, "TEST"):
            continue
        try:
            other = from_text(changed, str(prototxt), phase=phase)
            own = {layer.name: layer.weights for layer in job.net.layers if layer.weights}
            for name in {layer.name for layer in other.layers} & set(own):
                other = other.with_weights(name, *own[name])
            if other.layers != job.net.layers and set(job.net.outputs) <= set(other.blobs):
                yield "phase wrong", job, netsurgery.to_onnx(other, outputs=job.net.outputs)
        except NetsurgeryError:
            continue


def state_forgotten(job: Job) -> Iterator[Damaged]:
    if not has_memory(job.net):
        return
    net = recurrent_state(job.net)
    states = [blob for blob in net.inputs if blob not in job.net.inputs]
    rng = np.random.default_rng(0)
    feeds = {**job.feeds, **{s: rng.normal(0, 1, net.inputs[s] or ()).astype(np.float32) for s in states}}
    for state in states:
        model = mutations.copied(netsurgery.to_onnx(net))
        for node in model.graph.node:
            for i, name in enumerate(node.input):
                if name == state:
                    node.input[i] = "forgotten"
        zero = onnx.numpy_helper.from_array(np.float32(0), "zero")
        model.graph.initializer.append(zero)
        model.graph.node.insert(0, onnx.helper.make_node("Mul", [state, "zero"], ["forgotten"]))
        yield "a state forgotten", replace(job, net=net, feeds=feeds), model


def input_halved(job: Job) -> Iterator[Damaged]:
    """Every second pixel; and those stretched to the size that it had."""
    name, value = next(iter(job.feeds.items()))
    if value.ndim != 4 or min(value.shape[2:]) < 4 or any(n % 2 for n in value.shape[2:]):
        return
    for stretched in (False, True):
        model = mutations.copied(job.right)
        for node in model.graph.node:
            for i, read in enumerate(node.input):
                if read == name:
                    node.input[i] = "half"
        for key, numbers in (("starts", [0, 0]), ("ends", [1 << 30] * 2), ("axes", [2, 3]), ("steps", [2, 2])):
            model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(numbers, np.int64), key))
        nodes = [
            onnx.helper.make_node(
                "Slice", [name, "starts", "ends", "axes", "steps"], ["small" if stretched else "half"]
            )
        ]
        if stretched:
            scales = onnx.numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
            model.graph.initializer.append(scales)
            nodes.append(onnx.helper.make_node("Resize", ["small", "", "scales"], ["half"], mode="nearest"))
        for node in reversed(nodes):
            model.graph.node.insert(0, node)
        yield "input of half the size", job, model


def option_forgotten(job: Job) -> Iterator[Damaged]:
    """The model was made with an option that changes what it computes, and does not record it."""
    made: list[Callable[[], Net]] = [
        lambda: netsurgery.convolutionalize(job.net),
        lambda: fold_preprocessing(job.net, mean=[30.0], scale=0.5, inexact_borders=True),
    ]
    for make in made:
        try:
            net = make()
        except NetsurgeryError:
            continue
        if net.layers != job.net.layers:
            model = netsurgery.to_onnx(net)
            del model.metadata_props[:]
            yield "an option forgotten", job, model


def calibrated_on_noise(job: Job) -> Iterator[Damaged]:
    """Ranges of every blob taken from what a net makes of noise, ten times smaller than what it is to see."""
    from netsurgery.exporters.onnx.int8 import save_int8

    rng = np.random.default_rng(0)
    noise = {
        name: rng.normal(0, 0.1 * np.abs(x).max() / 3, x.shape).astype(np.float32) for name, x in job.feeds.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        models = []
        for name, feeds in (("right", job.feeds), ("wrong", noise)):
            try:
                save_int8(job.net, Path(folder, f"{name}.onnx"), [feeds])
                models.append(onnx.load(Path(folder, f"{name}.onnx")))
            except NetsurgeryError:
                return
    own = replace(job, model=models[0], options={"rtol": INT8_RTOL, "inner": False})
    if netsurgery.verify(job.net, models[0], inputs=job.feeds, **own.options).passed:
        yield "int8 calibrated on noise", own, models[1]


KINDS: tuple[Callable[[Job], Iterator[Damaged]], ...] = (
    by_operator,
    layer_dropped,
    channels_swapped,
    class_swapped,
    mean_wrong,
    phase_wrong,
    state_forgotten,
    input_halved,
    option_forgotten,
    calibrated_on_noise,
)


@dataclass
class Row:
    """What came of one kind of damage."""

    count: int = 0
    caught: int = 0
    named: int = 0
    """Those whose first blob is the right one, or that could not be compared at all."""


def tried(job: Job, damaged: onnx.ModelProto, row: Row) -> str:
    """Verifies a damaged model; what is wrong with the answer, "" if nothing."""
    limit = job.options.get("rtol", RTOL)
    right = job.right
    inside = {name for node in right.graph.node for name in node.output}
    there = {name for node in damaged.graph.node for name in node.output}
    exposed = (
        [blob for blob in job.net.blobs if blob in inside & there]
        if job.options.get("inner", True)
        else list(job.net.outputs)
    )
    before, after = (mutations.values(model, job.feeds, exposed) for model in (right, damaged))
    if before is None or after is None:
        return ""
    changes = {blob: mutations.change(before[blob], after[blob]) for blob in exposed}
    if not any(changes.get(blob, 0) > limit for blob in job.net.outputs):
        return ""
    row.count += 1
    try:
        report = netsurgery.verify(job.net, damaged, inputs=job.feeds, **job.options)
    except NetsurgeryError:  # exit code 2: nobody takes it for right
        row.caught += 1
        row.named += 1
        return ""
    if report.passed:
        return "missed"
    row.caught += 1
    first = report.first_difference
    expected = next(blob for blob in exposed if changes[blob] > limit)
    clear = next((blob for blob in exposed if changes[blob] > 3 * limit), expected)  # the first may be at the limit
    if first is not None and first.blob in (there - inside) & set(job.net.blobs):  # the right model fused it away
        told = mutations.values(damaged, job.feeds, [first.blob]) or {}
        known = netsurgery.run(job.net, job.feeds, [first.blob])
        if mutations.change(known[first.blob], told[first.blob]) > limit:
            expected = first.blob
    if first is not None and first.blob in (expected, clear):
        row.named += 1
        return ""
    return f"named {first and first.blob} in place of {expected}"


def jobs(folders: list[Path]) -> Iterator[Job]:
    for case in sorted(
        {p.parent for folder in folders for p in folder.rglob("*.prototxt") if p.name != "train.prototxt"}
    ):
        try:
            if (case / "runs.npz").exists():
                net, feeds = cases.load(case), cases.runs(case)[0][0]
            else:
                prototxt, weights = next(case.glob("*.prototxt")), next(case.glob("*.caffemodel"))
                net = netsurgery.load(prototxt, weights)
                feeds = drawn_feed(net)
            if feeds and netsurgery.verify(net, netsurgery.to_onnx(net), inputs=feeds).agrees:
                yield Job(case.name, net, feeds, case)
        except (NetsurgeryError, StopIteration) as error:
            print(f"{case}: passed over: {str(error).splitlines()[:1]}")


def drawn_feed(net: Net) -> cases.Blobs:
    from netsurgery.verification.feeds import random_feed

    return random_feed(net, {blob: shape or () for blob, shape in net.inputs.items()}, 0, 0, {}).arrays


def table(rows: Mapping[str, Row]) -> str:
    lines = ["| damage | that change an output | caught | first blob right |", "|---|---|---|---|"]
    total = Row(*(sum(getattr(row, key) for row in rows.values()) for key in ("count", "caught", "named")))
    for kind, row in [*rows.items(), ("all", total)]:
        lines.append(f"| {kind} | {row.count} | {row.caught} | {row.named} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="damages to whole jobs that verify catches")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    rows: dict[str, Row] = defaultdict(Row)
    for job in jobs(asked.folders):
        for damages in KINDS:
            for kind, own, model in damages(job):
                if problem := tried(own, model, rows[kind]):
                    print(f"{job.file}: {kind}: {problem}", flush=True)
        print(f"{job.file}: done", flush=True)
    text = table(rows)
    print(text)
    if asked.output is not None:
        asked.output.write_text(text + "\n")
    count, good = sum(row.count for row in rows.values()), sum(row.named for row in rows.values())
    return int(good < LEAST * count)


if __name__ == "__main__":
    raise SystemExit(main())
