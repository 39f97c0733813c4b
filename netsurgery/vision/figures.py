"""Figures with axes, bars and legends, by matplotlib, which is imported when one is drawn (extra `vision`).

A figure is drawn on a canvas of its own: no window is opened, and whoever uses pyplot keeps what they set there.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError
from ..files.boundary import package
from ..files.output import replacing
from ..shown import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 100
LONGEST, LONG, SHORT = 10.24, 5.0, 2.2
"""Inches: the longer side of an image in a figure is LONG at least and LONGEST at most, if the shorter has at least SHORT."""


def require_matplotlib(what: str = "figures") -> Any:
    """The module matplotlib. Raises: NetsurgeryError if it is not installed."""
    with package(f"{what} need matplotlib, which draws axes, bars and legends", "netsurgery[vision]"):
        import matplotlib
    return matplotlib


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that many inches. Nothing in it moves: constrained layout takes longer than drawing."""
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes of that many inches, from the upper left corner of the figure."""
    across, down = figure.get_size_inches()
    axes: Axes = figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))
    axes.tick_params(labelsize=8)
    return axes


GRAYS = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)
"""Colours of a bar from black to white."""

LEFT, TOP, RIGHT, BOTTOM = 0.6, 0.35, 0.15, 0.5
"""Inches around an image, for ticks and a title."""


def image_figure(height: float, width: float, beside: float = 0.0) -> tuple[Figure, Axes]:
    """A figure with axes of that many inches, and room at the right."""
    figure = new_figure(LEFT + width + RIGHT + beside, TOP + height + BOTTOM)
    return figure, place(figure, LEFT, TOP, width, height)


UNDATED: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""The formats of files, and what is left out of each, so that equal figures are equal files."""


def figure_png(figure: Figure, format: str = "png") -> bytes:
    """A figure as a PNG file, or one of another of the formats; letters in SVG stay text."""
    file = io.BytesIO()
    more: dict[str, Any] = {"pil_kwargs": {"compress_level": 4}} if format == "png" else {}
    with require_matplotlib().rc_context({"svg.fonttype": "none", "svg.hashsalt": "netsurgery"}):
        figure.savefig(file, format=format, dpi=DPI, metadata=UNDATED[format], **more)
    return file.getvalue()


def write_figure(path: str | os.PathLike[str], figure: Figure) -> None:
    """Writes a figure as PNG, SVG or PDF, whole or not at all. Raises: NetsurgeryError."""
    format = os.path.splitext(os.fspath(path))[1][1:].lower()
    if format not in UNDATED:
        raise NetsurgeryError(
            f"cannot tell the format of '{os.fspath(path)}'", expected="a name that ends in .png, .svg or .pdf"
        )
    content = figure_png(figure, format)
    with replacing(path) as file:
        file.write(content)


def plain(text: str) -> str:
    """A name as it is: to matplotlib what stands between two signs of a dollar is a formula."""
    return visible(text).replace("$", r"\$")


def inches(height: int, width: int) -> tuple[float, float]:
    """Height and width in inches at which an image of so many pixels is shown, its shape kept."""
    long, short = max(height, width), min(height, width)
    scale = min(max(long / DPI, LONG), LONGEST) / long
    scale = min(max(scale, SHORT / short), LONGEST / long)
    return height * scale, width * scale


def add_bar(
    figure: Figure,
    low: float,
    high: float,
    colours: NDArray[np.uint8],
    unit: str,
    left: float,
    top: float,
    height: float,
) -> Axes:
    """A colour bar, `colours` (k, 3) from the least value to the greatest, with round ticks and the unit of its numbers; so many inches
    from the upper left corner."""
    from matplotlib.ticker import MaxNLocator, ScalarFormatter

    axes = place(figure, left, top, BAR, height)
    span = high - low if high > low else max(abs(high), 1.0) * 1e-3
    extent = (0.0, 1.0, low, low + span)
    axes.imshow(colours[::-1, None], extent=extent, aspect="auto", interpolation="nearest")
    axes.set(xlim=(0, 1), ylim=(low, low + span), xticks=[])
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=max(2, int(height * 2.5)), steps=[1, 2, 2.5, 5, 10]))
    formatter = ScalarFormatter(useMathText=False)
    formatter.set_powerlimits((-3, 4))
    axes.yaxis.set_major_formatter(formatter)
    axes.yaxis.get_offset_text().set(size=8, ha="left")
    axes.set_ylabel(plain(unit), fontsize=8)
    return axes


