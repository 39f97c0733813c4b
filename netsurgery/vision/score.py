"""How often a net is right over a labelled list, and how often its converted models are.

samples ── read, transform (threads) ──> batches ──> reference ──> ranks, outputs
                                                └──> model.onnx ──> ranks, outputs     on the same pixels
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError, Source
from ..exporters.onnx.int8 import save_int8
from ..exporters.onnx.save import save_onnx
from ..exporters.onnx.session import cores
from ..formats.preprocessing import PYCAFFE, Preprocessing
from ..net import Layer, Net
from .accuracy import Tally, ranks, require_classes
from .data_layer import transform
from .judges import Judges, find_judges
from .mean import ahead
from .model import Model, image_input, input_shape
from .samples import Sample, is_stored, require_stored_size, samples
from .score_cluster import ScoreJob, alone, judged_on, rows
from .score_record import Record

Array = NDArray[np.float32]
REFERENCE = "reference"
BATCH = 16


@dataclass(frozen=True)
class Options:
    """What is scored beside the reference, and how. top: the k of "among the best k"; limit: how many samples at most."""

    models: Sequence[str | os.PathLike[str]] = ()
    fp16: bool = False
    int8: str | os.PathLike[str] | None = None
    """Images to calibrate int8 with, as for `samples`."""
    output: str | None = None
    root: str = ""
    gray: bool = False
    limit: int | None = None
    threads: int | None = None
    scheduler: str | None = None
    """The address of a Dask cluster, whose workers read the images and run the models."""
    record: str | os.PathLike[str] | None = None
    """A file to which every batch is written, and from which an interrupted run goes on."""


@dataclass
class _Contestant:
    tally: Tally
    model: Model
    blob: str
    """Among the model's outputs, the scores."""


def score(
    net: Net,
    source: str | os.PathLike[str],
    options: Options | None = None,
    *,
    loaded: Net | None = None,
    preprocessing: Preprocessing | None = None,
    on_sample: Callable[[int], None] = lambda count: None,
) -> list[Tally]:
    """Tallies of the net ("reference", its float32 model in onnxruntime) and of what `options` names, on the samples that
    `source` stands for (see samples.py), their pixels as Caffe's data layers transform them.

    loaded: the net as it was read, if `net` was made ready for use: what its layers say of the labels is averaged, as
    `caffe test` does. on_sample is told how many are done.

    Raises: NetsurgeryError for samples without labels or that cannot be read, ShapeError for images that do not fit.
    """
    options, done = options or Options(), preprocessing or Preprocessing()
    shape = input_shape(net)
    size = warp_size(done, (shape[1], shape[2]))
    files = entries = samples(source, root=options.root, resize=size, gray=options.gray or shape[0] == 1)
    layer = _data_layer(loaded) if loaded is not None else None
    if layer is not None and done.cut and size is None and not layer.params.has("image_data_param"):
        entries = _as_stored(entries, os.fspath(source), shape)
    judges = find_judges(loaded) if loaded is not None else None
    if judges is not None and not set(judges.reads) <= set(net.blobs):
        judges = None
    scores = options.output or _scores(net, judges)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="netsurgery-")))
        contestants = _contestants(net, scores, judges, options, done, folder)
        names = [c.tally.name for c in contestants]
        record = stack.enter_context(Record(options.record, {"source": os.fspath(source), "models": names}))
        count = record.restore([c.tally for c in contestants])
        on_sample(count)
        rest = islice(entries, count, options.limit)
        if options.scheduler is None:
            batches = _here(contestants, judges, _batches(rest, shape, done, options.threads or cores()))
        else:
            stored = layer is not None and entries is not files
            job = partial(ScoreJob, shape, done, size, options.gray or shape[0] == 1, stored)
            batches = _on_cluster(contestants, judges, options.scheduler, job, rest, folder)
        for names in batches:
            count += len(names)
            record.write(names, [c.tally for c in contestants])
            on_sample(count)
    if not count:
        raise NetsurgeryError("there are no samples", source=Source(os.fspath(source)), expected="at least one")
    return [c.tally for c in contestants]


def warp_size(done: Preprocessing, size: tuple[int, int]) -> tuple[int, int] | None:
    """The size (h, w) that image files are warped to, of which the middle becomes the input of `size`; None: as they are."""
    if done.convention == PYCAFFE:
        return None
    return done.resize or done.frame or (None if done.cut else size)


def _data_layer(net: Net) -> Layer | None:
    """The layer that reads images, if the net has one."""
    sources = (x for x in net.layers if not x.bottoms and x.type != "DummyData")
    return next((x for x in sources if x.type.endswith("Data") or x.params.has("transform_param")), None)


def _as_stored(entries: Iterator[Sample], source: str, shape: tuple[int, int, int]) -> Iterator[Sample]:
    """Samples for a net that reads a database. Raises: as `require_stored_size`, when an image is read."""
    if is_stored(source):
        yield from entries
        return

    def checked(sample: Sample) -> Callable[[], NDArray[Any]]:
        def read() -> NDArray[Any]:
            pixels = sample.read()
            require_stored_size(pixels, shape, sample.name)
            return pixels

        return read

    for sample in entries:
        yield replace(sample, read=checked(sample))


