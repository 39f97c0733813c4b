"""Which pixels of an image, and which places of a blob, speak for a class.

gradient     |dS / dx|, the greatest of the channels             Simonyan, Vedaldi, Zisserman, Deep Inside Convolutional Networks (2013)
smooth       the same, mean over images with noise               Smilkov et al., SmoothGrad (2017)
guided       only what raises S through every ReLU goes down     Springenberg et al., Striving for Simplicity (2014)
integrated   (x - x0) * mean of dS / dx on the way from x0 to x  Sundararajan, Taly, Yan, Axiomatic Attribution (2017)
gradcam      max(0, sum_c mean(dS / dA_c) A_c)                   Selvaraju et al., Grad-CAM (2016)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError
from ..files.images import read_image
from ..formats.preprocessing import Preprocessing
from ..net import Net
from ..passes.cut import cut
from .gradient import before_softmax, no_gradient, require_torch
from .labels import find_channel, name_of
from .model import image_input, input_shape
from .patches import Unit, labels_of
from .preprocess import preprocess

Array = NDArray[np.float32]
METHODS = ("gradient", "smooth", "guided", "integrated")
SAMPLES = {"gradient": 1, "smooth": 25, "guided": 1, "integrated": 32}
"""Gradients that each method takes the mean of, unless it is told."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """A map (h, w) over the input (saliency) or over `blob` (Grad-CAM), for `unit`, which gave `score`; `image` is what was looked at,
    and `gradient` what the map was made of, in the blob's shape."""

    unit: Unit
    label: str
    score: float
    map: Array
    blob: str
    image: NDArray[np.uint8]
    gradient: Array


def saliency(
    net: Net,
    image: NDArray[Any] | str,
    unit: str | None = None,
    *,
    method: str = "gradient",
    labels: Sequence[str] = (),
    samples: int | None = None,
    noise: float = 0.15,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
) -> Evidence:
    """How much each pixel of an image matters for a class: `unit` is BLOB:CHANNEL, a channel of the net's output by number or label,
    or None for its best class. A Softmax is left out: the score is its bottom's.

    samples: gradients that `smooth` and `integrated` take the mean of. noise: the standard deviation of smooth's, as a share of the
    blob's range. integrated begins at a blob of zeros, the mean image.

    Raises: NetsurgeryError without PyTorch, for another method, or a net whose input is no image; as `gradient`.
    """
    if method not in METHODS:
        raise NetsurgeryError(f"the method '{method}'", expected=f"one of: {', '.join(METHODS)}")
    count = SAMPLES[method] if samples is None else samples
    if count < 1:
        raise NetsurgeryError(f"{count} samples", expected="1 or more")
    pixels, x = _input(net, image, preprocessing)
    seen = _Seen(net, x, unit, labels)

    def slope(values: Array) -> Array:
        return seen.slope(values)[0]

    if method == "guided":
        grad = seen.guided(x)
    elif method == "smooth":
        rng = np.random.default_rng(seed)
        sigma = noise * float(x.max() - x.min())
        grad = _mean(lambda: slope(x + rng.normal(0, sigma, x.shape).astype(np.float32)), count)
    elif method == "integrated":
        # the middle of each of `count` steps from zeros to the image
        steps = iter((k + 0.5) / count for k in range(count))
        grad = x * _mean(lambda: slope(x * np.float32(next(steps))), count)
    else:
        grad = slope(x)
    values = np.abs(grad[0].sum(axis=0)) if method == "integrated" else np.abs(grad[0]).max(axis=0)
    return Evidence(seen.unit, seen.label, seen.score, values, image_input(net), pixels, grad)


def gradcam(
    net: Net,
    image: NDArray[Any] | str,
    unit: str | None = None,
    *,
    blob: str | None = None,
    labels: Sequence[str] = (),
    preprocessing: Preprocessing | None = None,
) -> Evidence:
    """Which places of a blob (None: the last map before the score) speak for a class: channels A_c weighed by how much the score S
    rises with them, max(0, sum_c mean(dS / dA_c) A_c). `unit` as for `saliency`.

    Raises: NetsurgeryError without PyTorch, or for a net without maps; ShapeError for a blob that is none; as `gradient`.
    """
    pixels, x = _input(net, image, preprocessing)
    target = blob or _last_map(net, _asked(net, unit)[0])
    shape = cut(net, [target]).shapes({image_input(net): x.shape})[target]
    if len(shape) != 4:
        raise ShapeError(f"blob '{target}' has {len(shape)} axes", source=net.source, expected="a map (N, C, h, w)")
    seen = _Seen(net, x, unit, labels, target)
    grad, values = seen.slope(x, target)
    weights = grad[0].mean(axis=(1, 2))
    cam = np.maximum((weights[:, None, None] * values[0]).sum(axis=0), 0).astype(np.float32)
    return Evidence(seen.unit, seen.label, seen.score, cam, target, pixels, grad)


