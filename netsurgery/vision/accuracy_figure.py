"""Accuracies of models side by side, as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .accuracy import Tally
from .figures import new_figure, place, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW, NAMES, WIDTH = 0.45, 1.8, 5.5
"""Inches: from model to model, and across for names and for accuracies."""


def accuracy_figure(tallies: Sequence[Tally], top: Sequence[int]) -> Figure:
    """A point for each model and each k of "among the best k", with where the accuracy lies with 95 % probability.

    Raises: NetsurgeryError without matplotlib (extra `vision`)."""
    height = ROW * (len(tallies) + 1)
    figure = new_figure(NAMES + WIDTH + 0.3, height + 1.0)
    axes = place(figure, NAMES, 0.4, WIDTH, height)
    for n, k in enumerate(top):
        rows = [row + 0.2 * (n - (len(top) - 1) / 2) for row in range(len(tallies))]
        accuracies = [100 * tally.accuracy(k) for tally in tallies]
        low, high = zip(*(tally.interval(k) for tally in tallies), strict=True)
        reach = [
            [max(0.0, a - 100 * x) for a, x in zip(accuracies, low, strict=True)],
            [max(0.0, 100 * x - a) for a, x in zip(accuracies, high, strict=True)],
        ]
        axes.errorbar(accuracies, rows, xerr=reach, fmt="o", capsize=3, label=f"top-{k}")
        for accuracy, row in zip(accuracies, rows, strict=True):
            axes.annotate(
                f"{accuracy:.1f}", (accuracy, row), (0, 4), textcoords="offset points", fontsize=7, ha="center"
            )
    axes.set_yticks(range(len(tallies)), [plain(tally.name) for tally in tallies])
    axes.set(ylim=(len(tallies) - 0.3, -0.7), axisbelow=True)
    axes.grid(axis="x", color="#dde1e8")
    axes.set_xlabel(f"right, % of {len(tallies[0].ranks)} samples, with 95 % probability", fontsize=8)
    axes.legend(fontsize=8, frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(top))
    return figure
