"""Keep what computes some blobs.

x -> conv1 -> conv2 -> prob          cut(net, ["conv1"]):    x -> conv1
          \\-> aux
"""

from __future__ import annotations

from collections.abc import Iterable

from ..net import Net


def cut(net: Net, blobs: Iterable[str]) -> Net:
    """The net without the layers that none of `blobs` needs. Inputs stay, used or not.

    Raises: NetsurgeryError for a blob that the net does not have.
    """
    needed = set()
    for blob in blobs:
        net.writer(blob)
        needed.add(blob)
    kept = []
    for layer in reversed(net.layers):
        if needed.intersection(layer.tops) or getattr(layer.kind, "is_input", False):
            needed.update(layer.bottoms)
            kept.append(layer)
    return net.with_layers(reversed(kept))
