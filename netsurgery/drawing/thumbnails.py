"""Small pictures for the page of a net: kernels of its convolutions, and what its blobs make of an image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files.images import read_image
from ..formats.preprocessing import Preprocessing
from ..formats.prototxt.versions import file_names
from ..net import Net
from ..vision.model import image_input, input_shape, open_model
from ..vision.picture import grid, to_bytes, to_png, unit
from ..vision.preprocess import preprocess
from ..vision.resize import shrink

KERNELS, MAPS, SIDE = 64, 16, 40
"""How many tiles a picture has at most, and how many pixels a map's longer side."""

Pictures = dict[str, list[tuple[str, bytes]]]


def kernels(net: Net, channel_order: str = "bgr") -> Pictures:
    """The first kernels of each layer that has some, the greatest |weight| of all being black or white: in color if they
    have three channels, else of each kernel the mean over its channels."""
    pictures: Pictures = {}
    for layer in net.layers:
        if not layer.weights or layer.weights[0].ndim != 4 or layer.weights[0].shape[2:] == (1, 1):
            continue
        weights = np.asarray(layer.weights[0][:KERNELS], np.float32)
        if weights.shape[1] == 3:
            tiles = weights.transpose(0, 2, 3, 1)[..., :: -1 if channel_order == "bgr" else 1]
        else:
            tiles = weights.mean(axis=1)
        limit = float(np.abs(tiles).max())
        title = f"filters, {_some(len(tiles), len(layer.weights[0]))}, {-limit:.3g} to {limit:.3g}"
        pictures[layer.name] = [(title, to_png(grid(list(to_bytes(unit(tiles, -limit, limit))))))]
    return pictures


def maps(net: Net, image: NDArray[Any] | str, preprocessing: Preprocessing | None = None) -> Pictures:
    """The strongest channels of every blob that is a map, each from its least value, black, to its greatest, white.

    Blobs that are changed in place are those after the last change, at the layer that made them.

    Raises: NetsurgeryError for a net whose input is no image, or an image that cannot be read.
    """
    image_input(net)
    shapes = net.shapes()
    blobs = [blob for blob, name in file_names(net).items() if blob == name and len(shapes[blob]) == 4]
    blobs = [blob for blob in blobs if blob not in net.inputs and None not in shapes[blob]]
    channels, height, width = input_shape(net)
    pixels = read_image(image) if isinstance(image, str) else image
    x = preprocess(pixels, channels, (height, width), preprocessing)[None]
    pictures: Pictures = {}
    for blob, values in zip(blobs, open_model(net, blobs).run(x), strict=True):
        order = np.argsort(-np.nan_to_num(values[0]).reshape(values.shape[1], -1).max(axis=1), kind="stable")[:MAPS]
        tiles = [_tile(values[0, c]) for c in order]
        title = f"activations of {blob}, strongest first, {_some(len(tiles), len(values[0]))}, up to {values.max():.3g}"
        pictures.setdefault(_origin(net, blob), []).append((title, to_png(grid(tiles))))
    return pictures


def _tile(values: NDArray[Any]) -> NDArray[np.uint8]:
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    longest = max(values.shape)
    if longest > SIDE:
        height, width = (max(1, round(n * SIDE / longest)) for n in values.shape)
        values = shrink(values[:, :, None], (height, width))[:, :, 0]
    return to_bytes(unit(values, low, high))


def _some(count: int, total: int) -> str:
    return f"all {total}" if count == total else f"{count} of {total}"


def _origin(net: Net, blob: str) -> str:
    """The layer that made the blob before others changed it in place."""
    names = file_names(net)
    layer = net.writer(blob)
    while len(layer.bottoms) == 1 and names.get(layer.bottoms[0]) == names.get(blob):
        layer = net.writer(layer.bottoms[0])
    return layer.name
