"""Nets of old vintages, and what they become."""

from __future__ import annotations

from typing import Any

import pytest

from netsurgery.errors import ParseError
from netsurgery.formats.prototxt.text import parse
from netsurgery.formats.prototxt.typed import resolve
from netsurgery.formats.prototxt.upgrade import upgrade
from netsurgery.message import Message


def read(text: str) -> Message:
    return resolve(parse(text, "net.prototxt"), "NetParameter")


def bare(message: Message) -> tuple[str, list[Any]]:
    """The message without places and comments: what it says, with the type of every message in it."""
    return message.type, [(f.name, bare(f.value) if isinstance(f.value, Message) else f.value) for f in message.fields]


def check(before: str, after: str, *notes: str) -> None:
    net, made = upgrade(read(before))
    assert bare(net) == bare(read(after))
    assert made == notes


def refusal(text: str) -> str:
    with pytest.raises(ParseError) as caught:
        upgrade(read(text))
    return str(caught.value)
