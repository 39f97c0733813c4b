"""The image that excites a unit most, found by climbing its gradient from noise.

Source: Erhan, Bengio, Courville, Vincent, Visualizing Higher-Layer Features of a Deep Network (2009), where the image's norm is held;
L2 decay and blur as in Yosinski, Clune, Nguyen, Fuchs, Lipson, Understanding Neural Networks Through Deep Visualization (2015); total
variation as in Mahendran, Vedaldi, Understanding Deep Image Representations by Inverting Them (2015)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import NetsurgeryError, ShapeError
from ..formats.preprocessing import Preprocessing
from ..layers.core.dims import numbers
from ..net import Net
from ..options import Kind, Number, option, whole, whole_number
from ..passes.cut import cut
from .ascent import Array, Slope, even, moved_slope, picture_of, pixel_range, require_least, slope_of, total_variation
from .gradient import before_softmax, require_torch
from .model import image_input, input_shape
from .patches import Unit, find_unit
from .picture import Picture
from .places import smoothed

GRAY_LEVEL = 1 / 255
"""The step between two pixels, as a share of their range, below which total variation hardly counts it."""


@dataclass(frozen=True, eq=False)
class Maximum:
    """The image (h, w, 3) of uint8, what the unit gives on it, on the noise at the start, and the input blob (C, h, w) itself."""

    unit: Unit
    image: Picture
    value: float
    start: float
    blob: Array


@dataclass(frozen=True)
class Ascent:
    """How an image is climbed to: see `maximize`."""

    steps: int = option(200, whole(1), "steps", "Steps of gradient ascent.")
    rate: float = option(2.0, Number("a number"), "rate", "The size of a step, in per cent of the range of pixels.")
    decay: float = option(
        0.01, Number("a number"), "decay", "L2 decay: the share of the image that is lost in each step."
    )
    jitter: int = option(4, whole(0), "jitter", "By how many pixels the image is moved at random in each step.")
    blur: float = option(0.5, Number("a number", "SIGMA"), "blur", "The Gaussian by which the image is blurred.")
    blur_every: int = option(4, whole(1), "blur-every", "After how many steps it is.")
    variation: float = option(
        0.0, Number("a number"), "total-variation", "How much total variation is held down, 0 to about 1."
    )
    norm: float | None = option(
        None,
        Number("a number"),
        "norm",
        "Hold the image's distance from gray: root mean square, in per cent of the range of pixels.",
    )
    at: str = option(
        "middle",
        Kind(metavar="middle|everywhere|I,J"),
        "at",
        "Which position of a map: a neuron, or all of them.",
    )

    def __post_init__(self) -> None:
        require_least(steps=(self.steps, 1), jitter=(self.jitter, 0), blur_every=(self.blur_every, 1))
        if not (self.rate > 0 and 0 <= self.decay < 1 and self.blur >= 0):
            raise NetsurgeryError(
                f"rate {self.rate:g}, decay {self.decay:g}, blur {self.blur:g}",
                expected="a positive rate, a decay from 0 to 1, a blur of 0 or more",
            )
        if not self.variation >= 0 or not (self.norm is None or self.norm > 0):
            raise NetsurgeryError(
                f"variation {self.variation:g}, norm {self.norm}", expected="a variation of 0 or more, a positive norm"
            )


def maximize(
    net: Net,
    unit: str,
    *,
    labels: Sequence[str] = (),
    steps: int = 200,
    rate: float = 2.0,
    decay: float = 0.01,
    jitter: int = 4,
    blur: float = 0.5,
    blur_every: int = 4,
    variation: float = 0.0,
    norm: float | None = None,
    at: str = "middle",
    size: tuple[int, int] | None = None,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
    report: Callable[[int, float], None] = lambda step, value: None,
) -> Maximum:
    """The image on which a unit ("fc8:3") gives much: from faint noise around gray, `steps` times

        x <- (1 - decay) (x + rate * range / 100 * (g / mean |g| - variation * t)),  g = d unit / d x,  t = d TV / d x

    with x what is added to the input blob of even gray, `range` that of the blob's values, TV the total variation of the image, the
    image moved by up to `jitter` pixels before each step and back behind it, blurred by a Gaussian of sigma `blur` every `blur_every`
    steps, with `norm` scaled to that root mean square (in per cent of `range`), and kept to colours that there are.

    Of a map the unit is the position `at` "middle", at "I,J", or "everywhere": the mean of all. A Softmax is left out: its bottom is
    climbed, as raising one class by lowering the others shows nothing.

    Needs PyTorch (extra `torch`), which computes the gradients.

    Raises: NetsurgeryError without it, or for a unit that there is not; UnsupportedLayersError for layers of unknown gradient.
    """
    require_torch("maximize")
    how = Ascent(steps, rate, decay, jitter, blur, blur_every, variation, norm, at)
    target = find_unit(net, unit, labels)
    climbed = before_softmax(net, target.blob)
    part = cut(net, [climbed])
    channels, height, width = input_shape(part)
    h, w = size or (height, width)
    shape = (channels, h, w)
    top = part.shapes({image_input(part): (1, *shape)})[climbed]  # raises for a size that the net does not take
    place = _place(at, numbers(top)[2:], climbed)
    done = preprocessing or Preprocessing()
    gray, low, high = pixel_range(channels, (h, w), done)
    rng = np.random.default_rng(seed)
    slope = slope_of(
        part, climbed, shape, lambda top: top[target.channel].mean() if place is None else top[target.channel][place]
    )
    x = rng.normal(0, 0.01 * float((high - low).mean()), shape).astype(np.float32)
    start = slope(gray + x)[0]
    x = _climb(how, slope, x, (gray, low, high), rng, report)
    blob = (gray + x).astype(np.float32)
    return Maximum(target, picture_of(blob, done), slope(blob)[0], start, blob)


def _climb(
    how: Ascent,
    slope: Slope,
    x: Array,
    pixels: tuple[Array, Array, Array],
    rng: np.random.Generator,
    report: Callable[[int, float], None],
) -> Array:
    gray, low, high = pixels
    span = float((high - low).mean())
    for step in range(how.steps):
        value, direction = moved_slope(slope, gray + x, how.jitter, rng)
        direction = even(direction)
        if how.variation:
            direction = direction - np.float32(how.variation) * total_variation(x, GRAY_LEVEL * span)[1]
        x = x + np.float32(how.rate * span / 100) * direction
        x *= np.float32(1 - how.decay)
        if how.blur and (step + 1) % how.blur_every == 0 and step + 1 < how.steps:
            x = np.stack([smoothed(plane, how.blur) for plane in x])
        if how.norm is not None:
            x *= np.float32(how.norm * span / 100 / (np.sqrt(np.square(x, dtype=np.float64).mean()) + 1e-12))
        x = np.clip(gray + x, low, high) - gray
        report(step + 1, value)
    return x


def _place(at: str, sizes: Sequence[int], blob: str) -> tuple[int, ...] | None:
    """The position of a unit; None for all of them. Raises: NetsurgeryError, ShapeError."""
    if at == "everywhere":
        return None
    if at == "middle":
        return tuple(n // 2 for n in sizes)
    parts = at.split(",")
    numbers = [whole_number(part) for part in parts]
    if None in numbers:
        raise NetsurgeryError(f"at '{at}'", expected="middle, everywhere, or a position: I,J")
    place = tuple(n for n in numbers if n is not None)
    if len(place) != len(sizes) or any(a >= b for a, b in zip(place, sizes, strict=True)):
        raise ShapeError(
            f"the position {at} of blob '{blob}'",
            expected=f"row and column below {' and '.join(map(str, sizes))}" if sizes else "middle: it is no map",
        )
    return place
