"""A record of scores as they come, from which an interrupted run goes on: a heading, then a line of JSON for each batch."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import IO, Any, Self

from ..errors import NetsurgeryError, Source
from ..files.boundary import open_file, reading
from .accuracy import Tally


class Record:
    """The file, open while the run goes on; without a path nothing is written."""

    def __init__(self, path: str | os.PathLike[str] | None, heading: Mapping[str, Any]) -> None:
        self.path = None if path is None else os.fspath(path)
        self.heading = dict(heading)
        self.file: IO[str] | None = None
        self.done: dict[str, tuple[int, dict[str, float]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.file is not None:
            self.file.close()

    def restore(self, tallies: Sequence[Tally]) -> int:
        """Puts what the file holds into the tallies, and opens it to go on. Gives the number of samples that are done.

        Raises: NetsurgeryError if it is of another source or other models, or cannot be read or written.
        """
        if self.path is None:
            return 0
        whole = b""
        if os.path.lexists(self.path):
            with open_file(self.path, error=NetsurgeryError) as old, reading(self.path, error=NetsurgeryError):
                data = old.read()
                whole = data[: data.rfind(b"\n") + 1]  # a last line that was cut off goes
        entries = [self._entry(line) for line in whole.splitlines()]
        if entries and entries[0] != self.heading:
            raise NetsurgeryError(
                "is the record of another run",
                source=Source(self.path),
                expected=json.dumps(self.heading),
                fix="name another file, or remove it",
            )
        for entry in entries[1:]:
            with reading(self.path, "a batch", error=NetsurgeryError, problem="is no record of scores"):
                for tally in tallies:
                    share = entry["models"][tally.name]
                    tally.ranks += [int(rank) for rank in share["ranks"]]
                    tally.add_outputs(share["outputs"], len(entry["samples"]))
        try:
            if entries:
                os.truncate(self.path, len(whole))
            self.file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 - closed on leaving
        except OSError as error:
            raise NetsurgeryError(f"cannot be written: {error.strerror}", source=Source(self.path)) from None
        if not entries:
            self._put(self.heading)
        self._note(tallies)
        return sum(len(entry["samples"]) for entry in entries[1:])

    def write(self, names: Sequence[str], tallies: Sequence[Tally]) -> None:
        """The line of a batch: what the tallies have more than before."""
        if self.file is None:
            return
        models = {}
        for tally in tallies:
            count, sums = self.done[tally.name]
            outputs = {name: (total - sums.get(name, 0.0)) / len(names) for name, total in tally.sums.items()}
            models[tally.name] = {"ranks": tally.ranks[count:], "outputs": outputs}
        self._put({"samples": list(names), "models": models})
        self._note(tallies)

    def _entry(self, line: bytes) -> dict[str, Any]:
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            raise NetsurgeryError("is no record of scores", source=Source(self.path or ""), fix="name another file")
        return entry

    def _put(self, entry: Mapping[str, Any]) -> None:
        if self.file is not None:
            self.file.write(json.dumps(entry) + "\n")
            self.file.flush()

    def _note(self, tallies: Sequence[Tally]) -> None:
        self.done = {tally.name: (len(tally.ranks), dict(tally.sums)) for tally in tallies}
