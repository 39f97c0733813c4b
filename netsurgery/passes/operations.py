"""Passes by name, with words for what they take: `netsurgery operate` as a function.

operate(net, [("delete", ("drop6",)), ("rename", ("fc8=fc8-conv",))])      is      net.without("drop6").renamed({"fc8": "fc8-conv"})
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from math import isfinite
from operator import itemgetter
from typing import Any

from numpy.typing import NDArray

from ..errors import NetsurgeryError, Source, WeightsError
from ..files.arrays import read_arrays
from ..net import Net
from .change_num_output import change_num_output
from .convolutionalize import convolutionalize
from .cut import cut
from .deploy import deploy
from .dump_weights import dump_weights, load_weights
from .fold_preprocessing import fold_preprocessing
from .fold_scale import fold_scale
from .initialize import initialize
from .insert import insert
from .kernels import set_kernels
from .set_input_shape import set_input_shape
from .set_weights import set_weights
from .transplant import transplant
from .unfold_groups import unfold_groups


def operate(
    net: Net,
    operations: Sequence[tuple[str, Sequence[str]]],
    *,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    seed: int = 0,
) -> Net:
    """The net after these operations, (name, words) each, in this order. `input_shapes` are those that `deploy` takes, `seed` is that of
    new weights.

    Raises: NetsurgeryError for an operation that there is not, or words that it does not take; what the passes raise.
    """
    for name, words in _together(operations):
        if name == "deploy":
            net = deploy(net, input_shapes)
        elif name == "initialize":
            net = initialize(net, seed, *words)
        elif name == "num_output":
            net = _num_output(net, words[0], seed)
        elif name in OPERATIONS:
            net = OPERATIONS[name](net, *words)
        else:
            raise NetsurgeryError(f"there is no operation '{name}'", expected=", ".join(NAMES))
    return net


def _together(operations: Sequence[tuple[str, Sequence[str]]]) -> Iterator[tuple[str, Sequence[str]]]:
    """The operations, the shapes of several inputs that follow each other as one: one by one they need not go together."""
    for name, group in groupby(operations, key=itemgetter(0)):
        if name == "set_input_shape":
            yield name, [word for _, words in group for word in words]
        else:
            yield from group


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _pair(option: str, text: str, expected: str) -> tuple[str, str]:
    left, sign, right = text.partition("=")
    if not left or not sign or not right:
        raise NetsurgeryError(f"{option} {text}", expected=expected)
    return left, right


def _number(option: str, text: str, expected: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise NetsurgeryError(f"{option}: '{text}' is no whole number", expected=expected)
    return int(text)


def _renames(option: str, text: str) -> dict[str, str]:
    return dict([_pair(option, text, "OLD=NEW, such as fc6=fc6-conv")])


def _insert(net: Net, side: str, text: str) -> Net:
    place, layer = _pair(
        f"--insert-{side}", text, 'LAYER TEXT, such as: conv1 \'layer { name: "relu1" type: "ReLU" }\''
    )
    return insert(net, layer, **{side: place})


def _transplant(net: Net, text: str) -> Net:
    path, *pairs = text.split(",")
    expected = "FILE, or FILE,LAYER=LAYER_OF_THE_FILE,..., such as caffenet.caffemodel,fc6-conv=fc6"
    return transplant(net, path, dict(_pair("--transplant", pair, expected) for pair in pairs) or None)


def _set_weights(net: Net, text: str) -> Net:
    expected = "LAYER:BLOB=FILE.npy, such as conv1:0=kernels.npy"
    place, path = _pair("--set-weights", text, expected)
    layer, colon, index = place.rpartition(":")
    if not colon:
        raise NetsurgeryError(f"--set-weights {text}", expected=expected)
    return set_weights(net, layer, _number("--set-weights", index, expected), _read_npy(path))


def _set_kernel(net: Net, text: str) -> Net:
    layer, kernels = _pair("--set-kernel", text, "LAYER=KERNEL,..., such as conv=sobel-x,gaussian:5,emboss")
    return set_kernels(net, layer, *kernels.split(","))


def _read_npy(path: str) -> NDArray[Any]:
    expected, fix = "a .npy file: one array", "--load-weights reads .npz"
    try:
        array = read_arrays(path, expected, WeightsError)
    except WeightsError as error:
        raise WeightsError(error.problem, source=error.source, expected=expected, fix=error.fix or fix) from None
    if isinstance(array, dict):
        raise WeightsError("holds several arrays", source=Source(path), expected=expected, fix=fix)
    return array


def _fold_preprocessing(net: Net, text: str) -> Net:
    expected = "words such as: mean=104,117,123 scale=0.017 swap input=data inexact-borders"
    options: dict[str, Any] = {}
    for word in text.split():
        name, _, value = word.partition("=")
        try:
            match name:
                case "mean":
                    options["mean"] = [float(v) for v in value.split(",")]
                case "scale":
                    options["scale"] = float(value)
                case "input" if value:
                    options["blob"] = value
                case "swap" | "inexact-borders" if word == name:
                    options["swap_channels" if word == "swap" else "inexact_borders"] = True
                case _:
                    raise ValueError(word)
            if not all(isfinite(number) for number in (*options.get("mean", ()), options.get("scale", 1.0))):
                raise ValueError(word)
        except ValueError:
            raise NetsurgeryError(f"--fold-preprocessing: '{word}'", expected=expected) from None
    if not options.keys() & {"mean", "scale", "swap_channels"}:
        raise NetsurgeryError("--fold-preprocessing: nothing to fold", expected=expected)
    return fold_preprocessing(net, **options)


def _set_input_shape(net: Net, *texts: str) -> Net:
    expected = "BLOB=N,C,H,W, such as data=1,3,451,451"
    shapes = {}
    for text in texts:
        blob, sizes = _pair("--set-input-shape", text, expected)
        shapes[blob] = [_number("--set-input-shape", n, expected) for n in sizes.split(",")]
    return set_input_shape(net, shapes)


def _num_output(net: Net, text: str, seed: int) -> Net:
    expected = "LAYER=NUMBER, such as fc8=20"
    layer, number = _pair("--num-output", text, expected)
    return change_num_output(net, layer, _number("--num-output", number, expected), seed)


OPERATIONS: Mapping[str, Callable[..., Net]] = {
    "cut": lambda net, blobs: cut(net, _names(blobs), keep_inputs=False),
    "cut_from": lambda net, blobs: cut(net, start=_names(blobs)),
    "delete": lambda net, layers: net.without(*_names(layers)),
    "dump_weights": dump_weights,
    "fold": fold_scale,
    "fold_preprocessing": _fold_preprocessing,
    "fully_convolutional": convolutionalize,
    "insert_after": lambda net, text: _insert(net, "after", text),
    "insert_before": lambda net, text: _insert(net, "before", text),
    "load_weights": load_weights,
    "rename": lambda net, text: net.renamed(_renames("--rename", text)),
    "rename_blob": lambda net, text: net.renamed(blobs=_renames("--rename-blob", text)),
    "rename_layer": lambda net, text: net.renamed(layers=_renames("--rename-layer", text)),
    "set_input_shape": _set_input_shape,
    "set_kernel": _set_kernel,
    "set_weights": _set_weights,
    "transplant": _transplant,
    "unfold_groups": unfold_groups,
}
"""The operations that take nothing but the net and words."""

NAMES = tuple(sorted((*OPERATIONS, "deploy", "initialize", "num_output")))
