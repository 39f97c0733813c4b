"""Nets in pycaffe, in a process of its own: the Python that has Caffe may be another one (NETSURGERY_CAFFE_PYTHON), and a failed CHECK
of Caffe's ends its process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import NetsurgeryError, Source
from ...net import Net
from .as_caffe import caffe_files, final_blobs
from .base import Runtime, UnavailableError

if TYPE_CHECKING:
    from .base import Array, Feeds, Model

PYTHON = "NETSURGERY_CAFFE_PYTHON"
SCRIPT = Path(__file__).parents[1] / "side" / "caffe_side.py"
SECONDS = 3600
"""After so long without an answer Caffe is taken to hang."""


class SideError(NetsurgeryError):
    """The other process gave no answer."""


class Caffe(Runtime):
    """A net in pycaffe."""

    def __init__(self, net: Net, python: str, about: Mapping[str, str]) -> None:
        self.net, self.python, self.path = net, python, net.files.get("prototxt", "")
        self.name = f"Caffe {about['caffe']}"
        self._versions = {"caffe": about["caffe"], "caffe's python": about["python"]}
        self._final = final_blobs(net)

    @property
    def versions(self) -> Mapping[str, str]:
        return self._versions

    @property
    def inputs(self) -> dict[str, tuple[int | None, ...] | None]:
        return dict(self.net.inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.net.outputs

    @property
    def blobs(self) -> Collection[str]:
        return self._final

    def run(self, feeds: Feeds, blobs: Collection[str]) -> dict[str, Array]:
        asked = {self._final[blob]: blob for blob in blobs if blob in self._final}
        with caffe_files(self.net) as (prototxt, weights), TemporaryDirectory(prefix="netsurgery-") as folder:
            inputs, values = os.path.join(folder, "feeds.npz"), os.path.join(folder, "values.npz")
            np.savez(inputs, allow_pickle=False, **{name: np.asarray(a, np.float32) for name, a in feeds.items()})
            told = ask(
                self.python,
                {
                    "prototxt": str(prototxt),
                    "weights": str(weights),
                    "feeds": inputs,
                    "values": values,
                    "blobs": list(asked),
                },
                Source(self.path),
            )
            with np.load(values) as arrays:
                return {asked[name]: arrays[str(i)] for i, name in enumerate(told["blobs"])}


def ask(python: str, request: Mapping[str, Any], source: Source = Source()) -> dict[str, Any]:
    """The answer of the other process. Raises: SideError if it ends without one."""
    try:
        done = subprocess.run(
            [python, str(SCRIPT)],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except OSError as error:
        raise SideError(f"{python} cannot be started: {error.strerror}", source=source) from None
    except subprocess.TimeoutExpired:
        raise SideError(f"Caffe gave no answer within {SECONDS} s", source=source) from None
    if done.returncode == 0:
        try:
            return dict(json.loads(done.stdout))
        except ValueError:
            pass
    said = " | ".join(line.strip() for line in done.stderr.splitlines()[-4:] if line.strip())
    how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    raise SideError(f"Caffe ended with {how}: {said or 'no message'}", source=source)


def open_opinion(net: Net, model: Model) -> Caffe:
    """Raises: UnavailableError where Caffe cannot be imported."""
    python = os.environ.get(PYTHON) or sys.executable
    try:
        about = ask(python, {})
    except SideError as error:
        raise UnavailableError(
            f"caffe is not there: {error.problem}",
            expected=f"a Python in which `import caffe` works: {python} is not one",
            fix=f"{PYTHON}=/path/to/python names another one",
        ) from None
    return Caffe(net, python, about)
