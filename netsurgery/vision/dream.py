"""DeepDream: a photo in which a net sees more of what it sees.

photo ──zoom──> octave n ──> .. ──> octave 1             the smallest first; what was added to one is carried to the next
octave + detail ──> .. ──> blob      climb (|blob|^2) / 2, or what the blob of a guide image says

Source: Mordvintsev, Olah, Tyka, Inceptionism: Going Deeper into Neural Networks (2015); the google/deepdream notebook
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError
from ..files.images import read_image
from ..formats.preprocessing import Preprocessing
from ..layers.core.dims import numbers
from ..net import Net
from ..options import Number, option, whole
from ..passes.cut import cut
from .ascent import Array, even, moved_slope, picture_of, pixel_range, require_least, slope_of
from .gradient import require_torch
from .model import image_input, input_shape, require_map
from .picture import Picture
from .preprocess import preprocess
from .resize import sample


@dataclass(frozen=True, eq=False)
class Dream:
    """The image (h, w, 3) of uint8, and its input blob (C, h, w); what was climbed, on the photo and on the dream; the sizes of the
    octaves, the smallest first."""

    image: Picture
    blob: Array
    start: float
    value: float
    octaves: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Octaves:
    """How a photo is dreamt on: see `dream`."""

    octaves: int = option(4, whole(1), "octaves", "At how many sizes, the smallest first.")
    octave_scale: float = option(
        1.4, Number("a number"), "octave-scale", "How many times larger each is than the one before."
    )
    steps: int = option(10, whole(1), "steps", "Steps of gradient ascent at each size.")
    rate: float = option(0.6, Number("a number"), "rate", "The size of a step, in per cent of the range of pixels.")
    jitter: int = option(32, whole(0), "jitter", "By how many pixels the image is moved at random in each step.")

    def __post_init__(self) -> None:
        require_least(octaves=(self.octaves, 1), steps=(self.steps, 1), jitter=(self.jitter, 0))
        if not (self.rate > 0 and self.octave_scale > 1):
            raise NetsurgeryError(
                f"rate {self.rate:g}, octave_scale {self.octave_scale:g}",
                expected="a positive rate, an octave_scale greater than 1",
            )


def dream(
    net: Net,
    image: NDArray[Any] | str,
    blob: str,
    *,
    guide: NDArray[Any] | str | None = None,
    octaves: int = 4,
    octave_scale: float = 1.4,
    steps: int = 10,
    rate: float = 0.6,
    jitter: int = 32,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
    report: Callable[[int, float], None] = lambda step, value: None,
) -> Dream:
    """The image, a path or RGB (H, W, 3), after `steps` steps at each of `octaves` sizes, each `octave_scale` times the one before:

        x <- x + rate * range / 100 * g / mean |g|,    g = d objective / d x

    moved by up to `jitter` pixels before each step and back behind it, and kept to colours that there are (`range`: that of the blob's
    values). The objective is |B|^2 / 2 for a map B = `blob`; with a `guide` image, whose map is G, it is at each position p the product
    of B(p) with that G(q) for which it is greatest. Needs PyTorch (extra `torch`), and a net whose layers up to `blob` take any size.

    Raises: NetsurgeryError without PyTorch; ShapeError for a blob that is no map, or a photo too small for the octaves;
    UnsupportedLayersError for layers of unknown gradient.
    """
    require_torch("dream")
    how = Octaves(octaves, octave_scale, steps, rate, jitter)
    done = preprocessing or Preprocessing()
    part = cut(net, [blob])
    photo = _input(part, image, done)
    bases = _octaves(part, blob, photo, how)
    objective = _objective(None if guide is None else _features(part, blob, _input(part, guide, done)))
    rng = np.random.default_rng(seed)
    detail, start, count = np.zeros_like(bases[-1]), 0.0, 0
    for base in reversed(bases):
        size = base.shape[1], base.shape[2]
        detail = zoom(detail, size)
        slope = slope_of(part, blob, base.shape, objective)
        _, low, high = pixel_range(len(base), size, done)
        span = float((high - low).mean())
        x = base + detail
        for _ in range(how.steps):
            value, direction = moved_slope(slope, x, how.jitter, rng)
            x = np.clip(x + np.float32(how.rate * span / 100) * even(direction), low, high)
            count += 1
            report(count, value)
        detail = x - base
        start = slope(base)[0]
    return Dream(picture_of(x, done), x, start, slope(x)[0], tuple((b.shape[1], b.shape[2]) for b in reversed(bases)))


def _input(net: Net, image: NDArray[Any] | str, done: Preprocessing) -> Array:
    """The whole image at its own size, as the net's input (C, H, W)."""
    pixels = read_image(image) if isinstance(image, str) else image
    return preprocess(pixels, input_shape(net)[0], None, done)


def _octaves(net: Net, blob: str, photo: Array, how: Octaves) -> list[Array]:
    """The photo, and smaller ones. Raises: ShapeError unless the blob is a map of every one."""
    require_map(net, blob)
    octaves = [photo]
    for _ in range(how.octaves - 1):
        last = octaves[-1]
        size = round(last.shape[1] / how.octave_scale), round(last.shape[2] / how.octave_scale)
        if min(size) < 1:
            break
        octaves.append(zoom(last, size))
    for base in octaves:
        try:
            fits = len(octaves) == how.octaves and min(numbers(net.shapes({image_input(net): (1, *base.shape)})[blob]))
        except ShapeError:
            fits = 0
        if not fits:
            raise ShapeError(
                f"a photo of {photo.shape[1]}x{photo.shape[2]} makes an octave of {base.shape[1]}x{base.shape[2]}, on which"
                f" '{blob}' is no map",
                source=net.source,
                expected="a larger photo, or fewer octaves",
                fix="--octaves 1, or a blob before layers that want one size",
            )
    return octaves


def zoom(x: Array, size: tuple[int, int]) -> Array:
    """x at another size, the middles of its outermost pixels staying the outermost: as scipy.ndimage.zoom at order 1.

    Shapes: (C, H, W) -> (C, *size)."""
    rows, columns = (
        np.linspace(0, old - 1, new) if new > 1 else np.zeros(1) for old, new in zip(x.shape[1:], size, strict=True)
    )
    return np.ascontiguousarray(sample(x.transpose(1, 2, 0), rows, columns).transpose(2, 0, 1))


def _features(net: Net, blob: str, x: Array) -> NDArray[np.float32]:
    """The guide's map as (channels, positions)."""
    torch = require_torch("dream")
    from ..exporters.torch.module import TorchNet

    with torch.no_grad():
        values = TorchNet(net, blob, (1, *x.shape))(torch.from_numpy(x[None]))[0].numpy()
    return np.asarray(values.reshape(len(values), -1), np.float32)


def _objective(guide: Array | None) -> Callable[[Any], Any]:
    """|top|^2 / 2, or what the guide's map says of it."""
    if guide is None:
        return lambda top: (top.double() ** 2).sum() / 2
    goal = require_torch("dream").from_numpy(guide)

    def likeness(top: Any) -> Any:
        flat = top.reshape(len(top), -1)
        best = (flat.detach().T @ goal).argmax(dim=1)
        return (flat * goal[:, best]).double().sum()

    return likeness
