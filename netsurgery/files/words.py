"""Which of the words of a command line are a net and its weights."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Sequence
from pathlib import Path

from ..aliases import StrPath
from ..errors import NetsurgeryError
from .signatures import HEAD, describe_wrong_file, is_binary, is_netdef

WEIGHTS = (".caffemodel", ".caffemodel.h5", ".h5", ".hdf5")


def is_weights(word: StrPath) -> bool:
    """Whether a word names a file of weights: by its name, or as a binary file that is no picture."""
    name = os.fspath(word)
    if name.lower().endswith(WEIGHTS):
        return True
    if (mimetypes.guess_type(name)[0] or "").startswith("image/") or not os.path.isfile(name):
        return False
    with open(name, "rb") as file:
        head = file.read(HEAD)
    return is_binary(head) and describe_wrong_file(head) is None


def goes_with(word: StrPath, net: StrPath) -> bool:
    """Whether a word names the second file of a net: its weights; of a NetDef, the other one, which may be text."""
    if is_netdef(os.fspath(word)):
        return is_netdef(os.fspath(net))
    return is_weights(word)


def split_words(words: Sequence[str], *names: str, least: int | None = None) -> tuple[str, str | None, list[str]]:
    """NET [WEIGHTS] and the rest, which `names` are, `least` of them or more: the net stands first, the weights anywhere.

    Raises: NetsurgeryError where words are missing, or too many."""
    net, rest = (words[0], list(words[1:])) if words else ("", [])
    weights = next((word for word in rest if goes_with(word, net)), None)
    if weights is not None:
        rest.remove(weights)
    least = len(names) if least is None else least
    endless = bool(names) and names[-1].rstrip("]").endswith("...")
    if not net or len(rest) < least or (len(rest) > len(names) and not endless):
        problem = f"'{rest[len(names)]}' is one word too many" if len(rest) > len(names) else "words are missing"
        raise NetsurgeryError(problem, expected=f"NET [WEIGHTS] {' '.join(names)}")
    return net, weights, rest


def pair_files(files: Sequence[Path]) -> list[tuple[Path, Path | None]]:
    """Each net with its weights, told by the names: A, A's, B, B's; A, B; A's, B's alone. Raises: NetsurgeryError."""
    pairs: list[tuple[Path, Path | None]] = []
    for file in files:
        net, weights = pairs[-1] if pairs else (None, None)
        if (
            net is not None
            and weights is None
            and goes_with(file, net)
            and (is_netdef(str(net)) or not is_weights(net))
        ):
            pairs[-1] = net, file
        else:
            pairs.append((file, None))
    if len(pairs) != 2:
        raise NetsurgeryError(
            f"{len(pairs)} net{'s' if len(pairs) != 1 else ''} given",
            expected="two: A.prototxt [A.caffemodel] B.prototxt [B.caffemodel]",
        )
    return pairs
