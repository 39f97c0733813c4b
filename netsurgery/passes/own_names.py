"""Give each layer a name of its own, which targets want and Caffe does not.

conv1 -> relu -> conv2 -> relu      becomes      conv1 -> relu -> conv2 -> relu@2
"""

from __future__ import annotations

from collections import Counter

from ..net import Net


def own_names(net: Net) -> Net:
    """The net with a name for each layer: `relu@2` for the second of a name that comes twice, which Caffe allows and targets do not."""
    names: set[str] = set()
    own = {layer.name for layer in net.layers}
    count: Counter[str] = Counter()
    layers = []
    for layer in net.layers:
        count[layer.name] += 1
        name = layer.name if count[layer.name] == 1 else f"{layer.name}@{count[layer.name]}"
        while name in names or (count[layer.name] > 1 and name in own):
            name += "'"
        names.add(name)
        layers.append(layer.with_name(name))
    return net.with_layers(layers) if len(own) < len(layers) else net
