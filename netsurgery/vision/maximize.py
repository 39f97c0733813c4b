"""The image that excites a unit most, found by climbing its gradient from noise.

Source: Erhan, Bengio, Courville, Vincent, Visualizing Higher-Layer Features of a Deep Network (2009); L2 decay and blur as in Yosinski,
Clune, Nguyen, Fuchs, Lipson, Understanding Neural Networks Through Deep Visualization (2015)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError
from ..formats.preprocessing import Preprocessing
from ..net import Net
from ..passes.cut import cut
from .gradient import before_softmax, require_torch
from .model import image_input, input_shape
from .patches import Unit, find_unit
from .picture import Picture, as_color, to_bytes
from .places import smoothed
from .preprocess import deprocess, preprocess


@dataclass(frozen=True, eq=False)
class Maximum:
    """The image (h, w, 3) of uint8, what the unit gives on it, on the noise at the start, and the input blob (C, h, w) itself."""

    unit: Unit
    image: Picture
    value: float
    start: float
    blob: NDArray[np.float32]


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
    size: tuple[int, int] | None = None,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
    report: Callable[[int, float], None] = lambda step, value: None,
) -> Maximum:
    """The image on which a unit ("fc8:3") gives much: from faint noise around gray, `steps` times

        x <- (1 - decay) (x + rate * range / 100 * g / mean |g|),  g = d unit / d x

    with x what is added to the input blob of even gray, `range` that of the blob's values, the image moved by up to `jitter` pixels
    before each step and back behind it, blurred by a Gaussian of sigma `blur` every `blur_every` steps, and kept to colours that there
    are. Of a map the position in the middle is the unit. A Softmax is left out: its bottom is climbed, as raising one class by lowering
    the others shows nothing.

    Needs PyTorch (extra `torch`), which computes the gradients.

    Raises: NetsurgeryError without it, or for a unit that there is not; UnsupportedLayersError for layers of unknown gradient.
    """
    torch = require_torch("maximize")
    from ..exporters.torch.module import TorchNet

    for number, least, what in ((steps, 1, "steps"), (jitter, 0, "jitter"), (blur_every, 1, "blur_every")):
        if number < least:
            raise NetsurgeryError(f"{what} is {number}", expected=f"{least} or more")
    if not (rate > 0 and 0 <= decay < 1 and blur >= 0):
        raise NetsurgeryError(
            f"rate {rate:g}, decay {decay:g}, blur {blur:g}",
            expected="a positive rate, a decay from 0 to 1, a blur of 0 or more",
        )
    found = find_unit(net, unit, labels)
    climbed = before_softmax(net, found.blob)
    made = cut(net, [climbed])
    channels, height, width = input_shape(made)
    h, w = size or (height, width)
    shape = (1, channels, h, w)
    made.shapes({image_input(made): shape})  # raises for a size that the net does not take
    run = TorchNet(made, climbed, shape)
    done = preprocessing or Preprocessing()
    gray, low, high = (_even(value, channels, (h, w), done) for value in (0.5, 0.0, 1.0))
    low, high = np.minimum(low, high), np.maximum(low, high)
    span = float((high - low).mean())
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.01 * span, shape[1:]).astype(np.float32)

    def gradient(image: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        leaf = torch.from_numpy(np.ascontiguousarray(image[None], np.float32)).requires_grad_(True)
        value = _middle(run(leaf)[0, found.channel])
        (slope,) = torch.autograd.grad(value, leaf)
        return float(value.detach()), slope[0].numpy()

    start = gradient(gray + x)[0]
    for step in range(steps):
        moved = tuple(int(n) for n in rng.integers(-jitter, jitter + 1, 2)) if jitter else (0, 0)
        value, slope = gradient(np.roll(gray + x, moved, axis=(1, 2)))
        slope = np.roll(slope, (-moved[0], -moved[1]), axis=(1, 2))
        x = x + np.float32(rate * span / 100) * slope / (np.abs(slope).mean() + np.float32(1e-12))
        x *= np.float32(1 - decay)
        if blur and (step + 1) % blur_every == 0 and step + 1 < steps:
            x = np.stack([smoothed(plane, blur) for plane in x])
        x = np.clip(gray + x, low, high) - gray
        report(step + 1, value)
    blob = (gray + x).astype(np.float32)
    picture = as_color(to_bytes(deprocess(blob, done)))
    return Maximum(found, picture, gradient(blob)[0], start, blob)


def _even(value: float, channels: int, size: tuple[int, int], done: Preprocessing) -> NDArray[np.float32]:
    if done.frame is None or min(a - b for a, b in zip(done.frame, size, strict=True)) < 0:
        return preprocess(np.full((*size, channels), value, np.float32), channels, size, done, whole=True)
    return preprocess(np.full((*done.frame, channels), value, np.float32), channels, size, replace(done, resize=None))


def _middle(values: Any) -> Any:
    for _ in range(values.dim()):
        values = values[values.shape[0] // 2]
    return values
