"""What the entries of a manifest's model mean: the options of `convert` and `verify`, with _ for -."""

from __future__ import annotations

from dataclasses import dataclass

from ..exporters.options import Export
from ..formats.manifest import Model
from ..formats.options import Pixels, Reading
from ..options import from_entries
from ..passes.options import Surgery
from .options import Comparing, Inputs


@dataclass(frozen=True)
class Entries:
    """All options that a model can have."""

    reading: Reading = Reading()
    surgery: Surgery = Surgery()
    pixels: Pixels = Pixels()
    export: Export = Export()
    inputs: Inputs = Inputs()
    comparing: Comparing = Comparing()


def entries_of(model: Model, base: Entries = Entries()) -> Entries:
    """The options of a model: its own entries, and for what it does not say those of `base`. Raises: ParseError."""
    who, values = f"model '{model.name}'", vars(base).values()
    return Entries(*from_entries(values, model.options, model.folder, who, model.sources))
