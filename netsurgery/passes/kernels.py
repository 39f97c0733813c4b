"""Kernels by hand, as weights of a Convolution.

    net = net.with_weights("conv", *kernels.fit(net, "conv", kernels.gaussian(), kernels.sobel("y"), kernels.sobel("x")))

Each function gives (1, 1, size, size) of float32, in the orientation in which Caffe applies weights: y[i, j] = sum of
w[a, b] x[i + a, j + b]. A layer of one input and one output channel without a bias takes it as it is: net.with_weights("conv", sobel()).

Source: Caffe's net surgery tutorial (Designer Filters), examples/net_surgery.ipynb
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError
from ..layers.core.dims import numbers
from ..net import Net

Kernel = NDArray[np.float32]

LARGEST = 1001
"""Rows and columns of a kernel: no net has larger ones, and a slip of a digit should not take hours."""


def sobel(direction: str = "x", size: int = 3) -> Kernel:
    """A derivative along "x" (columns) or "y" (rows), smoothed across: (-1, 0, 1) by (1, 2, 1); larger sizes are those convolved with
    (1, 2, 1). Positive where brightness grows to the right, or downwards."""
    _odd(size)
    smooth = np.array([1.0, 2.0, 1.0])
    across, along = smooth, np.array([-1.0, 0.0, 1.0])
    for _ in range((size - 3) // 2):
        across, along = np.convolve(across, smooth), np.convolve(along, smooth)
    return _turned(np.outer(across, along), direction)


def prewitt(direction: str = "x", size: int = 3) -> Kernel:
    """A derivative along "x" or "y", averaged across: (-1, 0, 1) by (1, 1, 1); at larger sizes (.., -2, -1, 0, 1, 2, ..) by ones."""
    _odd(size)
    half = size // 2
    return _turned(np.outer(np.ones(size), np.arange(-half, half + 1)), direction)


def laplacian(diagonal: bool = False) -> Kernel:
    """The sum of the second derivatives: the four neighbours (with `diagonal` all eight) less the middle as many times."""
    cross = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    return _blob(np.array([[1, 1, 1], [1, -8, 1], [1, 1, 1]] if diagonal else cross))


def gaussian(size: int = 5, sigma: float = 1.0) -> Kernel:
    """exp(-(x^2 + y^2) / (2 sigma^2)), scaled so that its sum is 1."""
    x, y = _places(size)
    g = np.exp(-(x**2 + y**2) / (2 * _positive(sigma, "sigma") ** 2))
    return _blob(g / g.sum())


def emboss(angle: float = 45.0) -> Kernel:
    """The image lit from `angle` degrees (0: from the right, 90: from above): 1 in the middle plus sqrt(2) (x cos angle - y sin angle), y
    growing downwards; at 45 degrees ((0, 1, 2), (-1, 1, 1), (-2, -1, 0))."""
    x, y = _places(3)
    light = math.radians(angle)
    kernel = math.sqrt(2) * (x * math.cos(light) - y * math.sin(light))
    kernel[1, 1] = 1
    return _blob(kernel)


def gabor(
    size: int = 11,
    wavelength: float = 5.0,
    angle: float = 0.0,
    sigma: float = 2.5,
    aspect: float = 1.0,
    phase: float = 0.0,
) -> Kernel:
    """A wave under a Gaussian: exp(-(u^2 + aspect^2 v^2) / (2 sigma^2)) cos(2 pi u / wavelength + phase), u = x cos + y sin and
    v = y cos - x sin of `angle` in degrees; `phase` in radians. Its mean is taken off, so that it gives 0 on an even image."""
    x, y = _places(size)
    turn = math.radians(angle)
    u, v = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    envelope = np.exp(-(u**2 + (aspect * v) ** 2) / (2 * _positive(sigma, "sigma") ** 2))
    wave = envelope * np.cos(2 * math.pi * u / _positive(wavelength, "wavelength") + phase)
    return _blob(wave - envelope * (wave.sum() / envelope.sum()))


def identity(size: int = 3) -> Kernel:
    """1 in the middle: the image as it is."""
    _odd(size)
    kernel = np.zeros((size, size))
    kernel[size // 2, size // 2] = 1
    return _blob(kernel)


def fit(net: Net, layer: str, *kernels: NDArray[Any]) -> tuple[Kernel, ...]:
    """Blobs for a Convolution of the net: kernel i for its output channel i, in the middle of the layer's kernel, each input channel
    getting its share (1 / channels), so that gray images give what one channel would; other outputs and the bias are 0.

    A kernel may also be (channels, h, w), used as it is.

    Shapes: kernels (h, w), (1, 1, h, w) or (channels, h, w) -> (num_output, channels, H, W) and, with a bias, (num_output).
    Raises: ShapeError for more kernels than outputs, or larger ones; NetsurgeryError for a layer that is no Convolution.
    """
    target = net[layer]
    blob_shapes = [numbers(shape) for shape in target.blob_shapes(net.shapes()) or ()]
    if not blob_shapes or len(blob_shapes[0]) != 4:
        raise NetsurgeryError("has no kernels", layer=target, expected="a Convolution")
    weight = np.zeros(blob_shapes[0], np.float32)
    if len(kernels) > len(weight):
        raise ShapeError(f"{len(kernels)} kernels", layer=target, expected=f"at most {len(weight)}: num_output")
    for place, kernel in zip(weight, kernels, strict=False):
        k = np.asarray(kernel, np.float32)
        k = k[0] if k.ndim == 4 and len(k) == 1 else k
        k = (
            np.broadcast_to(k / np.float32(len(place)), (len(place), *k.shape[-2:]))
            if k.ndim == 2 or len(k) == 1
            else k
        )
        if k.ndim != 3 or len(k) != len(place) or any(a > b for a, b in zip(k.shape[1:], place.shape[1:], strict=True)):
            raise ShapeError(
                f"a kernel of shape {np.shape(kernel)}",
                layer=target,
                expected=f"at most {place.shape[1]}x{place.shape[2]}, of 1 or {len(place)} channels",
            )
        top, left = (a - b for a, b in zip(place.shape[1:], k.shape[1:], strict=True))
        place[:, top // 2 : top // 2 + k.shape[1], left // 2 : left // 2 + k.shape[2]] = k
    return (weight, *(np.zeros(shape, np.float32) for shape in blob_shapes[1:]))


DESIGNS: Mapping[str, tuple[Callable[..., Kernel], tuple[str, ...]]] = {
    "sobel-x": (partial(sobel, "x"), ("size",)),
    "sobel-y": (partial(sobel, "y"), ("size",)),
    "prewitt-x": (partial(prewitt, "x"), ("size",)),
    "prewitt-y": (partial(prewitt, "y"), ("size",)),
    "laplacian": (laplacian, ()),
    "laplacian-diagonal": (partial(laplacian, True), ()),
    "gaussian": (gaussian, ("size", "sigma")),
    "emboss": (emboss, ("angle",)),
    "gabor": (gabor, ("size", "wavelength", "angle", "sigma")),
    "identity": (identity, ("size",)),
}
"""Kernels by name, and the numbers that may follow it."""


def design(text: str) -> Kernel:
    """A kernel in words: a name and numbers, such as sobel-x, gaussian:5:1.2 (size, sigma) or gabor:11:5:45 (size, wavelength, angle).

    Raises: NetsurgeryError."""
    name, *values = text.strip().split(":")
    if name not in DESIGNS:
        near = get_close_matches(name, DESIGNS, n=1)
        raise NetsurgeryError(
            f"there is no kernel '{name}'",
            expected=", ".join(DESIGNS),
            fix=f"did you mean '{near[0]}'?" if near else "",
        )
    function, names = DESIGNS[name]
    try:
        numbers = [int(value) if key == "size" else float(value) for key, value in zip(names, values, strict=False)]
        legible = len(values) <= len(names) and all(math.isfinite(number) for number in numbers)
    except ValueError:
        legible = False
    if not legible:
        raise NetsurgeryError(f"the kernel '{text}'", expected=":".join([name, *(key.upper() for key in names)]))
    return function(**dict(zip(names, numbers, strict=False)))


def set_kernels(net: Net, layer: str, *designs: str) -> Net:
    """The net whose Convolution has these kernels, in words (see `design`), one for each output channel: see `fit`.

    Raises: as `design` and `fit`."""
    return net.with_weights(layer, *fit(net, layer, *map(design, designs)))


def _blob(kernel: NDArray[Any]) -> Kernel:
    return np.ascontiguousarray(kernel, np.float32)[None, None]


def _turned(kernel: NDArray[Any], direction: str) -> Kernel:
    if direction not in ("x", "y"):
        raise NetsurgeryError(f"direction {direction!r}", expected="x (along the columns) or y (along the rows)")
    return _blob(kernel if direction == "x" else kernel.T)


def _places(size: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """x to the right and y downwards from the middle."""
    if not 1 <= size <= LARGEST:
        raise NetsurgeryError(f"a kernel of size {size}", expected=f"a positive number, at most {LARGEST}")
    along = np.arange(size) - (size - 1) / 2
    return along[None, :] * np.ones((size, 1)), along[:, None] * np.ones((1, size))


def _odd(size: int) -> None:
    if not 3 <= size <= LARGEST or size % 2 == 0:
        raise NetsurgeryError(f"a kernel of size {size}", expected=f"an odd number, 3 to {LARGEST}")


def _positive(value: float, what: str) -> float:
    if not value > 0:
        raise NetsurgeryError(f"{what} {value:g}", expected="a positive number")
    return value
