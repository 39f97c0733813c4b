"""What a weights file holds, whatever its format: layers and their blobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...errors import ParseError, Source
from ...files.mapped import Identity, MappedFile
from .blob import StoredBlob

if TYPE_CHECKING:
    from ...files.wire import Buffer
    from ...message import Message

MAX_LAYERS = 20_000
MAX_BLOBS = 20_000
"""More than these no real model has: they bound the memory that a hostile file can ask for."""


@dataclass(frozen=True)
class StoredLayer:
    """A layer of a weights file, of V2 type whatever the vintage ("#45" for a V1 number that BVLC lacks, "" in HDF5).

    A blob is None where an HDF5 file leaves it out because another layer owns it.
    """

    name: str
    type: str
    blobs: tuple[StoredBlob | None, ...]
    source: Source


@dataclass(frozen=True)
class ModelFile:
    """A weights file: `vintage` is "V0", "V1", "V2", "mixed" or "HDF5"; `precision` holds the kinds of values met in it
    ("float32", "float64", "float16"); `layers` are in file order, those without blobs included."""

    path: str
    name: str
    layers: tuple[StoredLayer, ...]
    vintage: str
    precision: frozenset[str]
    data: Buffer = field(default=b"", repr=False, compare=False)

    @property
    def identity(self) -> Identity | None:
        """Which file it was, and as of when."""
        return self.data.identity if isinstance(self.data, MappedFile) else None

    def message(self) -> Message:
        """The net itself as the file holds it, of whatever vintage, without blobs: a NetParameter (see binary.decode).

        Raises: ParseError if it cannot be read, or the file is HDF5, which holds weights only.
        """
        from ..prototxt.binary import decode

        source = Source(self.path)
        if self.vintage == "HDF5":
            raise ParseError(
                "is an HDF5 file, which holds weights only", source=source, fix="give the prototxt as well"
            )
        return decode(self.data, "NetParameter", source)
