"""What a binary net says, as far as it can be believed: forks reuse each other's field numbers, and BVLC's newer ones."""

from __future__ import annotations

from dataclasses import replace

from ... import _proto
from ...message import Field, Message

LAST_SAFE_NUMBER = 130
"""Fields of LayerParameter up to here mean the same everywhere; later numbers mean other things in forks."""

OTHER_NAMES = {
    # Layer types of BVLC and SSD whose parameters are not called like them, as far as their numbers are not safe.
    "Normalize": ("norm_param",),
    "RNN": ("recurrent_param",),
    "LSTM": ("recurrent_param",),
}


def distrust(net: Message) -> Message:
    """The binary net with parameters under their numbers ("#143") where a layer of that type need not mean what BVLC calls so: no layer
    reads them, and field accounting refuses them. An Interp layer's field 143 is interp_param to PSPNet, and input_param to BVLC."""
    return replace(net, fields=tuple(replace(f, value=_layer(f.value)) if f.name == "layer" else f for f in net.fields))


def _layer(layer: Message) -> Message:
    type = str(layer.last("type", ""))
    own = {*OTHER_NAMES.get(type, ()), type.lower() + "_param"}
    return replace(layer, fields=tuple(_doubted(f) if _is_doubtful(f, own) else f for f in layer.fields))


def _is_doubtful(f: Field, own: set[str]) -> bool:
    field_type = _proto.message("LayerParameter").get(f.name)
    if field_type is None or field_type.number <= LAST_SAFE_NUMBER:
        return False
    return f.name not in own and f.name.removesuffix("_param").replace("_", "") + "_param" not in own


def _doubted(f: Field) -> Field:
    return replace(f, name=f"#{_proto.message('LayerParameter')[f.name].number}")
