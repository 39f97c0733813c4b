"""Recorded numbers: inputs and outputs in one .npz, as `netsurgery record` writes it.

Arrays `<run>/in/<blob>` and `<run>/out/<blob>`; `netsurgery` holds, as JSON, what computed them, versions and hashes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import NetsurgeryError, ParseError, Source
from ...files.arrays import read_npz
from ...files.boundary import reading
from ...net import Net
from ..feeds import Feed, describe
from .base import Runtime

if TYPE_CHECKING:
    from .base import Array, Feeds

ABOUT = "netsurgery"
"""The entry that says where the numbers come from."""

EXPECTED = "recorded numbers: .npz"


class Recorded(Runtime):
    """The runs of a file."""

    def __init__(
        self, path: str, runs: Mapping[str, tuple[dict[str, Array], dict[str, Array]]], about: Mapping[str, Any]
    ):
        self.path, self.runs, self.about = path, runs, about
        by = f" ({about['computed_by']})" if about.get("computed_by") else ""
        self.name = f"{path}{by}"
        self.sources = about.get("sha256", {})

    @property
    def versions(self) -> Mapping[str, str]:
        return {f"recorded with {name}": value for name, value in self.about.get("versions", {}).items()}

    @cached_property
    def inputs(self) -> dict[str, tuple[int | None, ...] | None]:
        return {blob: array.shape for feeds, _ in self.runs.values() for blob, array in feeds.items()}

    @cached_property
    def blobs(self) -> Collection[str]:
        return {blob for _, values in self.runs.values() for blob in values}

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(sorted(self.blobs))

    def feeds(self, net: Net) -> list[Feed]:
        """The inputs of every run. Raises: NetsurgeryError if they are not those of the net."""
        return list(self._feeds(net))

    def _feeds(self, net: Net) -> Iterator[Feed]:
        for run, (feeds, _) in self.runs.items():
            for blob in net.inputs:
                if blob not in feeds:
                    raise NetsurgeryError(
                        f"run {run} holds no input '{blob}'",
                        source=Source(self.path),
                        expected=f"the net's inputs: {', '.join(net.inputs)}",
                    )
            arrays = {blob: feeds[blob] for blob in net.inputs}
            shapes = {blob: array.shape for blob, array in arrays.items()}
            net.shapes(shapes)
            yield Feed(f"{describe(shapes)}, recorded run {run}", arrays)

    def voucher(self, blob: str) -> str:
        """Who computed it when it was recorded; files of other tools do not say."""
        by = str(self.about.get("computed_by", ""))
        if by.startswith("netsurgery"):
            return ""
        if blob in self.about.get("by_interpreter", ()):
            return ""
        return f"recorded by {by}" if by else "recorded"

    def run(self, feeds: Feeds, blobs: Collection[str]) -> dict[str, Array]:
        """What was recorded for these inputs."""
        for inputs, values in self.runs.values():
            if all(np.array_equal(inputs[blob], array, equal_nan=True) for blob, array in feeds.items()):
                return {blob: values[blob] for blob in blobs if blob in values}
        raise NetsurgeryError("holds no run of these inputs", source=Source(self.path))


def _about(array: Array, path: str) -> dict[str, Any]:
    """What a recording says of itself. Raises: ParseError if it is not what `netsurgery record` writes."""
    with reading(path, EXPECTED, problem=f"'{ABOUT}' in it cannot be read"):
        about = json.loads(str(array))
    if not isinstance(about, dict):
        raise ParseError(f"'{ABOUT}' in it is no record", source=Source(path), expected=EXPECTED)
    for key, kind in {"computed_by": str, "versions": dict, "sha256": dict, "by_interpreter": list}.items():
        value = about.get(key, kind())
        inner = value.values() if isinstance(value, dict) else value
        if not isinstance(value, kind) or not all(isinstance(word, str) for word in inner):
            raise ParseError(f"'{ABOUT}' in it says {key}: {value!r}", source=Source(path), expected=EXPECTED)
    return about


def open_opinion(path: str) -> Recorded:
    """Raises: ParseError for a file that is no recording."""
    source = Source(path)
    runs: dict[str, tuple[dict[str, Array], dict[str, Array]]] = {}
    about: dict[str, Any] = {}
    for key, array in read_npz(path, EXPECTED).items():
        run, _, rest = key.partition("/")
        side, _, blob = rest.partition("/")
        if key == ABOUT:
            about = _about(array, path)
        elif blob and side in ("in", "out"):
            if array.dtype.kind not in "biuf":
                raise ParseError(f"'{key}' holds {array.dtype}", source=source, expected="numbers")
            runs.setdefault(run, ({}, {}))[side == "out"][blob] = array
    if not any(values for _, values in runs.values()):
        raise ParseError(
            "holds no recorded runs",
            source=source,
            expected="arrays named 0/in/data and 0/out/prob",
            fix="netsurgery record deploy.prototxt weights.caffemodel -o golden.npz",
        )
    return Recorded(path, runs, about)
