"""A process of another Python that computes for us: started when it is first asked, spoken to in lines of JSON, ended with its object.

A failed CHECK of Caffe's, or a crash of Caffe2's, ends that process and not this one.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from tempfile import TemporaryFile
from typing import IO, Any, Self

from ...errors import Lines, NetsurgeryError, Source, visible
from .pythons import clean_environment
from .recipe import Recipe

SECONDS = 600.0
"""After so long without an answer the process is taken to hang."""

LINES = 8
"""How many of the last lines of a process that failed are shown."""


class SideError(NetsurgeryError):
    """The other process failed: what was asked could not be done, or it crashed, or gave no answer."""


class Side:
    """A process of a side environment. It is started when it is first asked, and anew after a failure; it ends with this object."""

    def __init__(self, recipe: Recipe, python: str, seconds: float = SECONDS) -> None:
        self.recipe, self.python, self.seconds = recipe, python, seconds
        self.title = recipe.title
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._log: IO[bytes] | None = None
        self._end: weakref.finalize[..., Side] | None = None

    def ask(self, request: Mapping[str, Any], source: Source = Source()) -> dict[str, Any]:
        """The answer. Raises: SideError."""
        process = self._started()
        if process.stdin is None:
            raise AssertionError("the process was started without a pipe")
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = self._answers.get(timeout=self.seconds)
        except OSError:  # it has ended
            line = None
        except queue.Empty:
            raise self._failure(f"{self.title} gave no answer within {self.seconds:g} s", source) from None
        if line is None:
            code = process.wait()
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise self._failure(f"{self.title}'s process ended with {how} and gave no answer", source)
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._failure(f"{self.title}'s process answered '{line.strip()[:200]}'", source)
        if not answer.pop("ok", False):
            raise SideError(
                Lines(f"{self.title}: {answer.get('stage')}: {_each_visible(str(answer.get('error')))}"), source=source
            )
        return dict(answer)

    def close(self) -> None:
        """Ends the process."""
        self._process = None
        if self._end is not None:
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _started(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        environment = clean_environment()
        environment.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
        self._log = TemporaryFile()  # noqa: SIM115  # closed with the process
        try:
            self._process = subprocess.Popen(
                [self.python, "-u", str(self.recipe.script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                encoding="utf-8",
                env=environment,
            )
        except OSError as error:
            raise SideError(f"{self.python} cannot be started: {error.strerror}", fix=self.recipe.fix) from None
        self._answers = queue.Queue()
        listener = threading.Thread(target=_listen, args=(self._process.stdout, self._answers), daemon=True)
        listener.start()
        self._end = weakref.finalize(self, _end, self._process, listener, self._log)
        return self._process

    def _failure(self, problem: str, source: Source) -> SideError:
        said = ""
        if self._log is not None:
            self._log.seek(0)
            lines = [line.rstrip() for line in self._log.read().decode("utf-8", "replace").splitlines() if line.strip()]
            said = "\n".join(["; its last lines:", *map(visible, lines[-LINES:])]) if lines else ""
        self.close()
        return SideError(Lines(visible(problem) + said), source=source)


def _each_visible(text: str) -> str:
    return "\n".join(map(visible, text.split("\n")))


def _listen(out: IO[str] | None, answers: queue.Queue[str | None]) -> None:
    """Hands on every line, None at the end."""
    for line in out or ():
        answers.put(line)
    answers.put(None)


def _end(process: subprocess.Popen[str], listener: threading.Thread, log: IO[bytes]) -> None:
    """Ends a process, then the thread that reads from it, then closes what led to it."""
    process.kill()
    process.wait()
    listener.join()
    for pipe in (process.stdin, process.stdout, log):
        if pipe is not None:
            with suppress(OSError):  # what could not be written to it is lost with it
                pipe.close()
