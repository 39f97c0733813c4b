"""Leave out layers that do nothing in the TEST phase: Dropout, Split, and what only they feed.

fc6@relu6 -> drop6 (Dropout) -> fc6 -> fc7      becomes      fc6 -> fc7
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..net import Net


def drop_identities(net: Net, keep: Collection[str] = ()) -> Net:
    """The net without layers whose tops are their bottom. A blob in `keep`, or a net output, keeps its name: the bottom takes it
    over where it can, else the layer stays."""
    names = {*keep, *net.outputs}
    inputs = net.inputs
    alias: dict[str, str] = {}  # vanished blob -> the blob that stands for it
    layers = []
    for layer in net.layers:
        layer = layer.with_blobs(alias)
        if layer.kind.is_identity and len(layer.bottoms) == 1:
            (bottom,) = layer.bottoms
            for top in layer.tops:
                alias[top] = bottom
            tops = [top for top in layer.tops if top in names]
            if tops:
                layers.append(replace(layer, tops=tuple(tops)))
        else:
            layers.append(layer)
    # `fc6@relu6` takes the name `fc6` of the vanished later version of the same blob; so does a bottom that only fed an identity
    # whose top is wanted.
    renamed: dict[str, str] = {}
    left = []
    for layer in layers:
        if layer.kind.is_identity and len(layer.bottoms) == 1:
            (bottom,) = layer.bottoms
            if bottom not in inputs and bottom not in names and bottom not in renamed:
                renamed[bottom] = layer.tops[0]
                if len(layer.tops) == 1:
                    continue
                layer = replace(layer, tops=layer.tops[1:])
        left.append(layer)
    for top, bottom in alias.items():
        plain = bottom.split("@")[0]
        if top == plain and bottom != plain and bottom not in renamed and bottom not in names and bottom not in inputs:
            renamed[bottom] = top
    taken = {t for layer in left for t in layer.tops}
    renamed = {old: new for old, new in renamed.items() if new not in taken or new == old or new in renamed}
    return net.with_layers(layer.with_blobs(renamed) for layer in left)
