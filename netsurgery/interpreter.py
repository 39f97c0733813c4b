"""The reference interpreter: a Caffe net computed layer by layer with NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .errors import NetsurgeryError, ShapeError, WeightsError
from .files.mapped import require_unchanged
from .layers.core.memory import state_names, with_states
from .layers.core.tiles import MEMORY
from .limits import show_shapes
from .net import Layer, Net, as_names, require_net

Array = NDArray[np.floating[Any]]


def run(
    net: Net,
    feeds: Mapping[str, NDArray[Any]],
    blobs: Iterable[str] | None = None,
    dtype: DTypeLike = np.float32,
    memory: int = 256 << 20,
    state: MutableMapping[str, NDArray[Any]] | None = None,
) -> dict[str, Array]:
    """Computes the net on `feeds` (input blob -> array, any size that the net allows), as Caffe does in the TEST phase.

    Gives every blob, inputs included; with a list of `blobs` only those, the others being freed as soon as nothing needs them.
    `dtype` float64 keeps the interpreter's own rounding out of comparisons. `memory` bounds the bytes that a layer takes for its columns of
    windows, the only thing that would be much larger than its blobs and weights. `state`, a dict of yours that starts empty, keeps what
    recurrent layers keep in Caffe from one forward to the next, as `layer.h` and `layer.c`; without it they begin from zeros each time.

    Raises: ShapeError, WeightsError, UnsupportedLayersError; NetsurgeryError for feeds that are missing or not of the net.
    """
    require_net(net)
    blobs = None if blobs is None else as_names(blobs)
    net.require_supported("run")
    _check_feeds(net, feeds)
    names = _blob_names(net, blobs)
    before = MEMORY.set(memory)
    try:
        with np.errstate(all="ignore"):  # Caffe lets NaN and infinity pass
            held = _computed(net, feeds, names, dtype, state)
    finally:
        MEMORY.reset(before)
    return {blob: held[blob] for blob in net.blobs if blob in names}


def _computed(
    net: Net,
    feeds: Mapping[str, NDArray[Any]],
    names: set[str],
    dtype: DTypeLike,
    state: MutableMapping[str, NDArray[Any]] | None,
) -> dict[str, Array]:
    """The wanted blobs; others are let go as soon as no layer needs them."""
    needed = net.needed(names)
    uses = dict.fromkeys(net.blobs, 0)
    for layer in needed:
        for blob in layer.bottoms:
            uses[blob] += 1
    held: dict[str, Array] = {}
    for layer in needed:
        if layer.kind.is_input:
            for top in layer.tops:
                held[top] = np.asarray(feeds[top], dtype)
        elif state is not None and layer.kind.memory:
            held.update(_remembering(layer, [held[b] for b in layer.bottoms], dtype, state))
        else:
            held.update(zip(layer.tops, run_layer(layer, [held[b] for b in layer.bottoms], dtype), strict=True))
        for blob in layer.bottoms:
            uses[blob] -= 1
        for blob in {*layer.bottoms, *layer.tops}:
            if not uses[blob] and blob not in names:
                held.pop(blob, None)
    return held


def _remembering(
    layer: Layer, bottoms: Sequence[Array], dtype: DTypeLike, state: MutableMapping[str, NDArray[Any]]
) -> dict[str, Array]:
    """The tops of a recurrent layer that goes on from its state, which is replaced by the new one."""
    states = state_names(layer)
    shapes = [
        [n for n in shape if isinstance(n, int)] for shape in layer.kind.memory_shapes([b.shape for b in bottoms])
    ]
    first = []
    for name, shape in zip(states, shapes, strict=True):
        value = np.asarray(state[name], dtype) if name in state else np.zeros(shape, dtype)
        if value.shape != tuple(shape):
            raise ShapeError(
                f"its state '{name}' has the shape {value.shape}",
                layer=layer,
                expected=f"{tuple(shape)}, as the bottoms want it",
                fix="begin anew with an empty state: state={}",
            )
        first.append(value)
    tops = run_layer(with_states(layer), [*bottoms, *first], dtype)
    state.update(zip(states, tops[len(layer.tops) :], strict=True))
    return dict(zip(layer.tops, tops, strict=False))


def run_layer(layer: Layer, bottoms: Sequence[Array], dtype: DTypeLike = np.float32) -> Sequence[Array]:
    """The tops of one layer. Raises: ShapeError, WeightsError."""
    expected = Net.layer_shapes(layer, [b.shape for b in bottoms])
    check_weights(layer, [b.shape for b in bottoms])
    require_unchanged(layer.weights)
    # values in a file may lie at odd addresses, where sums are slow
    as_they_are = layer.kind.casts_weights
    weights = layer.weights if as_they_are else [np.require(w, dtype, "A") for w in layer.weights]
    try:
        tops = [np.asarray(top, dtype) for top in layer.kind.forward(bottoms, weights)[: len(layer.tops)]]
    except MemoryError:
        raise NetsurgeryError(
            "needs more memory than there is", layer=layer, fix="a smaller input, or fewer images at a time"
        ) from None
    require_unchanged(layer.weights)
    for top, shape in zip(tops, expected, strict=True):
        if len(top.shape) != len(shape) or any(
            isinstance(n, int) and n != m for m, n in zip(top.shape, shape, strict=True)
        ):
            raise AssertionError(f"layer {layer.title} computed {top.shape}, its shape rule says {shape}")
    return tops


def check_weights(layer: Layer, bottoms: Sequence[Any]) -> None:
    """Raises: WeightsError unless the layer has the blobs that its type wants, in their shapes."""
    if layer.kind.any_blobs:
        return
    expected = [tuple(w) for w in layer.kind.weight_shapes(bottoms)]
    shapes = [tuple(w.shape) for w in layer.weights]
    fits = len(expected) == len(shapes) and all(
        len(w) == len(f) and all(not isinstance(n, int) or n == m for n, m in zip(w, f, strict=True))
        for w, f in zip(expected, shapes, strict=True)
    )
    if fits:
        return
    if not shapes:
        raise WeightsError(
            "has no weights",
            layer=layer,
            expected=f"blobs of shapes {show_shapes(expected)}",
            fix="give the caffemodel, or --initialize for made-up weights",
        )
    slides = layer.type == "InnerProduct" and len(expected) == len(shapes) and any(len(x) > 2 for x in bottoms)
    raise WeightsError(
        f"has blobs of shapes {show_shapes(shapes)}",
        layer=layer,
        expected=show_shapes(expected),
        fix="an image of the declared size; or make the net fully convolutional, and it takes any: --fully-convolutional,"
        " netsurgery.convolutionalize(net)"
        if slides
        else "",
    )


def _check_feeds(net: Net, feeds: Mapping[str, NDArray[Any]]) -> None:
    inputs = net.inputs
    if missing := [name for name in inputs if name not in feeds]:
        raise NetsurgeryError(f"no value for input '{missing[0]}'", expected=f"values for: {', '.join(inputs)}")
    if unknown := [name for name in feeds if name not in inputs]:
        raise NetsurgeryError(f"the net has no input '{unknown[0]}'", expected=f"its inputs: {', '.join(inputs)}")
    for name, shape in inputs.items():
        if shape is not None and np.ndim(feeds[name]) != len(shape):
            raise ShapeError(
                f"input '{name}' was given {np.ndim(feeds[name])} axes: {np.shape(feeds[name])}",
                expected=f"{len(shape)} axes, as declared: {shape}",
            )


def _blob_names(net: Net, blobs: Iterable[str] | None) -> set[str]:
    if blobs is None:
        return set(net.blobs)
    names = set(blobs)
    for blob in sorted(names - set(net.blobs)):
        net.writer(blob)  # raises, with a suggestion
    return names
