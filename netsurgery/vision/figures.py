"""Figures with axes, bars and legends, by matplotlib, which is imported when one is drawn (extra `vision`).

A figure is drawn on a canvas of its own: no window is opened, and whoever uses pyplot keeps what they set there.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError
from .overlay import BRIGHTEST, DARKEST, gray_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 100
LONGEST, LONG, SHORT = 10.24, 5.0, 2.2
"""Inches: the longer side of an image in a figure is LONG at least and LONGEST at most, if the shorter has at least SHORT."""


def require_matplotlib(what: str = "figures") -> Any:
    """The module matplotlib. Raises: NetsurgeryError if it is not installed."""
    try:
        import matplotlib
    except ImportError:
        raise NetsurgeryError(
            f"{what} need matplotlib, which draws axes, bars and legends", fix="pip install 'netsurgery[vision]'"
        ) from None
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


LEFT, TOP, RIGHT, BOTTOM = 0.6, 0.35, 0.15, 0.5
"""Inches around an image, for ticks and a title."""


def image_figure(height: float, width: float, beside: float = 0.0) -> tuple[Figure, Axes]:
    """A figure with axes of that many inches, and room at the right."""
    figure = new_figure(LEFT + width + RIGHT + beside, TOP + height + BOTTOM)
    return figure, place(figure, LEFT, TOP, width, height)


def figure_png(figure: Figure) -> bytes:
    """A figure as a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return file.getvalue()


def inches(height: int, width: int) -> tuple[float, float]:
    """Height and width in inches at which an image of so many pixels is shown, its shape kept."""
    long, short = max(height, width), min(height, width)
    scale = min(max(long / DPI, LONG), LONGEST) / long
    scale = min(max(scale, SHORT / short), LONGEST / long)
    return height * scale, width * scale


def show_image(axes: Axes, image: NDArray[Any], *, faint: bool = True) -> None:
    """The image in gray, its edges at whole numbers of pixels; `faint`: black and white drawn in, so that colours are seen on either."""
    gray = gray_of(image)
    shade = DARKEST + (BRIGHTEST - DARKEST) * gray if faint else gray
    height, width = gray.shape
    axes.imshow(shade, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0), interpolation="nearest")
    axes.set(xlim=(0, width), ylim=(height, 0), xlabel="pixels", ylabel="pixels")


def class_colours(count: int) -> list[tuple[float, float, float]]:
    """Colours that are told apart side by side: DISTINCT first, further ones spread over hue and lightness."""
    require_matplotlib()
    from matplotlib.colors import hsv_to_rgb

    first = [tuple(int(text[i : i + 2], 16) / 255 for i in (0, 2, 4)) for text in DISTINCT.split()]
    more = [
        tuple(float(x) for x in hsv_to_rgb(((k * 0.61803398875) % 1, 0.55 + 0.4 * (k % 2), 0.95 - 0.35 * (k % 3) / 2)))
        for k in range(count - len(first))
    ]
    return [(r, g, b) for r, g, b in (first + more)[:count]]


DISTINCT = """
    e6194b 3cb44b ffe119 4363d8 f58231 911eb4 46f0f0 f032e6 bcf60c 9a6324
    008080 fabebe e6beff 800000 aaffc3 808000 ffd8b1 000075 808080 fffac8
"""
"""Source: Sasha Trubetskoy, List of 20 simple, distinct colors (public domain)"""


def to_array(figure: Figure) -> NDArray[np.uint8]:
    """What a figure shows, (height, width, 3)."""
    figure.canvas.draw()
    pixels: NDArray[np.uint8] = np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()  # type: ignore[attr-defined]
    return pixels
