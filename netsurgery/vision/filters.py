"""The kernels of a convolution, and the maps that a net makes of an image, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError, WeightsError
from ..files.images import read_image
from ..formats.preprocessing import Preprocessing
from ..net import Layer, Net
from ..passes.cut import cut
from .model import image_input, input_shape, open_model
from .picture import Picture, as_color, captioned, enlarge, enlarged_to, grid, require_room, shown, to_bytes, unit
from .preprocess import preprocess

NORMALIZE = ("all", "each")


def filters(
    net: Net,
    layer: str | None = None,
    *,
    normalize: str = "all",
    channel_order: str = "bgr",
    channels: str = "each",
    sort: str | None = None,
    times: int | None = None,
    columns: int | None = None,
    caption: bool = True,
) -> Picture:
    """The grid of a layer's kernels (None: the first Convolution): weight w as gray 1/2 + w / (2 m), so that 0 is the middle, m being
    the greatest |w| of all kernels ("all") or of each tile ("each").

    Kernels of three channels are in color, their channels taken as `channel_order`. Others have one tile for each input channel, a row
    for each kernel, or (`channels` "mean") one of the mean over them. `sort` "norm" puts those of greatest L2 norm first. Every weight
    is a square of `times` pixels (None: to fill about 1000).

    Shapes: (rows, columns, 3), uint8.
    Raises: NetsurgeryError for a layer without kernels or a picture that would be too large; WeightsError without weights.
    """
    found = find_layer(net, layer)
    kernels = _kernels(found)
    for value, known, what in (
        (normalize, NORMALIZE, "normalize"),
        (channels, ("each", "mean"), "channels"),
        (sort or "norm", ("norm",), "sort"),
        (channel_order, ("bgr", "rgb"), "channel_order"),
    ):
        if value not in known:
            raise NetsurgeryError(f"{what} is {value}", expected=" or ".join(known))
    if sort == "norm":
        norms = np.sqrt((kernels.reshape(len(kernels), -1).astype(np.float64) ** 2).sum(axis=1))
        kernels = kernels[np.argsort(-norms, kind="stable")]
    color = kernels.shape[1] == 3 and channels == "each"
    if color:
        tiles = kernels.transpose(0, 2, 3, 1)
        tiles = tiles[:, :, :, ::-1] if channel_order == "bgr" else tiles
    elif channels == "mean":
        tiles = kernels.mean(axis=1)
    else:
        tiles = kernels.reshape(-1, *kernels.shape[2:])
        columns = columns or (kernels.shape[1] if kernels.shape[1] > 1 else None)
    picture = _grid(tiles, normalize, times, columns, symmetric=True)
    if not caption:
        return picture
    low, high = float(kernels.min()), float(kernels.max())
    return captioned(picture, [f"{found.name} {_times(kernels.shape)}", f"{shown(low)} to {shown(high)}"])


def find_layer(net: Net, name: str | None) -> Layer:
    """The layer of that name, or the first Convolution. Raises: NetsurgeryError if there is none."""
    if name is not None:
        return net[name]
    for layer in net.layers:
        if len(layer.weights) and layer.weights[0].ndim == 4 and layer.type.startswith(("Convolution", "Depthwise")):
            return layer
    convolutions = [layer for layer in net.layers if layer.type == "Convolution"]
    if convolutions:
        return convolutions[0]
    raise NetsurgeryError("there is no Convolution", source=net.source, fix="name a layer")


def _kernels(layer: Layer) -> NDArray[Any]:
    """(kernels, channels, h, w), float32."""
    if not layer.weights:
        raise WeightsError("has no weights", layer=layer, fix="give the caffemodel")
    weight = layer.weights[0]
    if weight.ndim != 4:
        raise ShapeError(
            f"its weights ({_times(weight.shape)}) are no kernels",
            layer=layer,
            expected="(kernels, channels, h, w): a Convolution or Deconvolution",
        )
    return np.asarray(weight, np.float32)


def activations(
    net: Net,
    image: NDArray[Any] | str,
    blob: str,
    *,
    normalize: str = "all",
    sort: str | None = None,
    times: int | None = None,
    columns: int | None = None,
    caption: bool = True,
    size: tuple[int, int] | None = None,
    preprocessing: Preprocessing | None = None,
    keep: bool = False,
) -> Picture:
    """The maps that the net makes of an image, one tile for each channel: gray from the least value, black, to the greatest, white, of
    all maps or of each. `sort` "max" puts those of the greatest value first. The image, a path or RGB (H, W, 3), is warped to the net's
    input, or to `size` (h, w).

    Raises: NetsurgeryError, ShapeError for a blob that is no map.
    """
    made = cut(net, [blob])
    shape = made.shapes()[blob]
    if len(shape) != 4:
        raise ShapeError(
            f"blob '{blob}' ({', '.join(map(str, shape))}) is no map",
            source=net.source,
            expected="a blob (N, channels, h, w)",
            fix="a blob before the InnerProduct layers",
        )
    for value, known, what in ((normalize, NORMALIZE, "normalize"), (sort or "max", ("max",), "sort")):
        if value not in known:
            raise NetsurgeryError(f"{what} is {value}", expected=" or ".join(known))
    channels, height, width = input_shape(made)
    pixels = read_image(image) if isinstance(image, str) else image
    x = preprocess(pixels, channels, size or (height, width), preprocessing, whole=size is not None)[None]
    made.shapes({image_input(made): x.shape})  # raises for a size that the net does not take
    maps = open_model(made, [blob], free=size is not None, keep=keep).run(x)[0][0]
    order = np.arange(len(maps))
    if sort == "max":
        order = np.argsort(-np.nan_to_num(maps, nan=-np.inf).reshape(len(maps), -1).max(axis=1), kind="stable")
    picture = _grid(maps[order], normalize, times, columns, symmetric=False)
    if not caption:
        return picture
    finite = maps[np.isfinite(maps)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return captioned(picture, [f"{blob} {_times(maps.shape)}", f"{shown(low)} to {shown(high)}"])


def _grid(tiles: NDArray[Any], normalize: str, times: int | None, columns: int | None, *, symmetric: bool) -> Picture:
    """Tiles (n, h, w) or (n, h, w, 3) as a grid of one brightness for all, or one for each."""
    factor = enlarged_to(max(tiles.shape[1:3]), times, len(tiles))
    gap = max(1, min(factor, 4))
    require_room(len(tiles), tiles.shape[1] * factor, tiles.shape[2] * factor, columns, gap)
    ranges = [_range(tile, symmetric) for tile in (tiles if normalize == "each" else [tiles])]
    ranges = ranges * (len(tiles) if normalize == "all" else 1)
    pictures = [enlarge(to_bytes(unit(tile, *range)), factor) for tile, range in zip(tiles, ranges, strict=True)]
    return as_color(grid(pictures, columns, gap))


def _range(values: NDArray[Any], symmetric: bool) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    most = max(abs(low), abs(high))
    return (-most, most) if symmetric else (low, high)


def _times(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))
