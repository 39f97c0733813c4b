"""Whether a model still computes what a net of Caffe's computes: `verify` and `assert_equivalent`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..errors import Lines, MismatchError, NetsurgeryError, visible
from ..files.memory import let_go
from ..interpreter import run
from ..layers.core.tiles import side_by_side
from ..net import Net, as_names, require_net
from ..passes.cut import cut
from .compare import ATOL, RTOL, Tolerance, measure_rows
from .environment import hashes, recorded_sources, versions
from .feeds import Feed, Range, array_feed, as_ranges, image_feed, image_files, random_feed
from .judge import NEAR, Judge
from .options import Comparing, Inputs
from .pairing import Pairing, pair
from .reports.case import Case, Comparison
from .reports.report import Report
from .runtimes.base import Runtime, model_path
from .runtimes.table import open_model, open_opinion
from .sizes import choose_shapes
from .steps import in_steps
from .vouchers import voucher

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from .runtimes.base import Array, Model


T = TypeVar("T")


def feeds(asked: Inputs, net: Net, model: Mapping[str, tuple[int | None, ...] | None]) -> Iterator[Feed]:
    """One Feed after another. `model` has the sizes of the model's inputs."""
    if asked.arrays:
        yield array_feed(net, asked.arrays, asked.seed)
        return
    files, ranges = image_files(asked.images), as_ranges(asked.ranges)
    chosen = choose_shapes(net, model, asked.sizes, asked.batches, asked.shapes)
    sized = bool(asked.sizes or asked.batches or asked.shapes)
    if not files:
        for i, s in enumerate(chosen):
            yield random_feed(net, s, asked.seed, i, ranges, i > 0 and not sized)
        return
    for i, shapes in enumerate(chosen if sized else chosen[:1]):
        n = max((shape[0] for shape in shapes.values() if len(shape) == 4), default=1)
        for first in range(0, len(files), n):
            yield image_feed(net, shapes, files[first : first + n], asked.seed, i, ranges)


def verify(
    net: Net,
    model: Model,
    *,
    sizes: Sequence[int | Sequence[int]] = (),
    batches: Sequence[int] = (),
    shapes: Sequence[Mapping[str, Sequence[int]]] = (),
    images: Sequence[str | os.PathLike[str]] = (),
    inputs: Mapping[str, Any] | None = None,
    ranges: Mapping[str, Range | Sequence[float]] | None = None,
    against: str | Sequence[str] = "netsurgery",
    runtime: str | None = None,
    outputs: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    inner: bool | None = None,
    rtol: float = RTOL,
    atol: float = ATOL,
    timeout: float | None = None,
    seed: int = 0,
    dtype: DTypeLike | None = None,
    name: str = "",
) -> Report:
    """Runs a model and a reference on the same inputs and compares every output and every blob that both have.

    `model` is an ONNX model (path, bytes, ModelProto), run by onnxruntime, or another Net. Inputs: seeded random images (`seed`) in the
    range that the net expects (`ranges`: {"data": (0, 255)}), `images` (files or folders), or arrays (`inputs`: {"data": array, .npy or
    .npz}); at `sizes` of images (227, (451, 300)), numbers of items `batches`, or whole `shapes` ({"data": (1, 3, 227, 227)}); if none are
    given at the declared size and, where sizes are free, two more.

    `against` says whose numbers are right: "netsurgery" (in `dtype`; None: in float32, and in float64 where float32's own error may
    decide), "caffe", "opencv", "onnx", or recorded ones ("golden.npz"); or several. A number is right within
    `atol` + `rtol` * the largest value of its blob. `outputs` are the blobs that must be compared
    (all outputs of the net), `names` what the model calls blobs ({"prob": "output_0"}); `inner` says whether blobs between are compared
    (if the model is a Net, or was written by netsurgery).
    With a `timeout`, in seconds, an ONNX model runs in a process of its own, which is ended when opening it, or a run, takes longer:
    for models of strangers.

    Raises: NetsurgeryError if it cannot be compared; what differs is in the report.
    """
    require_net(net)
    outputs = None if outputs is None else as_names(outputs)
    opinions = [against] if isinstance(against, str) else list(against)
    return compare(
        net,
        model,
        Inputs(sizes, batches, images, inputs or {}, ranges or {}, seed, shapes),
        Comparing(opinions, runtime, outputs, names, inner, rtol, atol, timeout),
        dtype,
        name,
    )


