"""Rename layers and blobs.

data -> fc6 (layer fc6) -> fc7      rename(net, {"fc6": "fc6-conv"}):      data -> fc6-conv (layer fc6-conv) -> fc7
"""

from __future__ import annotations

from collections.abc import Mapping

from ..net import Net


def rename(
    net: Net,
    names: Mapping[str, str] | None = None,
    *,
    layers: Mapping[str, str] | None = None,
    blobs: Mapping[str, str] | None = None,
) -> Net:
    """The net with other names, {old: new}: of layers, of blobs, or (`names`) of both at once: `net.renamed(...)`. Weights stay with
    their layers.

    Raises: NetsurgeryError for a name that there is not; RewriteError if two layers would have one name.
    """
    return net.renamed(names, layers=layers, blobs=blobs)
