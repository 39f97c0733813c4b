"""Names of a classifier's channels."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from difflib import get_close_matches

from ..errors import NetsurgeryError, Source
from ..files.boundary import read_file
from ..options import Kind, whole_number

MAX_BYTES = 16 << 20

BACKGROUND = Kind(metavar="K|NAME")
BACKGROUND_HELP = 'The class that is nothing; "" for none. Default: the one called "background".'
"""An option of all that looks for classes."""


def read_labels(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The lines of a text file, one label each, in the order of the channels (labels.txt, synset_words.txt).

    Raises: NetsurgeryError if it cannot be read, or is no text."""
    name = os.fspath(path)
    data = read_file(name, MAX_BYTES, "a text file of labels, one a line")
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise NetsurgeryError("is no text", source=Source(name), expected="UTF-8, one label a line") from None
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise NetsurgeryError("is empty", source=Source(name), expected="one label a line")
    return tuple(line.strip() for line in lines)


def find_channel(
    channel: int | str, count: int, labels: Sequence[str], blob: str, words: Sequence[str] = ()
) -> int | str:
    """A channel as it was asked for: a number, a label, or one of `words`, which mean several. Raises: NetsurgeryError."""
    check_labels(labels, count, blob)
    if channel in words:
        return channel
    choices = ", ".join((f"0 to {count - 1}", "a label (--labels)", *words))
    text = str(channel)
    matches = [i for i, label in enumerate(labels) if text.lower() in _called(label)]
    if len(matches) == 1:
        return matches[0]
    number = whole_number(text, signed=True)
    if number is not None and not matches:
        if 0 <= number < count:
            return number
        raise NetsurgeryError(f"blob '{blob}' has no channel {text}", expected=choices)
    near = get_close_matches(text, labels, n=1)
    raise NetsurgeryError(
        f"{len(matches)} labels are called '{text}'" if matches else f"there is no label '{text}'",
        expected=choices,
        fix=f"did you mean '{near[0]}'?" if near else "",
    )


def check_labels(labels: Sequence[str], count: int, blob: str) -> None:
    """Raises: NetsurgeryError unless there is a label for each channel, or none at all."""
    if labels and len(labels) != count:
        raise NetsurgeryError(
            f"{len(labels)} labels for blob '{blob}' of {count} channels", expected="one for each channel"
        )


def _called(label: str) -> set[str]:
    """What a label may be called: all of it; the number of a WordNet synset in front of it, and what follows; each of its synonyms."""
    lower = label.lower()
    number, _, rest = lower.partition(" ")
    is_synset = re.fullmatch("n[0-9]{8}", number) is not None
    names = rest if is_synset else lower
    return {lower, names, *([number] if is_synset else []), *(name.strip() for name in names.split(","))}


def name_of(labels: Sequence[str], number: int) -> str:
    return labels[number] if number < len(labels) else f"channel {number}"


def find_background(background: str | None, count: int, labels: Sequence[str], blob: str) -> int | None:
    """The class that is nothing: by number or label; None: the one that is called "background", if there is one; "": there is none.

    Raises: NetsurgeryError for one that there is not."""
    if background is None:
        return next((i for i, label in enumerate(labels) if "background" in _called(label)), None)
    return int(find_channel(background, count, labels, blob)) if background else None
