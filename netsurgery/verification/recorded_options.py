"""The options that a model records of its making: it is held against the net that they give, and is up to date while they are the same."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ..errors import Lines, NetsurgeryError, Source, visible
from ..exporters.convert import OPTIONS, recorded
from ..exporters.onnx.external import external_ends
from ..exporters.onnx.light import read_light
from ..files.boundary import reading
from ..formats.options import Reading
from ..options import from_entries, options_of
from ..passes.options import Surgery
from .compare import FP16_RTOL, INT8_RTOL
from .entries import Entries
from .environment import held_against, installed, metadata
from .options import Comparing

T = TypeVar("T", Reading, Surgery)

HARMLESS = frozenset(
    {
        "phase",
        "level",
        "stages",
        "settings",
        "ignore_unknown",
        "custom_ops",
        "crop",
        "dialect",
        "initialize",
        "initialize_missing",
        "seed",
        "input_shapes",
    }
)
"""Options of reading that a model may give: none that runs a program or names a file."""


def as_recorded(model: Path, reading: Reading, surgery: Surgery) -> tuple[Reading, Surgery, tuple[str, ...]]:
    """The options, with what the model records where nothing else is said; and a note of it.

    Raises: NetsurgeryError for a record that cannot be read."""
    text = metadata(model).get(OPTIONS)
    if text is None:
        return reading, surgery, ()
    try:
        words = json.loads(text)
        entries = {name: word for name, word in words.items() if name in HARMLESS | options_of(Surgery).keys()}
        values = from_entries((Reading(), Surgery()), entries, Path(), "the model's record", {})
    except (ValueError, AttributeError, RecursionError, NetsurgeryError) as error:
        raise NetsurgeryError(
            Lines(
                f"its record of options cannot be read: {error if isinstance(error, NetsurgeryError) else visible(str(error))}"
            ),
            source=Source(str(model)),
            expected=f"{OPTIONS} as convert writes it",
        ) from None
    shown: list[str] = []
    reading, surgery = _filled(reading, values[0], shown), _filled(surgery, values[1], shown)
    if not shown:
        return reading, surgery, ()
    return reading, surgery, (f"the net is taken as the model was converted: {' '.join(dict.fromkeys(shown))}",)


def compared_as_recorded(model: Path, comparing: Comparing) -> tuple[Comparing, tuple[str, ...]]:
    """How a model is compared that gives out other blobs than the net, or has fewer bits, as it records; and notes of it."""
    told = metadata(model)
    notes = []
    with reading(model, f"{OPTIONS} as convert writes it", problem="its record of options cannot be read"):
        outputs = json.loads(told.get(OPTIONS, "{}")).get("outputs")
    if comparing.outputs is None and isinstance(outputs, list):
        comparing = replace(comparing, outputs=tuple(map(str, outputs)))
    tolerance = {"float16": FP16_RTOL, "int8": INT8_RTOL}.get(told.get("netsurgery.precision", ""))
    if tolerance is not None and comparing.rtol is None:
        inner = False if tolerance == INT8_RTOL else comparing.inner
        comparing = replace(comparing, rtol=tolerance, inner=inner)
        notes.append(f"a model of fewer bits, as it records: within {tolerance:g} of each blob's largest value")
    return comparing, tuple(notes)


def _filled(own: T, record: T, shown: list[str]) -> T:
    """`own`, and for what it does not say what the record says; the names of these options go into `shown`."""
    default = type(own)()
    changes: dict[str, Any] = {}
    for name, o in options_of(type(own)).items():
        word = getattr(record, name)
        if word != getattr(default, name) and getattr(own, name) == getattr(default, name):
            changes[name] = word
            shown.append(f"--{o.name}")
    return replace(own, **changes)


def is_current(output: Path, prototxt: Path, weights: Path | None, options: Entries) -> bool:
    """Whether a model is what converting these files with these options would write: as far as its metadata tell, of hashes, options and
    the program's version."""
    try:
        told = metadata(output)
        beside = external_ends(read_light(output).proto, output)
    except NetsurgeryError:
        return False
    files = {"prototxt": prototxt, "weights": weights}
    if prototxt.name.endswith((".caffemodel", ".h5")):  # the net and its weights in one
        files = {"weights": prototxt}
    return (
        told.get("netsurgery.version") == installed("netsurgery")
        and told.get(OPTIONS) == recorded(options.reading, options.surgery, options.pixels, options.export).get(OPTIONS)
        and all(_same(told, kind, path) for kind, path in files.items())
        and all(os.path.isfile(output.parent / name) for name in beside)
    )


def _same(told: dict[str, str], kind: str, path: Path | None) -> bool:
    if path is None:
        return f"netsurgery.{kind}" not in told
    return path.is_file() and held_against(told, kind, str(path)).startswith("same")