def _input(net: Net, image: NDArray[Any] | str, preprocessing: Preprocessing | None) -> tuple[NDArray[np.uint8], Array]:
    """The image, and the input blob."""
    require_torch("saliency")
    channels, height, width = input_shape(net)
    pixels = read_image(image) if isinstance(image, str) else image
    return pixels, preprocess(pixels, channels, (height, width), preprocessing)[None]


def _asked(net: Net, unit: str | None) -> tuple[str, str]:
    """The blob, and the channel as it was asked for, "" for the best."""
    if unit is not None and ":" in unit and unit.rpartition(":")[0] in net.blobs:
        blob, _, channel = unit.rpartition(":")
        return blob, channel
    flat = [b for b in net.outputs if len(net.shapes()[b]) in (2, 4)]
    if len(flat) != 1:
        raise NetsurgeryError(
            f"the net has the outputs {', '.join(net.outputs)}", source=net.source, expected="BLOB:CHANNEL"
        )
    return flat[0], unit or ""


class _Seen:
    """A net that was run on an image x: `unit`, and its `score`, which is what can be differentiated. The first slope asked for at x
    takes what that run left, so that all takes one run forward and one back."""

    def __init__(self, net: Net, x: Array, unit: str | None, labels: Sequence[str], *more: str) -> None:
        from ..exporters.torch.module import CaffeModule

        blob, channel = _asked(net, unit)
        self.scores, self.name = before_softmax(net, blob), image_input(net)
        part = cut(net, list(dict.fromkeys([blob, self.scores, *more])))
        self.relus = [layer.tops[0] for layer in cut(net, [self.scores]).layers if layer.type == "ReLU"]
        outputs = list(dict.fromkeys([blob, self.scores, *more, *self.relus]))
        self.module = CaffeModule(part, outputs, {self.name: list(x.shape)}, shared=True)
        self.x = x
        self.run: tuple[Any, dict[str, Any]] | None = self._forward(x)
        values = self.run[1][blob].detach().numpy()
        values = values.sum(axis=(0, *range(2, values.ndim)))
        names = labels_of(net, blob, len(values), labels)
        number = int(find_channel(channel, len(values), names, blob)) if channel else int(values.argmax())
        self.label = name_of(names, number) if names else ""
        self.unit = Unit(blob, number)
        self.score = float(self.run[1][self.scores][:, number].detach().sum())
        self.source = net.source

    def _forward(self, x: Array) -> tuple[Any, dict[str, Any]]:
        torch = require_torch("saliency")
        leaf = torch.from_numpy(np.ascontiguousarray(x).copy()).requires_grad_(True)
        return leaf, self.module(**{self.name: leaf})

    def slope(self, x: Array, blob: str | None = None) -> tuple[Array, Array]:
        """The score's slope by the input or by a blob, and the values of that. Raises: UnsupportedError if there is none."""
        torch = require_torch("saliency")
        leaf, values = self.run if x is self.x and self.run is not None else self._forward(x)
        self.run = None
        target = leaf if blob is None else values[blob]
        total = values[self.scores][:, self.unit.channel].sum()
        if not total.requires_grad:
            raise no_gradient(self.module, self.scores, [leaf], self.source)
        (slope,) = torch.autograd.grad(total, target, allow_unused=True)
        held = target.detach().numpy()
        return np.zeros_like(held) if slope is None else np.asarray(slope.numpy(), np.float32), held

    def guided(self, x: Array) -> Array:
        """The gradient, of which each ReLU lets only the positive go down."""
        for top in self.relus:
            if self.run is not None and self.run[1][top].requires_grad:
                self.run[1][top].register_hook(lambda slope: slope.clamp(min=0))
        return self.slope(x)[0]


def _last_map(net: Net, blob: str) -> str:
    """The last blob with places that the score is computed from."""
    shapes = net.shapes()
    part = cut(net, [blob])
    maps = [top for layer in part.layers if not layer.kind.is_input for top in layer.tops if len(shapes[top]) == 4]
    maps = [top for top in maps if top != blob and shapes[top][2:] != (1, 1)]
    if not maps:
        raise NetsurgeryError("the net has no map", source=net.source, expected="a blob (N, C, h, w) before the score")
    pools = [top for top in maps if net.writer(top).type != "Pooling"]
    return (pools or maps)[-1]


def _mean(make: Callable[[], Array], count: int) -> Array:
    total = make().astype(np.float64)
    for _ in range(count - 1):
        total += make()
    return np.asarray(total / count, np.float32)
