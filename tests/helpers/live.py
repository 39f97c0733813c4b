"""Nets in real Caffe and in netsurgery, side by side: what differs, and who refuses what."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import netsurgery
from netsurgery.errors import NetsurgeryError, UnsupportedError
from netsurgery.formats.load import from_text
from netsurgery.verification.compare import Tolerance, measure
from netsurgery.verification.feeds import random_feed
from netsurgery.verification.side import recipe
from netsurgery.verification.side.opened import python_for

Array = np.ndarray[Any, Any]
Blobs = dict[str, Array]
TOLERANCE = Tolerance(1e-4, 1e-6)


@dataclass
class Trial:
    """A net, what is fed to it, and what Caffe and netsurgery make of it."""

    name: str
    text: str
    net: netsurgery.Net | None = None
    feeds: Blobs = field(default_factory=dict)
    again: Blobs = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    """`phase` and `stages`, where they are not the usual ones."""
    refusal: str = ""
    """Why netsurgery does not take the net."""
    caffe_refusal: str = ""
    caffe: Blobs = field(default_factory=dict)
    caffe_again: Blobs = field(default_factory=dict)


def python() -> str | None:
    """The interpreter that has Caffe, if there is one."""
    return python_for(recipe.CAFFE)[0]


def trial(name: str, text: str, seed: int, shapes: Mapping[str, Sequence[int]] | None = None) -> Trial:
    """A net from text, with made-up weights and inputs."""
    made = Trial(name, text)
    try:
        net = netsurgery.initialize(from_text(text, f"{name}.prototxt"), seed, "random")
        net.require_supported()
        sizes = {blob: tuple((shapes or {}).get(blob, shape or ())) for blob, shape in net.inputs.items()}
        net.shapes(sizes)
        made.feeds = random_feed(net, sizes, seed, 1, {}).arrays  # images between -1 and 1: greater ones saturate
        made.net = net
    except NetsurgeryError as error:
        made.refusal = str(error)
        rng = np.random.default_rng(seed)
        try:
            inputs = from_text(text).inputs
        except NetsurgeryError:
            return made
        made.feeds = {b: rng.normal(0, 1, s or ()).astype(np.float32) for b, s in inputs.items()}
    return made


def ask_caffe(trials: Sequence[Trial], folder: Path, timeout: float = 3000) -> None:
    """Has Caffe compute them all. A net that netsurgery refuses goes there with Caffe's own fillers for weights."""
    for i, t in enumerate(trials):
        case = folder / f"{i:06d}"
        case.mkdir(parents=True)
        if t.net is not None and not t.state:
            has_weights = any(layer.weights for layer in t.net.layers)
            netsurgery.save_caffe(t.net, case / "net.prototxt", case / "net.caffemodel" if has_weights else None)
        else:
            (case / "net.prototxt").write_text(t.text)
        np.savez(case / "feeds.npz", **{str(k): array for k, array in enumerate(t.feeds.values())})
        if t.again:
            np.savez(case / "again.npz", **{str(k): array for k, array in enumerate(t.again.values())})
        (case / "names.json").write_text(json.dumps({"names": list(t.feeds), **t.state}))
    _run_batch(folder, timeout)
    for i, t in enumerate(trials):
        case = folder / f"{i:06d}"
        if (case / "refusal.txt").exists():
            t.caffe_refusal = (case / "refusal.txt").read_text()
            continue
        t.caffe = _read(case, "values")
        if t.again:
            t.caffe_again = _read(case, "again_values")


def _run_batch(folder: Path, timeout: float) -> None:
    environment = {**os.environ, "CAFFE_SIDE": str(recipe.CAFFE.script.parent), "OMP_NUM_THREADS": "1"}
    script = str(Path(__file__).with_name("caffe_batch.py"))
    subprocess.run([str(python()), script, str(folder)], env=environment, check=True, timeout=timeout)


def _read(case: Path, values: str) -> Blobs:
    names = json.loads((case / f"{values}.json").read_text())
    with np.load(case / f"{values}.npz") as arrays:
        return {name: arrays[str(k)] for k, name in enumerate(names)}


