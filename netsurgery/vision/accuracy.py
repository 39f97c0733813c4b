"""Accuracies over a labelled list, with how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, Source

SURE = 1.959963984540054
"""Standard deviations of 95 %."""


@dataclass
class Tally:
    """What one model made of the samples. ranks: how many classes scored at least as much as the right one, which ties put
    behind, as Caffe's Accuracy does; outputs: what `caffe test` averages."""

    name: str
    ranks: list[int] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def add_outputs(self, values: dict[str, float], count: int) -> None:
        """The outputs of a batch of so many samples."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value * count

    @property
    def outputs(self) -> dict[str, float]:
        """Means of the net's outputs over all samples."""
        return {name: total / len(self.ranks) for name, total in self.sums.items()}

    def right(self, k: int) -> NDArray[np.bool_]:
        """Whether the right class of each sample is among the best k."""
        return np.asarray(self.ranks, dtype=np.int64) < k

    def accuracy(self, k: int) -> float:
        return float(self.right(k).mean()) if self.ranks else math.nan

    def interval(self, k: int) -> tuple[float, float]:
        """Where the accuracy lies with 95 % probability (Wilson's interval)."""
        n, p = len(self.ranks), self.accuracy(k)
        if not n:
            return 0.0, 1.0
        middle, half = p + SURE**2 / (2 * n), SURE * math.sqrt(p * (1 - p) / n + SURE**2 / (4 * n * n))
        spread = 1 + SURE**2 / n
        return max(0.0, (middle - half) / spread), min(1.0, (middle + half) / spread)

    def change(self, reference: Tally, k: int) -> tuple[float, float]:
        """By how much the accuracy is above the reference's on the same samples, and half the width of its 95 % interval.

        Of n samples b are right here only and c there only: (b - c) / n, 1.96 sqrt(b + c - (b - c)^2 / n) / n.
        """
        mine, its = self.right(k), reference.right(k)
        n, b, c = len(mine), int((mine & ~its).sum()), int((its & ~mine).sum())
        return (b - c) / n, SURE * math.sqrt(max(0.0, b + c - (b - c) ** 2 / n)) / n


def require_classes(labels: NDArray[np.int64], names: Sequence[str], blob: str, count: int) -> None:
    """Raises: NetsurgeryError for the first sample whose label is none of the `count` classes."""
    for label, name in zip(labels, names, strict=True):
        if not 0 <= label < count:
            raise NetsurgeryError(
                f"the label {label}",
                source=Source(name),
                expected=f"0 to {count - 1}: blob '{blob}' has {count} classes",
            )


def ranks(scores: NDArray[Any], labels: NDArray[np.int64]) -> list[int]:
    """How many other classes score at least as much as the right one. Where that is NaN, all of them.

    Shapes: (N, classes), (N).
    """
    right = scores[np.arange(len(labels)), labels]
    with np.errstate(invalid="ignore"):
        ahead = (scores >= right[:, None]).sum(axis=1) - 1
    behind: list[int] = np.where(np.isnan(right), scores.shape[1], ahead).astype(int).tolist()
    return behind
