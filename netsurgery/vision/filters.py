"""The kernels of a convolution, and the maps that a net makes of an image, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError, WeightsError
from ..files.images import read_image
from ..files.mapped import require_unchanged
from ..formats.preprocessing import Preprocessing
from ..net import Layer, Net
from ..passes.cut import cut
from ..shown import size_text
from .model import image_input, input_shape, open_model, require_map
from .overlay import range_of
from .picture import Picture, as_color, enlarge, enlarged_to, grid, require_room, to_bytes, unit
from .preprocess import preprocess

NORMALIZE = ("all", "each")


@dataclass(frozen=True, eq=False)
class Tiles:
    """Arrays (n, h, w) or (n, h, w, 3) to be shown side by side: the number of each, how many in a row, one range of brightness for all
    or one for each, around 0 if `symmetric`."""

    values: NDArray[Any]
    numbers: NDArray[np.intp]
    normalize: str
    times: int | None
    columns: int | None
    symmetric: bool
    title: str
    unit: str
    rows: NDArray[np.intp] | None = None
    """The number of each row, if the tiles of a row belong together."""

    def factor(self) -> int:
        return enlarged_to(max(self.values.shape[1:3]), self.times, len(self.values))

    def gap(self) -> int:
        return max(1, min(self.factor(), 4))

    def range(self, values: NDArray[Any]) -> tuple[float, float]:
        low, high = range_of(values)
        most = max(abs(low), abs(high))
        return (-most, most) if self.symmetric else (low, high)

    def picture(self) -> Picture:
        """The tiles alone. Raises: NetsurgeryError if the picture would be too large."""
        factor, gap, count = self.factor(), self.gap(), len(self.values)
        require_room(count, self.values.shape[1] * factor, self.values.shape[2] * factor, self.columns, gap)
        whole = self.range(self.values)
        ranges = [self.range(tile) for tile in self.values] if self.normalize == "each" else [whole] * count
        tiles = [enlarge(to_bytes(unit(t, *range)), factor) for t, range in zip(self.values, ranges, strict=True)]
        return as_color(grid(tiles, self.columns, gap))


def filters(
    net: Net,
    layer: str | None = None,
    **options: Any,
) -> Picture:
    """The grid of a layer's kernels (None: the first Convolution): weight w as gray 1/2 + w / (2 m), so that 0 is the middle, m being
    the greatest |w| of all kernels ("all") or of each tile ("each").

    Kernels of three channels are in color, their channels taken as `channel_order`. Others have one tile for each input channel, a row
    for each kernel, or (`channels` "mean") one of the mean over them. `sort` "norm" puts those of greatest L2 norm first. Every weight
    is a square of `times` pixels (None: to fill about 1000). `options` are those of `filter_tiles`.

    Shapes: (rows, columns, 3), uint8.
    Raises: NetsurgeryError for a layer without kernels or a picture that would be too large; WeightsError without weights.
    """
    return filter_tiles(net, layer, **options).picture()


def filter_tiles(
    net: Net,
    layer: str | None = None,
    normalize: str = "all",
    channel_order: str = "bgr",
    channels: str = "each",
    sort: str | None = None,
    times: int | None = None,
    columns: int | None = None,
) -> Tiles:
    """What `filters` shows. Raises: as it does."""
    convolution = find_layer(net, layer)
    kernels = _kernels(convolution)
    _require(
        normalize=(normalize, NORMALIZE),
        channels=(channels, ("each", "mean")),
        sort=(sort or "norm", ("norm",)),
        channel_order=(channel_order, ("bgr", "rgb")),
    )
    order = np.arange(len(kernels))
    if sort == "norm":
        norms = np.sqrt((kernels.reshape(len(kernels), -1).astype(np.float64) ** 2).sum(axis=1))
        order = np.argsort(-norms, kind="stable")
    title = f"{convolution.name}: {size_text(kernels.shape)}"
    kernels, numbers, rows = kernels[order], order, None
    if kernels.shape[1] == 3 and channels == "each":
        tiles = kernels.transpose(0, 2, 3, 1)
        tiles = tiles[:, :, :, ::-1] if channel_order == "bgr" else tiles
        title += ", in color"
    elif channels == "mean":
        tiles = kernels.mean(axis=1)
        title += ", mean over channels"
    else:
        tiles = kernels.reshape(-1, *kernels.shape[2:])
        if kernels.shape[1] > 1 and columns in (None, kernels.shape[1]):
            columns, rows = kernels.shape[1], order
        numbers = np.tile(np.arange(kernels.shape[1]), len(order)) if kernels.shape[1] > 1 else order
    return Tiles(tiles, numbers, normalize, times, columns, True, title, "weight", rows)


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
    require_unchanged(layer.weights)
    if not layer.weights:
        raise WeightsError("has no weights", layer=layer, fix="give the caffemodel")
    weight = layer.weights[0]
    if weight.ndim != 4:
        raise ShapeError(
            f"its weights ({size_text(weight.shape)}) are no kernels",
            layer=layer,
            expected="(kernels, channels, h, w): a Convolution or Deconvolution",
        )
    return np.asarray(weight, np.float32)


def activations(
    net: Net,
    image: NDArray[Any] | str,
    blob: str,
    **options: Any,
) -> Picture:
    """The maps that the net makes of an image, one tile for each channel: gray from the least value, black, to the greatest, white, of
    all maps or of each. `sort` "max" puts those of the greatest value first. The image, a path or RGB (H, W, 3), is warped to the net's
    input, or to `size` (h, w). `options` are those of `activation_tiles`.

    Raises: NetsurgeryError, ShapeError for a blob that is no map.
    """
    return activation_tiles(net, image, blob, **options).picture()


def activation_tiles(
    net: Net,
    image: NDArray[Any] | str,
    blob: str,
    normalize: str = "all",
    sort: str | None = None,
    times: int | None = None,
    columns: int | None = None,
    size: tuple[int, int] | None = None,
    preprocessing: Preprocessing | None = None,
    keep: bool = False,
) -> Tiles:
    """What `activations` shows. Raises: as it does."""
    part = cut(net, [blob])
    require_map(part, blob)
    _require(normalize=(normalize, NORMALIZE), sort=(sort or "max", ("max",)))
    channels, height, width = input_shape(part)
    pixels = read_image(image) if isinstance(image, str) else image
    x = preprocess(pixels, channels, size or (height, width), preprocessing, whole=size is not None)[None]
    part.shapes({image_input(part): x.shape})  # raises for a size that the net does not take
    maps = open_model(part, [blob], free=size is not None, keep=keep).run(x)[0][0]
    order = np.arange(len(maps))
    if sort == "max":
        order = np.argsort(-np.nan_to_num(maps, nan=-np.inf).reshape(len(maps), -1).max(axis=1), kind="stable")
    title = f"{blob}: {size_text(maps.shape)}" + (", greatest first" if sort else "")
    return Tiles(maps[order], order, normalize, times, columns, False, title, blob)


def _require(**choices: tuple[str, Sequence[str]]) -> None:
    """Raises: NetsurgeryError for an option, by name, that is none of its choices."""
    for what, (value, names) in choices.items():
        if value not in names:
            raise NetsurgeryError(f"{what} is {value}", expected=" or ".join(names))
