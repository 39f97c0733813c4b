"""Which layers write and read which blobs: what a Net holds of its layers' order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .errors import NetsurgeryError
from .kind import Layer
from .naming import closest


def writers(layers: Sequence[Layer]) -> dict[str, Layer]:
    """The layer that writes each blob, in order. Raises: NetsurgeryError if a bottom has no writer, or a blob has two or no name."""
    written: dict[str, Layer] = {}
    for layer in layers:
        for blob in layer.bottoms:
            if blob not in written:
                raise NetsurgeryError(
                    f"bottom '{blob}' is not written by any layer before it",
                    layer=layer,
                    expected=f"one of: {', '.join(list(written)[-8:]) or 'an input (the net has none)'}",
                    fix=closest(blob, written) or f"make it an input: --input-shape {blob}=1,3,224,224",
                )
        for blob in layer.tops:
            if not blob:
                raise NetsurgeryError(
                    "a top has an empty name",
                    layer=layer,
                    expected="a name for each blob",
                    fix="name it, or take the line out",
                )
            if blob in written:
                raise NetsurgeryError(
                    f"top '{blob}' is already written by layer {written[blob].title}",
                    layer=layer,
                    expected="one writer per blob (in-place layers name the same blob as bottom and top)",
                    fix="give one of the two tops another name",
                )
            written[blob] = layer
    return written


def readers(layers: Iterable[Layer]) -> Mapping[str, Sequence[Layer]]:
    """The layers that read each blob, in order."""
    read: dict[str, list[Layer]] = {}
    for layer in layers:
        for blob in dict.fromkeys(layer.bottoms):
            read.setdefault(blob, []).append(layer)
    return read


def needed(layers: Sequence[Layer], blobs: Iterable[str]) -> list[Layer]:
    """The layers that these blobs are computed by, inputs among them, in order."""
    names, chain = set(blobs), []
    for layer in reversed(layers):
        if names.intersection(layer.tops):
            names.update(layer.bottoms)
            chain.append(layer)
    return chain[::-1]
