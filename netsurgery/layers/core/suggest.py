"""What a word was meant to be: another spelling of a name, or one with a slip of the pen; never another thing whose name is like it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence

SPELLINGS = {
    "conv": "Convolution",
    "deconv": "Deconvolution",
    "pool": "Pooling",
    "softmaxloss": "SoftmaxWithLoss",
    "images": "ImageData",
    "fullyconnected": "InnerProduct",
    "batchnormalization": "BatchNorm",
    "average": "AVE",
    "avg": "AVE",
}
"""Names of types that were others once, or are others elsewhere, without what `plain` takes out."""

SHORT, LONG = 5, 8
"""From how many letters on one slip is taken for one, and two are: ELU is no slip of RELU, nor SUM of SUB."""


FIELDS = {"kernel": "kernel_size", "bias": "bias_term"}
"""Names of fields elsewhere."""


def meant_field(word: str, candidates: Iterable[str], words: Container[str]) -> str | None:
    """The field among `candidates` that `word` spells in another way, or with a slip in one of its parts; None if it may well be another.

    A part that is a word of its own (`words`: those of all fields) is no slip: pad_d is not pad_h, nor min_size max_size.
    """
    names = list(candidates)
    spelled = {plain(name): name for name in names}
    field = spelled.get(plain(word)) or next((name for name in names if name == FIELDS.get(word)), None)
    if field is not None:
        return field
    return _least([(count, name) for name in names if (count := _field_slips(word, name, words)) is not None])


def _field_slips(word: str, name: str, words: Container[str]) -> int | None:
    """How many slips make `name` of `word`, part by part."""
    a, b = word.lower().split("_"), name.split("_")
    if len(a) != len(b):
        return None
    total = 0
    for x, y in zip(a, b, strict=True):
        if x == y or plain(SPELLINGS.get(x, "")) == y:
            continue
        if x in words or min(len(x), len(y)) < 3 or x[0] != y[0] or abs(len(x) - len(y)) > 2:
            return None
        changed = _changed(x, y)
        if any(c.isdigit() for edit in changed for c in edit):
            return None
        total += len(changed)
    return total if total <= 1 + (len(name) >= LONG) else None


def _least(slips: Sequence[tuple[int, str]]) -> str | None:
    """The name that takes the fewest slips, if it is one alone."""
    nearest = sorted(slips)[:2]
    return nearest[0][1] if nearest and (len(nearest) == 1 or nearest[0][0] < nearest[1][0]) else None


def meant(word: str, candidates: Iterable[str]) -> str | None:
    """The name among `candidates` that `word` spells in another way, or with a slip; None if it may well be another thing.

    A slip is a letter too many, too few, wrong, or two that changed places, and no capital or digit is part of it; what stands in front of
    a whole name (Bi, Un, Hard) or has changed its first letter makes another name of it.
    """
    names = list(candidates)
    spelled = spelling(word, names)
    if spelled is not None:
        return spelled
    return _least([(count, name) for name in names if (count := _slips(word, name)) is not None])


def spelling(word: str, candidates: Iterable[str]) -> str | None:
    """The name among `candidates` that is `word` but for case and signs, or was called so once."""
    by_plain = {plain(name): name for name in candidates}
    match = by_plain.get(plain(word))
    if match is None and (old := SPELLINGS.get(plain(word))) is not None:
        match = by_plain.get(plain(old))
    return match


def plain(word: str) -> str:
    """The word in small letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _slips(word: str, name: str) -> int | None:
    """How many slips make `name` of `word`; None if there are too many, or they say something."""
    if not word or not name or word[0].lower() != name[0].lower():
        return None
    allowed = (len(name) >= SHORT) + (len(name) >= LONG)
    if abs(len(word) - len(name)) > allowed:
        return None
    shouted = word.isupper() or name.isupper()
    changed = _changed(word, name) if not shouted else _changed(word.lower(), name.lower())
    if len(changed) > allowed or any(c.isupper() or c.isdigit() for edit in changed for c in edit):
        return None
    return len(changed)


def _changed(a: str, b: str) -> list[str]:
    """The letters of each edit in a least list of edits that makes b of a (one letter in, out or for another, two swapped)."""
    rows: list[list[list[str]]] = [[list(b[:j]) for j in range(len(b) + 1)]]
    for i, x in enumerate(a, 1):
        row = [list(a[:i])]
        for j, y in enumerate(b, 1):
            ways = [[*rows[i - 1][j], x], [*row[j - 1], y], [*rows[i - 1][j - 1], *([] if x == y else [x + y])]]
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y and x != y:
                ways.append([*rows[i - 2][j - 2], x + y])
            row.append(min(ways, key=len))
        rows.append(row)
    return rows[-1][-1]
