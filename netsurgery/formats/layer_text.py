"""One layer from its prototxt text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ParseError, Source
from ..layers import make_layer
from ..message import Message
from ..net import IDENTITY, Layer
from .prototxt.text import parse
from .prototxt.typed import resolve
from .prototxt.upgrade import upgrade

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..layers.core.layer_type import LayerType


def layer(
    text: str,
    *,
    layers: Mapping[str, type[LayerType]] | None = None,
    weights: Sequence[ArrayLike] = (),
    source: Source | None = None,
) -> Layer:
    """The layer that `layer { name: "relu9" type: "ReLU" bottom: "fc9" top: "fc9" }` describes, of any vintage, with `weights` as its
    blobs. `source` says where the text stands; by default it is named "<layer>".

    Raises: ParseError for text that is not one layer, NetsurgeryError for parameters that the layer type refuses.
    """
    net, _ = upgrade(resolve(parse(text, source.file if source else "<layer>"), "NetParameter"))
    messages = [f.value for f in net.fields if f.name == "layer" and isinstance(f.value, Message)]
    if len(messages) != 1 or len(net.fields) != 1:
        raise ParseError(
            f"the text holds {len(messages)} layers" if len(messages) != 1 else "the text holds more than a layer",
            source=net.source,
            expected='one layer: layer { name: "relu9" type: "ReLU" bottom: "fc9" top: "fc9" }',
        )
    (message,) = messages
    if not message.last("name", ""):
        raise ParseError("the layer has no name", source=message.source, expected='name: "..."')
    params = replace(message.without(*IDENTITY), text=message.text, place=source or message.place)
    return make_layer(
        str(message.last("name")),
        str(message.last("type", "")),
        message.all("bottom"),
        message.all("top"),
        params,
        source=source or message.source,
        weights=[np.asarray(w) for w in weights],
        layers=layers,
    )
