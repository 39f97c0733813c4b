"""How a layer's blobs are filled where no weights file gives them.

Source: include/caffe/filler.hpp
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import Source, UnsupportedError
from ...kind import Kind

Array = NDArray[np.floating[Any]]

MAX_COUNT = 2**31 - 1
"""Caffe counts the values of a blob in an int."""
MAX_BILINEAR = 4096
"""Interpolation over more pixels than this is a mistake."""


@dataclass(frozen=True)
class Filler:
    """A FillerParameter. `usual` is the constant with which Caffe fills the blob when the file says nothing; `written`: it says something;
    `unknown` are fields that BVLC's fillers do not have."""

    type: str = "constant"
    value: float = 0.0
    min: float = 0.0
    max: float = 1.0
    mean: float = 0.0
    std: float = 1.0
    sparse: int = -1
    variance_norm: str = "FAN_IN"
    usual: float = 0.0
    written: bool = False
    unknown: tuple[str, ...] = ()
    source: Source = Source()

    @property
    def is_fixed(self) -> bool:
        """Whether it always gives the same numbers."""
        return self.type in ("constant", "bilinear") and not self.unknown and self.sparse == -1

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator, layer: str = "") -> Array:
        """Numbers of the distribution from which Caffe draws, float32; where they repeat, a view that repeats them.

        With fan_in = count / shape[0] and fan_out = count / shape[1], n one of them or their mean (`variance_norm`):
        xavier is U(-sqrt(3 / n), sqrt(3 / n)), msra N(0, 2 / n); in positive_unitball each row is U(0, 1) over its sum; bilinear is
        (1 - |x / f - c|) (1 - |y / f - c|), f = ceil(w / 2), c = (w - 1) / 2f; gaussian is kept with probability sparse / shape[0].

        Raises: UnsupportedError for a filler that BVLC Caffe does not have, or that does not fill such a blob.
        """
        if not shape:
            return np.asarray(self.draw((1,), rng, layer)[0])
        count = math.prod(shape)
        if self.unknown or (self.sparse != -1 and self.type != "gaussian") or self.sparse < -1:
            field = self.unknown[0] if self.unknown else "sparse"
            raise self._refusal(layer, f"filler '{self.type}' with {field}", "a filler as BVLC Caffe has it")
        if count > MAX_COUNT:
            raise self._refusal(layer, f"a blob of shape {shape}", f"at most {MAX_COUNT} values, as Caffe counts them")
        if not count:
            return np.zeros(shape, np.float32)
        match self.type:
            case "constant":
                return np.broadcast_to(np.float32(self.value), shape)
            case "uniform" if self.min <= self.max:
                return self._uniform(shape, rng, self.min, self.max)
            case "gaussian" if self.std > 0:
                drawn = rng.standard_normal(shape, np.float32)
                drawn *= np.float32(self.std)
                drawn += np.float32(self.mean)
                if self.sparse >= 0:
                    drawn *= rng.random(shape, np.float32) < self.sparse / shape[0]
                return drawn
            case "positive_unitball":
                rows = rng.random((shape[0], count // shape[0]), np.float32)
                return np.asarray(rows / rows.sum(1, keepdims=True)).reshape(shape)
            case "xavier":
                bound = math.sqrt(3 / self._fan(shape))
                return self._uniform(shape, rng, -bound, bound)
            case "msra":
                return rng.standard_normal(shape, np.float32) * np.float32(math.sqrt(2 / self._fan(shape)))
            case "bilinear" if len(shape) == 4 and shape[2] == shape[3] <= MAX_BILINEAR:
                return np.broadcast_to(_bilinear(shape[3]), shape)
            case "bilinear":
                expected = f"4 axes, a square kernel of at most {MAX_BILINEAR}"
                raise self._refusal(layer, f"a bilinear filler for a blob of shape {shape}", expected)
            case "uniform" | "gaussian":
                raise self._refusal(layer, f"an empty range in a {self.type} filler", "min <= max, std > 0")
        raise self._refusal(
            layer,
            f"filler '{self.type}'",
            "constant, uniform, gaussian, positive_unitball, xavier, msra or bilinear",
        )

    def _fan(self, shape: tuple[int, ...]) -> float:
        count = math.prod(shape)
        fan_in, fan_out = count // shape[0], count // shape[1] if len(shape) > 1 else count
        return {"FAN_OUT": fan_out, "AVERAGE": (fan_in + fan_out) / 2}.get(self.variance_norm, fan_in)

    @staticmethod
    def _uniform(shape: tuple[int, ...], rng: np.random.Generator, low: float, high: float) -> Array:
        drawn = rng.random(shape, np.float32)
        drawn *= np.float32(high - low)
        drawn += np.float32(low)
        return drawn

    def _refusal(self, layer: str, problem: str, expected: str) -> UnsupportedError:
        return UnsupportedError(
            problem,
            layer=layer,
            source=self.source,
            expected=expected,
            fix="--initialize=random does not ask the fillers",
        )


def _bilinear(width: int) -> Array:
    """The square kernel that interpolates, in Caffe's float32 to the last bit."""
    f = math.ceil(width / 2)
    line = 1 - np.abs(np.arange(width, dtype=np.float32) / np.float32(f) - np.float32((width - 1) / (2 * f)))
    return np.outer(line, line)


def he_normal(shape: tuple[int, ...], fan_in: float, rng: np.random.Generator) -> Array:
    """N(0, 2 / fan_in): what keeps the size of activations from layer to layer behind ReLU."""
    return rng.standard_normal(shape, np.float32) * np.float32(math.sqrt(2 / max(fan_in, 1)))


def near(value: float, shape: tuple[int, ...], rng: np.random.Generator, spread: float = 0.1) -> Array:
    """N(value, spread^2)."""
    return np.asarray(np.float32(value) + np.float32(spread) * rng.standard_normal(shape, np.float32))


def draw(kind: Kind, shapes: Sequence[tuple[int, ...]], seed: int, how: str = "fillers") -> list[Array]:
    """Blobs of these shapes for a layer: as its fillers say (zeros where it has none), or with `how` "random" plausible ones. They follow
    from the seed, the layer's name and the shapes, whatever else the net has.

    Raises: UnsupportedError for a filler that cannot be drawn.
    """
    rng = np.random.default_rng((seed % 2**64, zlib.crc32(kind.name.encode("utf-8", "surrogateescape"))))
    if how == "random":
        drawn = list(kind.random_weights(shapes, rng))
    else:
        fillers = [*kind.fillers, *[Filler()] * len(shapes)]
        drawn = [filler.draw(shape, rng, kind.title) for filler, shape in zip(fillers, shapes, strict=False)]
    for array in drawn:
        array.setflags(write=False)
    return drawn
