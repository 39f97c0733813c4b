"""Grids of kernels, maps and patches as figures: numbered, with a bar or scores."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import NetsurgeryError
from .figures import BESIDE, DPI, GRAYS, LONGEST, add_bar, new_figure, place, plain
from .filters import Tiles
from .overlay import range_of
from .patches import Patch, Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NUMBERED = 26
"""Pixels of a tile across, at least, that has room for its number."""


def tiles_figure(tiles: Tiles) -> Figure:
    """Kernels or maps side by side, each with its number, and a bar: every pixel of `Tiles.picture()` is one of the figure.

    Raises: NetsurgeryError without matplotlib (extra `vision`), or if the picture would be too large."""
    picture = tiles.picture()
    height, width = (n / DPI for n in picture.shape[:2])
    bar = max(height, 1.2)
    figure = new_figure(0.5 + max(width, 1.6) + 0.1 + BESIDE, 0.65 + bar + 0.35)
    axes = place(figure, 0.5, 0.65, width, height)
    axes.imshow(picture, interpolation="nearest", extent=(0, picture.shape[1], picture.shape[0], 0), aspect="auto")
    axes.set(xticks=[], yticks=[])
    if tiles.rows is None:
        axes.set_axis_off()
    _number(axes, tiles, picture.shape[1])
    figure.text(
        0.5 / figure.get_size_inches()[0],
        1 - 0.1 / figure.get_size_inches()[1],
        plain(tiles.title),
        fontsize=10,
        va="top",
    )
    low, high = tiles.range(tiles.values)
    unit = tiles.unit
    if tiles.normalize == "each":
        low, high = (-1.0, 1.0) if tiles.symmetric else (0.0, 1.0)
        unit = f"{unit}, of each tile's greatest" if tiles.symmetric else f"{unit}, of each tile's range"
    add_bar(figure, low, high, GRAYS, unit, 0.5 + max(width, 1.6) + 0.1, 0.65, bar)
    if tiles.normalize != "each":
        least, most = range_of(tiles.values)
        text = f"{least:.4g} to {most:.4g}"
        figure.text(
            0.5 / figure.get_size_inches()[0], 1 - 0.3 / figure.get_size_inches()[1], text, fontsize=8, va="top"
        )
    return figure


def _number(axes: Axes, tiles: Tiles, across: int) -> None:
    """Numbers of kernels or channels: at the edges, if rows belong together, else in each tile."""
    factor, gap = tiles.factor(), tiles.gap()
    h, w = (n * factor + gap for n in tiles.values.shape[1:3])
    columns = max(1, (across - gap) // w)
    if tiles.rows is not None:
        every = max(1, -(-14 // h)), max(1, -(-NUMBERED // w))
        rows = range(0, len(tiles.rows), every[0])
        axes.set_yticks([gap + h * i + (h - gap) / 2 for i in rows], [str(tiles.rows[i]) for i in rows], fontsize=7)
        steps = range(0, columns, every[1])
        axes.set_xticks([gap + w * i + (w - gap) / 2 for i in steps], [str(i) for i in steps], fontsize=7)
        axes.xaxis.tick_top()
        axes.tick_params(length=2)
        axes.set_ylabel("kernel", fontsize=8)
        axes.set_xlabel("input channel", fontsize=8)
        axes.xaxis.set_label_position("bottom")
        for side in axes.spines.values():
            side.set_visible(False)
        return
    if w < NUMBERED or h < 14:
        return
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8}
    for i, number in enumerate(tiles.numbers.tolist()):
        left, top = (i % columns) * w + gap, (i // columns) * h + gap
        axes.text(
            left + 1,
            top + 1,
            str(number),
            fontsize=6 if min(h, w) < 60 else 8,
            va="top",
            ha="left",
            bbox=box,
            clip_on=True,
        )


def patches_figure(by_unit: Mapping[Unit, Sequence[Patch]], *, across: int | None = None) -> Figure:
    """For each unit its patches in a frame, each in the shape that it has in its image, with the score, the file and the window's rows and
    columns there; `across`: how many stand in a row.

    Raises: NetsurgeryError without matplotlib (extra `vision`), or without a patch."""
    groups = {unit: best for unit, best in by_unit.items() if best}
    if not groups:
        raise NetsurgeryError("there is no patch to show: no image could be read")
    columns = across or min(max(map(len, groups.values())), 6)
    cell, text, head = (LONGEST - 0.2) / max(columns, 4), 0.5, 0.4
    sizes = {unit: max(min(cell - 0.1, _shape(p, cell - 0.1)[0]) for p in best) for unit, best in groups.items()}
    rows = {unit: -(-len(best) // columns) for unit, best in groups.items()}
    whole = sum(head + rows[unit] * (sizes[unit] + text) for unit in groups)
    figure = new_figure(0.2 + columns * cell, whole + 0.1)
    top = 0.05
    for unit, best in groups.items():
        h, w = best[0].pixels.shape[:2]
        title = f"{unit}: {best[-1].value:.4g} to {best[0].value:.4g}, sees {h}x{w} of the net's input"
        figure.text(0.1 / (0.2 + columns * cell), 1 - (top + 0.08) / (whole + 0.1), plain(title), fontsize=10, va="top")
        top += head
        for k, patch in enumerate(best):
            height, width = _shape(patch, cell - 0.1)
            left = 0.1 + (k % columns) * cell
            axes = place(figure, left, top + (k // columns) * (sizes[unit] + text), width, height)
            axes.imshow(patch.pixels, interpolation="nearest", aspect="auto")
            axes.set(xticks=[], yticks=[])
            a, b, c, d = patch.place
            name = os.path.basename(patch.image)
            name = name if len(name) <= 24 else name[:11] + "…" + name[-12:]
            said = f"{patch.value:.4g}  {plain(name)}\nrows {a}-{c}, columns {b}-{d}"
            axes.set_xlabel(said, fontsize=7, loc="left", labelpad=2)
        top += rows[unit] * (sizes[unit] + text)
    return figure


def _shape(patch: Patch, side: float) -> tuple[float, float]:
    """Height and width in inches, as the patch is in its image, the longer being `side`."""
    height, width = patch.pixels.shape[0] * patch.scale[0], patch.pixels.shape[1] * patch.scale[1]
    return side * height / max(height, width), side * width / max(height, width)
