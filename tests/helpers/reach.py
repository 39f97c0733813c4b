"""Cases in runtimes other than onnxruntime: what each gives, and whether it is Caffe's."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import cases
import reach_runtimes

import netsurgery
from netsurgery.errors import NetsurgeryError, UnavailableError
from netsurgery.verification.runtimes.base import Runtime
from netsurgery.verification.runtimes.table import open_model, open_opinion

RIGHT = "right"
REFERENCE = "ReferenceEvaluator"
OPENCV5 = "NETSURGERY_OPENCV5"
"""Names a folder that OpenCV 5 was installed into, besides the OpenCV 4 that tests read Caffe's files with."""


def verdict(case: Path, runtime: str, fixed: bool, options: dict[str, Any]) -> str:
    """RIGHT, or "wrong: ..", or "refused: ..": one export with free sizes, or one at the sizes of each run.

    Raises: UnavailableError."""
    net = cases.load(case)
    if "surgery" in case.parts:  # what is recorded are the numbers of the fully convolutional net
        net = netsurgery.convolutionalize(net)
    model: Runtime | None = None
    for feed, want in cases.runs(case):
        try:
            if model is None or fixed:
                shapes = {name: array.shape for name, array in feed.items()} if fixed else None
                proto = netsurgery.to_onnx(net, input_shapes=shapes, **options)
                model = _open(net, proto, runtime)
            compared = [blob for blob in want if blob in model.outputs]
            got = model.run(feed, compared)
        except UnavailableError:
            raise
        except NetsurgeryError as error:
            return f"refused: {error.problem}"
        for blob in compared:
            if problem := cases.difference(got[blob], want[blob]):
                return f"wrong: {blob} {problem}"
    return RIGHT


def _open(net: netsurgery.Net, model: Any, runtime: str) -> Runtime:
    if runtime in reach_runtimes.RUNTIMES:
        return reach_runtimes.open_model(model, runtime)
    return open_opinion("onnx", net, model) if runtime == REFERENCE else open_model(model, runtime)


def _prepared(runtime: str) -> None:
    if runtime == "opencv" and os.environ.get(OPENCV5):
        sys.path.insert(0, os.environ[OPENCV5])


def verdicts(
    folders: Sequence[Path], runtime: str, fixed: bool, options: dict[str, Any], seconds: float = 120
) -> Iterator[tuple[Path, str]]:
    """Each case's verdict, by a process of its own, which a runtime may crash. Raises: UnavailableError."""
    context = multiprocessing.get_context("spawn")

    def start() -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, context, _prepared, (runtime,))

    pool = start()
    try:
        for case in folders:
            try:
                yield case, pool.submit(verdict, case, runtime, fixed, options).result(seconds)
            except BrokenProcessPool:
                yield case, "refused: it crashes"
            except TimeoutError:
                yield case, f"refused: no answer within {seconds:g} s"
                for process in list((pool._processes or {}).values()):
                    process.kill()
            else:
                continue
            pool.shutdown(wait=False, cancel_futures=True)
            pool = start()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