def onnx_values(net: netsurgery.Net, feeds: Blobs) -> Blobs:
    """The outputs of the exported model in onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    model = netsurgery.to_onnx(net).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    given = {i.name: feeds[i.name] for i in session.get_inputs()}
    return dict(zip(net.outputs, session.run(list(net.outputs), given), strict=True))


def difference(got: Array, want: Array, columns: int | None = None) -> str:
    m = measure(np.asarray(want), np.asarray(got), TOLERANCE, columns)
    return "" if m.passed else m.problem or f"off by {m.max_rel:.1e}"


@dataclass
class Tally:
    """What came of many trials."""

    agree: int = 0
    both_refuse: int = 0
    only_we_refuse: list[str] = field(default_factory=list)
    only_caffe_refuses: list[str] = field(default_factory=list)
    differ: list[str] = field(default_factory=list)
    types: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return (
            f"{self.agree} agree, {len(self.differ)} differ, {self.both_refuse} both refuse, "
            f"{len(self.only_we_refuse)} only we refuse, {len(self.only_caffe_refuses)} only Caffe refuses"
        )


def judge(trials: Sequence[Trial], tally: Tally) -> None:
    """Holds netsurgery.run and the exported model against Caffe."""
    for t in trials:
        if t.caffe_refusal:
            if t.refusal:
                tally.both_refuse += 1
            else:
                tally.only_caffe_refuses.append(
                    f"{t.name}: {t.caffe_refusal.splitlines()[-1][-160:] if t.caffe_refusal else ''}\n{t.text}"
                )
            continue
        if t.net is None:
            tally.only_we_refuse.append(f"{t.name}: {t.refusal}\n{t.text}")
            continue
        try:
            problem = _problem(t.net, t)
        except UnsupportedError as refusal:  # the export says what it cannot
            tally.only_we_refuse.append(f"{t.name}: {refusal}\n{t.text}")
            continue
        if problem:
            tally.differ.append(f"{t.name}: {problem}\n{t.text}")
        else:
            tally.agree += 1
        tally.types.update(layer.type for layer in t.net.layers)


def _problem(net: netsurgery.Net, t: Trial) -> str:
    ours = netsurgery.run(net, t.feeds, net.outputs)
    try:
        exported = onnx_values(net, t.feeds)
    except UnsupportedError:
        raise
    except Exception as error:  # whatever onnxruntime says is a finding
        return f"the exported model fails: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
    for blob in net.outputs:
        columns = net.writer(blob).kind.columns
        for who, values in (("netsurgery.run", ours), ("the exported model", exported)):
            if blob not in t.caffe:
                return f"Caffe has no blob '{blob}'"
            if why := difference(values[blob], t.caffe[blob], columns):
                return f"{who}: '{blob}' ({net.writer(blob).type}): {why}"
    return ""


def files_in_caffe(
    prototxt: Path, weights: Path | None, feeds: Blobs, folder: Path, again: Blobs | None = None, **state: Any
) -> Blobs:
    """All blobs that Caffe makes of these files; with `again` those of a second forward on other inputs. Raises: AssertionError."""
    case = _case(folder, 0, prototxt, list(feeds), **state)
    if weights is not None:
        (case / "net.caffemodel").symlink_to(Path(weights).absolute())
    np.savez(case / "feeds.npz", **{str(k): array for k, array in enumerate(feeds.values())})
    if again is not None:
        np.savez(case / "again.npz", **{str(k): array for k, array in enumerate(again.values())})
    _run_batch(folder, 300)
    return _answer(case, "values" if again is None else "again_values")


def sources_in_caffe(nets: Sequence[tuple[Path, Array | None]], folder: Path) -> list[Blobs]:
    """All blobs that Caffe makes of each net without inputs, whose MemoryData gives the array. Raises: AssertionError."""
    folders = [_case(folder, k, prototxt, []) for k, (prototxt, _) in enumerate(nets)]
    for case, (_, arrays) in zip(folders, nets, strict=True):
        np.savez(case / "feeds.npz")
        if arrays is not None:
            np.save(case / "arrays.npy", arrays)
    _run_batch(folder, 300)
    return [_answer(case, "values") for case in folders]


def _case(folder: Path, k: int, prototxt: Path, inputs: list[str], **state: Any) -> Path:
    case = folder / f"{k:06d}"
    case.mkdir(parents=True)
    (case / "net.prototxt").symlink_to(Path(prototxt).absolute())
    (case / "names.json").write_text(json.dumps({"names": inputs, **state}))
    return case


def _answer(case: Path, values: str) -> Blobs:
    assert not (case / "refusal.txt").exists(), (case / "refusal.txt").read_text()
    return _read(case, values)