def compare(
    net: Net,
    model: Model,
    asked: Inputs,
    comparing: Comparing,
    dtype: DTypeLike | None = None,
    name: str = "",
) -> Report:
    """`verify`, its options as two values. Raises: NetsurgeryError if it cannot be compared."""
    began = time.perf_counter()
    opened = open_model(model, comparing.runtime, comparing.timeout or 0)
    thread = ThreadPoolExecutor(1)
    hashing = thread.submit(hashes, net, model)  # of large files: meanwhile
    thread.shutdown(wait=False)
    inner = comparing.inner
    own = inner if inner is not None else opened.is_ours
    pairing = pair(net, opened, comparing.outputs, comparing.names, own)
    work = _Work(net, opened, pairing, Tolerance.of(comparing), None if dtype is None else np.dtype(dtype))
    cases: list[Case] = []
    notes: list[str] = list(pairing.notes)
    if not own and inner is None:
        notes.append(
            "only outputs are compared: netsurgery did not write this model, and its blobs may mean something else"
        )
    found_versions = dict(opened.versions)
    for opinion in dict.fromkeys(comparing.against or ("netsurgery",)):
        reference = None if opinion == "netsurgery" else open_opinion(opinion, net, model)
        if reference is not None:
            found_versions |= reference.versions
            notes += [f"{reference.name}: {reference.note}"] if reference.note else []
            notes += _other_recording(reference, net)
        with side_by_side(let_go):
            for case, feed_notes in work.cases(asked, reference):
                cases += [case] if case is not None else []
                notes += [n for n in feed_notes if n not in notes]
    sources, warnings = recorded_sources(net, model)
    return Report(
        name or os.path.basename(opened.path) or net.name or "model",
        opened.path or "<in memory>",
        net.files.get("prototxt", "") or net.files.get("weights", "") or net.name,
        work.tolerance,
        tuple(cases),
        opened.name,
        (*notes, *warnings),
        versions() | found_versions,
        hashing.result(),
        sources,
        seconds=time.perf_counter() - began,
    )


def assert_equivalent(net: Net, model: Model, **options: Any) -> None:
    """`verify` for tests: raises if the model does not agree with the net. Options as for `verify`.

    Raises: MismatchError with the first blob that is off and those around it; NetsurgeryError if it cannot be compared.
    """
    report = verify(net, model, **options)
    if not report.passed:
        raise mismatch(report)


def mismatch(report: Report) -> MismatchError:
    """The error that says what differs."""
    from .reports.text import around

    case, first = report.first_case, report.first_difference
    if report.agrees and report.idle is not None:
        return MismatchError(report.sentence, layer=report.idle.layer, source=report.idle.source)
    if case is None or first is None:
        raise AssertionError("nothing differs")
    others = len(report.deciding) - sum(c.passed for c in report.deciding)
    table = "\n".join(f"    {line}" for line in around(case, first))
    return MismatchError(
        f"blob '{first.blob}': {first.problem}",
        layer=first.layer,
        source=first.source,
        expected=Lines(
            f"{report.tolerance.rtol:g} of its largest value, by {visible(case.against)}\n  inputs: {visible(case.title)}"
            + (f"\n  differs in {others} of {len(report.deciding)} cases" if len(report.deciding) > 1 else "")
            + f"\n  blobs around it, in the order of the net:\n{table}"
            + (f"\n  note: {visible(first.remark)}" if first.remark else "")
        ),
    )


CLEAR = 4
"""A reference in float32 is enough where all agree to this part of the tolerance: its own error would have to be three times as large,
and undo the model's, to hide one that counts."""