BAR, BESIDE = 0.18, 1.0
"""Inches across of a colour bar, and of all that stands beside an image because of it."""


def map_figure(
    picture: NDArray[np.uint8],
    size: tuple[int, int],
    low: float,
    high: float,
    colours: NDArray[np.uint8],
    *,
    title: str = "",
    unit: str = "",
) -> Figure:
    """A picture of an image of `size` (h, w) with axes in its pixels, a title, and a bar that says what its colours are worth."""
    height, width = inches(*size)
    figure, axes = image_figure(height, width, BESIDE)
    show_picture(axes, picture, size)
    axes.set_title(plain(title), fontsize=10)
    add_bar(figure, low, high, colours, unit, LEFT + width + 0.15, TOP, height)
    return figure


def legend_figure(
    picture: NDArray[np.uint8],
    size: tuple[int, int],
    names: Sequence[str],
    colours: Sequence[Sequence[int] | NDArray[np.uint8]],
    title: str = "",
) -> Figure:
    """A picture of an image of `size` with axes in its pixels, a title, and a legend: a name for each colour."""
    from matplotlib.patches import Patch

    height, width = inches(*size)
    rows = max(1, int((height + BOTTOM) / LINE))
    columns = -(-len(names) // rows)
    beside = 0.2 + columns * (0.45 + 0.075 * max((len(name) for name in names), default=0))
    figure, axes = image_figure(height, width, beside)
    show_picture(axes, picture, size)
    axes.set_title(plain(title), fontsize=10)
    handles = [
        Patch(facecolor="#{:02x}{:02x}{:02x}".format(*colour), edgecolor="black", linewidth=0.5, label=plain(name))
        for name, colour in zip(names, colours, strict=True)
    ]
    across, down = figure.get_size_inches()
    corner = ((LEFT + width + 0.1) / across, 1 - TOP / down)
    style: dict[str, Any] = {"frameon": False, "borderaxespad": 0.0, "labelspacing": 0.3, "handlelength": 1.0}
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=corner, ncols=columns, fontsize=8, **style)
    return figure


LINE = 0.19
"""Inches from line to line in a legend."""


def sheet_figure(
    pictures: Sequence[NDArray[np.uint8]],
    names: Sequence[str],
    size: tuple[int, int],
    low: float,
    high: float,
    colours: NDArray[np.uint8],
    *,
    title: str = "",
    unit: str = "",
) -> Figure:
    """Several pictures of one image, each with its name, and one bar."""
    columns = min(len(pictures), max(1, round((len(pictures) * size[0] / size[1]) ** 0.5 * 1.2)))
    rows = -(-len(pictures) // columns)
    width = min(LONGEST / columns, 3.0)
    height = width * size[0] / size[1]
    gap, line = 0.12, 0.22
    whole = rows * (height + line + gap)
    figure = new_figure(0.1 + columns * (width + gap) + BESIDE, 0.4 + whole)
    for k, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        axes = place(
            figure,
            0.1 + (k % columns) * (width + gap),
            0.4 + line + (k // columns) * (height + line + gap),
            width,
            height,
        )
        axes.imshow(picture, interpolation="nearest", aspect="auto")
        axes.set(xticks=[], yticks=[])
        axes.set_title(plain(name), fontsize=8, pad=2)
    figure.suptitle(plain(title), fontsize=10, y=1 - 0.05 / (0.4 + whole), va="top")
    add_bar(figure, low, high, colours, unit, 0.1 + columns * (width + gap), 0.4 + line, whole - line - gap)
    return figure


def show_picture(axes: Axes, picture: NDArray[np.uint8], size: tuple[int, int]) -> None:
    """A picture of an image of `size` (h, w), the edges of the image's pixels at whole numbers."""
    height, width = size
    axes.imshow(picture, extent=(0, width, height, 0), interpolation="nearest", aspect="auto")
    axes.set(xlim=(0, width), ylim=(height, 0), xlabel="pixels", ylabel="pixels")
    axes.xaxis.label.set_fontsize(8)
    axes.yaxis.label.set_fontsize(8)


def to_array(figure: Figure) -> NDArray[np.uint8]:
    """What a figure shows, (height, width, 3)."""
    figure.canvas.draw()
    pixels: NDArray[np.uint8] = np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()  # type: ignore[attr-defined]
    return pixels
