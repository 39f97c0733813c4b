"""Whether the files of a command line stand in their places: the net first, then its weights, then a model; and the line that is right."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence

from ..errors import NetsurgeryError, Source
from .signatures import HEAD, is_binary, is_hdf5, is_netdef, is_onnx

NET, WEIGHTS, MODEL, SOLVER, LIST = "a net", "a file of weights", "an ONNX model", "a solver", "a list of models"
LOOKED_AT = 1 << 16
"""Bytes of a text in which it shows what it is."""

_LAYERS = re.compile(rb"(?m)^\s*(layers?\s*\{|input\s*:)")
_TRAINS = re.compile(rb"(?m)^\s*(net|train_net|test_net|base_lr|lr_policy|max_iter|solver_mode|snapshot_prefix)\s*:")
_NAMED = re.compile(rb"(?m)^\s*(?:net|test_net|train_net)\s*:\s*[\"']([^\"'\n]+)[\"']")


def require_order(command: str, words: Sequence[str], line: Sequence[str]) -> None:
    """Raises: NetsurgeryError where a file of `words`, what a command was given in order, stands in another's place. Its fix is `line`, the
    whole command line, put right."""
    roles = [_role(word) for word in words]
    if not roles:
        return
    first = roles[0]
    if first == SOLVER:
        named = _net_of(words[0])
        raise _error(
            words[0],
            "this is a solver, which says how a net is trained",
            "a net: layer { ... }",
            _shown(line, words, [named, *words[1:]])
            if os.path.isfile(named)
            else f"give the net that it names: {named}",
        )
    if first == LIST:
        fix = f"netsurgery {command} --manifest {shlex.quote(words[0])}" if command in ("convert", "verify") else ""
        raise _error(words[0], "this is a list of models, not a net", "a net: layer { ... }", fix)
    if command == "diff":
        return
    at = roles.index(NET) if NET in roles else -1
    if (
        first in (WEIGHTS, MODEL)
        and at > 0
        and not (command == "verify" and WEIGHTS in roles[at:] and first == WEIGHTS)
    ):
        order = [words[i] for i in sorted(range(len(words)), key=lambda i: (_place(roles[i]), i))]
        fix = _shown(line, words, order)
        raise _error(words[0], f"this is {first}, and {words[at]} the net", "the net first, then its weights", fix)
    if first == MODEL:
        raise _error(
            words[0], "this is an ONNX model", "a net of Caffe's", "give the Caffe model that it was made from"
        )
    if command in ("verify", "time", "score"):
        rest = roles[1:]
        if MODEL in rest and WEIGHTS in rest and rest.index(MODEL) < rest.index(WEIGHTS):
            i, j = 1 + rest.index(MODEL), 1 + rest.index(WEIGHTS)
            order = [*words[:i], words[j], *words[i:j], *words[j + 1 :]]
            fix = _shown(line, words, order)
            raise _error(
                words[i], "this is an ONNX model, where the weights stand", "the weights before the model", fix
            )
        return
    if len(words) > 1 and roles[1] in (MODEL, SOLVER, NET) and WEIGHTS not in roles:
        _refuse_weights(words, roles[1], line)


def _refuse_weights(words: Sequence[str], role: str, line: Sequence[str]) -> None:
    """Raises: NetsurgeryError for what is no weights, with the weights that lie beside the net, if there are some."""
    net, word = words[:2]
    folder = os.path.dirname(net)
    beside = sorted(name for name in os.listdir(folder or ".") if name.endswith((".caffemodel", ".caffemodel.h5")))
    weights = os.path.join(folder, beside[0]) if len(beside) == 1 else "WEIGHTS.caffemodel"
    fix = _shown(line, words, [net, weights, *words[2:]])
    if role == MODEL:
        fix += f"; to check the model: netsurgery verify {shlex.join([net, weights, word])}"
    raise _error(word, f"this is {role}, not weights", "the weights: a .caffemodel", fix)


def _error(word: str, problem: str, expected: str, fix: str = "") -> NetsurgeryError:
    return NetsurgeryError(problem, source=Source(word), expected=expected, fix=fix)


def _shown(line: Sequence[str], words: Sequence[str], others: Sequence[str]) -> str:
    """The line with others in place of the words, which it holds in order."""
    right, i = list(line), 0
    for at, word in enumerate(line):
        if i < len(words) and word == words[i]:
            right[at] = others[i]
            i += 1
    return shlex.join(right)


def _place(role: str) -> int:
    return {NET: 0, WEIGHTS: 1}.get(role, 2)


def _role(word: str) -> str:
    """What a file is, "" where it is none of these."""
    try:
        if is_netdef(word) or not os.path.isfile(word):
            return ""
        with open(word, "rb") as file:
            head = file.read(LOOKED_AT)
    except (OSError, ValueError):
        return ""
    if is_hdf5(head):
        return WEIGHTS if word.lower().endswith((".caffemodel.h5", ".h5", ".hdf5", ".caffemodel")) else ""
    if is_binary(head[:HEAD]):
        if is_onnx(head):
            return MODEL
        return WEIGHTS if word.lower().endswith(".caffemodel") else ""
    if _LAYERS.search(head):
        return NET
    if word.lower().endswith(".toml"):
        return LIST
    return SOLVER if len({match[1] for match in _TRAINS.finditer(head)}) > 1 else ""


def _net_of(solver: str) -> str:
    """The net that a solver names: as it is written, or in the solver's folder."""
    with open(solver, "rb") as file:
        named = _NAMED.search(file.read(LOOKED_AT))
    if named is None:
        return "NET.prototxt"
    path = named[1].decode("utf-8", "surrogateescape")
    beside = os.path.join(os.path.dirname(solver), os.path.basename(path))
    return path if os.path.isfile(path) or not os.path.isfile(beside) else beside
