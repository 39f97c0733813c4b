"""A process of its own for a model: one that loops for ever is ended, and one that crashes its runtime ends itself alone.

What goes to and fro is the length of some JSON, the JSON, and the bytes of the arrays that it lists: nothing that is unpickled.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

import numpy as np

from .session import Opening, open_session, run_session

Message = tuple[dict[str, Any], dict[str, Any]]
"""Words, and arrays by name."""

GRACE = 30.0
"""Seconds after which a process ends itself that nobody ended in time."""


FIELDS = ("path", "folder", "light", "module")
"""What is told of an Opening in words."""


class ApartError(Exception):
    """The process gave no answer, or its runtime an error; the text says which."""


class Apart:
    """A process that opens a model and runs it. It is started at once, and ends with this object."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._end = weakref.finalize(self, _end, self._process)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def open(self, opening: Opening) -> None:
        """Raises: ApartError."""
        words = {"do": "open"} | {name: getattr(opening, name) for name in FIELDS}
        content = np.frombuffer(opening.content, np.uint8)
        self._ask(words, {"": content, **opening.arrays})

    def run(self, asked: Sequence[str], feeds: Mapping[str, Any]) -> list[Any]:
        """Raises: ApartError."""
        values = self._ask({"do": "run", "asked": list(asked)}, feeds)
        return [values[name] for name in asked]

    def _ask(self, words: dict[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
        answers: queue.Queue[Message | None] = queue.Queue()
        talk = threading.Thread(
            target=self._talk, args=(words | {"seconds": self.seconds}, arrays, answers), daemon=True
        )
        talk.start()
        try:
            answer = answers.get(timeout=self.seconds)
        except queue.Empty:
            self._end()
            raise ApartError(f"no answer within {self.seconds:g} s (--timeout)") from None
        if answer is None:
            code = self._process.wait()
            self._end()
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise ApartError(f"its process ended with {how}")
        said, values = answer
        if "error" in said:
            raise ApartError(str(said["error"]))
        return values

    def _talk(self, words: dict[str, Any], arrays: Mapping[str, Any], answers: queue.Queue[Message | None]) -> None:
        try:
            send(self._process.stdin, words, arrays)  # type: ignore[arg-type]
            answers.put(receive(self._process.stdout))  # type: ignore[arg-type]
        except (OSError, ValueError, EOFError, KeyError, TypeError):  # it has ended, or answered what is no answer
            answers.put(None)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def send(pipe: IO[bytes], words: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    whole = {name: np.ascontiguousarray(array).reshape(np.shape(array)) for name, array in arrays.items()}
    listed = [[name, array.dtype.str, list(array.shape)] for name, array in whole.items()]
    head = json.dumps({**words, "arrays": listed}).encode()
    pipe.write(len(head).to_bytes(8, "little") + head)
    for array in whole.values():
        pipe.write(array.reshape(-1).view(np.uint8).data)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Message:
    """Raises: EOFError at the end; ValueError, KeyError, TypeError for what is no message."""
    words = json.loads(_exactly(pipe, int.from_bytes(_exactly(pipe, 8), "little")))
    arrays = {}
    for name, kind, shape in words.pop("arrays"):
        dtype = np.dtype(kind)
        if dtype.hasobject:
            raise ValueError(kind)
        data = _exactly(pipe, int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
        arrays[name] = np.frombuffer(data, dtype).reshape(shape)
    return words, arrays


def _exactly(pipe: IO[bytes], count: int) -> bytearray:
    data = bytearray(count)
    view, done = memoryview(data), 0
    while done < count:
        step = pipe.readinto(view[done:])  # type: ignore[attr-defined]
        if not step:
            raise EOFError
        done += step
    return data


def serve() -> None:
    """The other side: opens and runs until nobody asks any more."""
    pipe, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a runtime prints is no answer
    session: Any = None
    while True:
        try:
            words, arrays = receive(pipe)
        except EOFError:
            os._exit(0)
        watch = threading.Timer(words["seconds"] + GRACE, os._exit, (1,))
        watch.daemon = True
        watch.start()
        values: dict[str, Any] = {}
        said: dict[str, Any] = {}
        try:
            if words["do"] == "open":
                session = None  # the old one goes before the new one comes
                content = arrays.pop("").tobytes()
                opening = Opening(content=content, arrays=arrays, **{name: words[name] for name in FIELDS})
                session = open_session(opening)
            else:
                values = dict(zip(words["asked"], run_session(session, words["asked"], arrays), strict=True))
        except Exception as error:  # what runtimes raise has no base
            said = {"error": " ".join(str(error).split()) or type(error).__name__}
        watch.cancel()
        send(answers, said, values)