def _batches(
    entries: Iterable[Sample], shape: tuple[int, int, int], done: Preprocessing, threads: int
) -> Iterator[list[tuple[Sample, Array]]]:
    """Samples with what the net is fed, some at a time; threads read and transform those that come next."""

    def ready(sample: Sample) -> Sample:
        def read() -> Array:
            try:
                return transform(sample.read(), shape, done)
            except ShapeError as error:
                raise ShapeError(
                    error.problem, source=Source(sample.name), expected=error.expected, fix=error.fix
                ) from None

        return replace(sample, read=read)

    batch: list[tuple[Sample, Array]] = []
    for sample, pixels in ahead(map(ready, entries), threads, 3 * BATCH):
        if sample.label is None:
            raise NetsurgeryError("has no label", source=Source(sample.name), expected="a number")
        batch.append((sample, pixels))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _here(
    contestants: Sequence[_Contestant], judges: Judges | None, batches: Iterable[list[tuple[Sample, Array]]]
) -> Iterator[list[str]]:
    """Judges every batch in this process; gives the names of its samples."""
    for batch in batches:
        labels = np.array([sample.label for sample, _ in batch], np.int64)
        names = [sample.name for sample, _ in batch]
        pixels = np.stack([x for _, x in batch])
        for one in contestants:
            begin = time.perf_counter()
            values = dict(zip(one.model.blobs, one.model.run(pixels), strict=True))
            one.tally.seconds += time.perf_counter() - begin
            scores = values[one.blob].reshape(len(labels), -1)
            require_classes(labels, names, one.blob, scores.shape[1])
            _judge(one, judges, ranks(scores, labels), values, labels)
        yield names


def _on_cluster(
    contestants: Sequence[_Contestant],
    judges: Judges | None,
    scheduler: str,
    job: Callable[..., ScoreJob],
    entries: Iterator[Sample],
    folder: Path,
) -> Iterator[list[str]]:
    """Judges every batch on a cluster; gives the names of its samples."""
    reads = judges.reads if judges is not None else ()
    jobs = [
        (job(one.model.blobs, one.blob, tuple(reads)), alone(one.model.path, folder / str(k)))
        for k, one in enumerate(contestants)
    ]
    for batch, judged in judged_on(scheduler, jobs, entries, BATCH):
        labels = np.array([sample.label for sample in batch], np.int64)
        for one, part in zip(contestants, judged, strict=True):
            _judge(one, judges, [rank for rank, _ in part], rows(part), labels)
        yield [sample.name for sample in batch]


def _judge(
    one: _Contestant, judges: Judges | None, places: list[int], values: dict[str, Array], labels: NDArray[np.int64]
) -> None:
    one.tally.ranks += places
    if judges is not None and set(judges.reads) <= values.keys():
        one.tally.add_outputs(judges.run(values, labels), len(labels))


def _scores(net: Net, judges: Judges | None) -> str:
    """The blob whose greatest channel is the answer. Raises: NetsurgeryError if there are several."""
    shapes = net.shapes()
    flat = [b for b in net.outputs if len(shapes[b]) >= 2 and all(n == 1 for n in shapes[b][2:])]
    judged = [b for b in judges.reads if b in net.blobs] if judges is not None else []
    if len(flat) == 1:
        return flat[0]
    if len(judged) == 1:
        return judged[0]
    raise NetsurgeryError(
        f"the net has {len(flat)} outputs with a number for each class" + (f": {', '.join(flat)}" if flat else ""),
        source=net.source,
        expected="one",
        fix="name the blob: --output BLOB",
    )


def _contestants(
    net: Net,
    scores: str,
    judges: Judges | None,
    options: Options,
    done: Preprocessing,
    folder: Path,
) -> list[_Contestant]:
    blobs = list(dict.fromkeys([scores, *(judges.reads if judges is not None else ())]))
    paths = {REFERENCE: folder / "reference.onnx"}
    save_onnx(net, paths[REFERENCE], outputs=blobs)
    if options.fp16:
        paths["fp16"] = folder / "fp16.onnx"
        save_onnx(net, paths["fp16"], outputs=blobs, fp16=True)
    if options.int8 is not None:
        paths["int8"] = folder / "int8.onnx"
        save_int8(net, paths["int8"], _calibration(net, options, done), outputs=blobs)
    contestants = [
        _Contestant(Tally(name), Model(path, blobs, options.threads), scores) for name, path in paths.items()
    ]
    contestants += [_opened(os.fspath(path), scores, blobs, options.threads) for path in options.models]
    return contestants


def _calibration(net: Net, options: Options, done: Preprocessing) -> list[dict[str, Array]]:
    shape = input_shape(net)
    size = warp_size(done, (shape[1], shape[2]))
    entries = samples(
        options.int8 or "", root=options.root, resize=size, gray=options.gray or shape[0] == 1, labelled=False
    )
    return [{image_input(net): transform(sample.read(), shape, done)[None]} for sample in entries]


def _opened(path: str, scores: str, blobs: Sequence[str], threads: int | None) -> _Contestant:
    """A model file, whose scores are the output of that name, or its only one.

    Raises: NetsurgeryError if it cannot be opened, has several outputs of other names, or takes no float images.
    """
    if not os.path.isfile(path):
        raise NetsurgeryError("there is no such file", source=Source(path), expected="an ONNX model")
    model = Model(path, (), threads)
    (first, *more), outputs = model.session.get_inputs(), [o.name for o in model.session.get_outputs()]
    if more or first.type != "tensor(float)":
        raise NetsurgeryError(
            f"takes {', '.join(i.name + ' ' + i.type for i in (first, *more))}",
            source=Source(path),
            expected="one input of floats (N, C, H, W)",
            fix="convert without --bake-preprocessing",
        )
    if scores not in outputs and len(outputs) != 1:
        raise NetsurgeryError(
            f"has the outputs {', '.join(outputs)}", source=Source(path), expected=f"'{scores}', or only one"
        )
    blob = scores if scores in outputs else outputs[0]
    model.blobs = tuple(dict.fromkeys([blob, *(b for b in blobs if b in outputs)]))
    return _Contestant(Tally(os.path.basename(path)), model, blob)