@dataclass
class _Work:
    """The net, the model, and how they are compared."""

    net: Net
    model: Runtime
    pairing: Pairing
    tolerance: Tolerance
    dtype: np.dtype[Any] | None
    """Of netsurgery.run as reference; None: as it is needed."""

    def cases(self, asked: Inputs, reference: Runtime | None) -> Iterator[tuple[Case | None, tuple[str, ...]]]:
        """One Case after another, with notes. The model as it is runs on all inputs first, then with its blobs exposed: each session
        is made once."""
        blobs = [*self.pairing.outputs, *self.pairing.inner]
        net = cut(self.net, blobs)
        recorded = None if reference is None else reference.feeds(net)
        sizes = {blob: self.model.inputs[name] for blob, name in self.pairing.inputs.items()}

        def again() -> Iterator[Feed]:  # made anew for each pass: a folder of images may be large
            yield from in_steps(net, recorded if recorded is not None else feeds(asked, net, sizes))

        first = [self._try(net, feed) for feed in again()]
        with ThreadPoolExecutor(1) as thread:
            # the model computes the next inputs while the reference computes these
            for feed, as_is, running in _one_ahead(self._running(thread, again(), first)):
                if isinstance(as_is, str) or running is None:
                    yield None, (f"{feed.title}: passed over: {as_is}",)
                    continue
                values, model_seconds = running.result()
                began = time.perf_counter()
                quick = self.dtype is None and reference is None
                case = self._quick(net, feed, values, as_is) if quick else None
                if case is None:
                    values = thread.submit(self._values, feed, as_is).result()[0] if quick else values
                    case = self._case(net, feed, values, as_is, reference)
                yield replace(case, model_seconds=model_seconds, seconds=time.perf_counter() - began), feed.notes

    def _running(
        self, thread: ThreadPoolExecutor, feeds: Iterable[Feed], first: Iterable[dict[str, Array] | str]
    ) -> Iterator[tuple[Feed, dict[str, Array] | str, Future[tuple[dict[str, Array], float]] | None]]:
        """Each inputs, what the model as it is gave, and the run that shows its blobs; none for inputs that are passed over."""
        for feed, as_is in zip(feeds, first, strict=True):
            yield feed, as_is, None if isinstance(as_is, str) else thread.submit(self._values, feed, as_is)

    def _values(self, feed: Feed, as_is: Mapping[str, Array]) -> tuple[dict[str, Array], float]:
        """What the model gives for all blobs that are compared, and the seconds that it took."""
        began = time.perf_counter()
        values = self._run(feed, self.pairing.all) if self.pairing.inner else dict(as_is)
        return values, time.perf_counter() - began

    def _quick(self, net: Net, feed: Feed, values: dict[str, Array], as_is: Mapping[str, Array]) -> Case | None:
        """The case by the reference in float32, which takes half the time and memory, if its own error cannot decide: where all agree
        to a quarter of the tolerance. `values` are used up."""
        judge = Judge(net, values, self.pairing.outputs, self.tolerance)
        values.update(feed.arrays)
        comparisons = judge.by_layers(feed.arrays, np.float32, free=True)
        if self.pairing.inner:
            comparisons += self._as_it_is(judge, as_is, comparisons)
        sure = self.tolerance.rtol / CLEAR
        if any(
            not c.passed or (c.rule != "choices" and not _is_within(c, sure, self.tolerance.atol)) for c in comparisons
        ):
            return None
        missing = {**self.pairing.missing, **judge.passed_over}
        return Case(feed.title, "netsurgery.run (float32)", tuple(comparisons), missing, tuple(judge.top_five))

    def _try(self, net: Net, feed: Feed) -> dict[str, Array] | str:
        """The outputs of the model as it is; or why the net itself does not take a size that was not asked for."""
        try:
            return self._run(feed, self.pairing.outputs)
        except NetsurgeryError:
            if feed.optional:
                try:
                    run(net, feed.arrays, net.outputs)
                except NetsurgeryError as refusal:
                    return str(refusal)
            raise

    def _run(self, feed: Feed, which: Mapping[str, str]) -> dict[str, Array]:
        values = self.model.run(self.pairing.feeds(feed.arrays), list(dict.fromkeys(which.values())))
        return self.pairing.blobs(values, which)

    def _case(
        self,
        net: Net,
        feed: Feed,
        numbers: Mapping[str, Array],
        as_is: Mapping[str, Array],
        reference: Runtime | None,
    ) -> Case:
        by = (lambda blob: "") if reference is None else reference.voucher
        judge = Judge(net, {**feed.arrays, **numbers}, self.pairing.outputs, self.tolerance, by)
        if reference is None:
            dtype = self.dtype or np.dtype(np.float64)
            origin = f"netsurgery.run ({dtype.name})"
            comparisons = judge.by_layers(feed.arrays, dtype)
        else:
            origin = reference.name
            values = self._opinion(reference, feed)
            comparisons = list(judge.by_blobs(values, origin))
            self._require_outputs(judge, comparisons, origin)
        if self.pairing.inner:
            comparisons += self._as_it_is(judge, as_is, comparisons)
        if not self.model.in_double:
            comparisons = judge.excused(comparisons, feed.arrays)
        for i, comparison in enumerate(comparisons):
            if not comparison.passed:
                comparisons[i] = replace(comparison, remark=comparison.remark or judge.remark_on(comparison))
                break
        return Case(
            feed.title,
            origin,
            tuple(comparisons),
            {**self.pairing.missing, **judge.passed_over},
            tuple(judge.top_five),
            reference.advisory if reference is not None else False,
        )

    def _opinion(self, reference: Runtime, feed: Feed) -> dict[str, Array]:
        which = self.pairing.all
        if not reference.of_model:
            return reference.run(feed.arrays, list(which))
        return self.pairing.blobs(reference.run(self.pairing.feeds(feed.arrays), list(which.values())), which)

    @staticmethod
    def _require_outputs(judge: Judge, comparisons: Sequence[Comparison], origin: str) -> None:
        """Raises: NetsurgeryError if the other opinion left outputs out: that is no agreement."""
        compared = {c.blob for c in comparisons}
        lost = [
            blob
            for blob in judge.outputs
            if blob not in compared and not judge.passed_over.get(blob, "").startswith("behind")
        ]
        if lost or not compared:
            raise NetsurgeryError(
                f"{origin} gives no numbers for {', '.join(lost) or 'any blob'}", expected="all outputs of the net"
            )

    @staticmethod
    def _as_it_is(judge: Judge, as_is: Mapping[str, Array], comparisons: Sequence[Comparison]) -> list[Comparison]:
        """The outputs of the model as it is, in which the runtime may fuse what was kept apart to see the blobs. Only what differs,
        and did not with the blobs seen, is told."""
        passed = {c.blob for c in comparisons if c.passed or c.measure.max_rel <= NEAR}
        told = []
        for blob, value in as_is.items():
            if blob not in passed:
                continue
            layer = judge.net.writer(blob)
            choice = layer.tops.index(blob) in layer.kind.choices
            expected = judge.values[blob] if choice else judge.reference.get(blob, judge.values[blob])
            m = measure_rows(expected, value, judge.tolerance, layer.kind.columns)
            if not m.passed:
                remark = (
                    "only without the outputs that were added to see blobs: the runtime's own optimisations change it"
                )
                told.append(
                    Comparison(
                        blob, layer.title, layer.source, m, "as it is", True, remark, voucher(layer, judge.by(blob))
                    )
                )
        return told


def _one_ahead(items: Iterable[T]) -> Iterator[T]:
    """The items, each when the next one has been begun."""
    rest = iter(items)
    for item in rest:
        for following in rest:
            yield item
            item = following
        yield item


def _is_within(c: Comparison, rtol: float, atol: float) -> bool:
    return c.measure.max_rel <= rtol or c.measure.max_abs <= atol / CLEAR


def _other_recording(reference: Runtime, net: Net) -> list[str]:
    """A note for each file of the net that is not the one from which numbers were recorded."""
    recorded = reference.sources
    digests = hashes(net, None)
    return [
        f"{reference.path} was recorded from another {kind} file (sha256 {recorded[kind]})"
        for kind in digests
        if recorded.get(kind, digests[kind]) != digests[kind]
    ]


__all__ = ["assert_equivalent", "compare", "feeds", "model_path", "verify"]
