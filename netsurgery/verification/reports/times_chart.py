"""Times of layers as bars: those of onnxruntime, and Caffe's beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...vision.figures import new_figure, place, plain
from ..times import Times

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW, NAMES, WIDTH = 0.28, 2.2, 5.6
"""Inches: from layer to layer, and across for names and for bars."""

COLOURS = {"onnxruntime": "#2f6fde", "Caffe": "#c9772b"}


def times_figure(times: Times, title: str) -> Figure:
    """A bar for each layer that takes time, in milliseconds from 0, the first layer at the top.

    Raises: NetsurgeryError without matplotlib (extra `vision`)."""
    rows = [layer for layer in times.layers if layer.seconds or layer.caffe]
    height = ROW * max(len(rows), 3)
    figure = new_figure(NAMES + WIDTH + 0.8, height + 1.0)
    axes = place(figure, NAMES, 0.5, WIDTH, height)
    bars = [("onnxruntime", times.total, [(k, layer.seconds) for k, layer in enumerate(rows)])]
    if times.caffe is not None:
        caffe = [(k, layer.caffe) for k, layer in enumerate(rows) if layer.caffe is not None]
        bars.append(("Caffe", times.caffe, caffe))
    thick = 0.8 / len(bars)
    for n, (name, total, lengths) in enumerate(bars):
        middles = [k + thick * (n - (len(bars) - 1) / 2) for k, _ in lengths]
        label = f"{name}, {total * 1e3:.3g} in all"
        drawn = axes.barh(middles, [1e3 * t for _, t in lengths], thick, color=COLOURS[name], label=label)
        axes.bar_label(drawn, fmt="%.3g", fontsize=7, padding=2)
        for bar, (k, _) in zip(drawn, lengths, strict=True):
            bar.set_gid(f"{name}-{k}")
    names = [layer.name if len(layer.name) <= 28 else f"{layer.name[:27]}…" for layer in rows]
    axes.set_yticks(range(len(rows)), [plain(name) for name in names])
    axes.set(ylim=(len(rows) - 0.5, -0.5), axisbelow=True)
    axes.margins(x=0.08)
    axes.grid(axis="x", color="#dde1e8")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(plain(f"{title}: milliseconds"), fontsize=10, loc="left")
    axes.legend(fontsize=8, frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    return figure
