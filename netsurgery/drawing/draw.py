"""netsurgery.draw: a net as a picture."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from ..errors import NetsurgeryError
from ..files.output import replacing
from ..formats.preprocessing import Preprocessing
from ..net import Net, require_net
from .describe import Description, describe
from .dot import render
from .graph import DOTS, LARGEST, to_graph
from .page import to_page

FORMATS = ("svg", "png", "pdf", "dot", "html")


@dataclass(frozen=True)
class Drawing:
    """A net as a picture, which a notebook shows. Graphviz is asked, and the image read, when the picture is needed."""

    net: Net
    description: Description = field(repr=False)
    horizontal: bool = False
    image: Any = field(default=None, repr=False)
    preprocessing: Preprocessing | None = None

    def render(self, format: str = "svg") -> bytes:
        """The picture: svg, png or pdf by Graphviz; dot, its language; html, a page of its own that needs nothing else.

        Raises: NetsurgeryError without Graphviz for the first three, or for another format.
        """
        if format == "html":
            pictures = self._pictures()
            return to_page(self.net, self.description, pictures, horizontal=self.horizontal).encode()
        if format not in FORMATS:
            raise NetsurgeryError(
                f"the format '{format}' of a drawing",
                expected=f"one of: {', '.join(FORMATS)}",
                fix="end the file's name in .svg, or name the format: --format svg",
            )
        graph = to_graph(self.net, self.description, horizontal=self.horizontal)
        if format == "png":
            graph.attributes |= {"size": LARGEST, "dpi": DOTS}
        return graph.source().encode() if format == "dot" else render(graph.source(), format)

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Writes the picture to a file, in the format of its ending unless one is named.

        Raises: NetsurgeryError as `render`, or if the file cannot be written.
        """
        picture = self.render(format or os.path.splitext(os.fspath(path))[1][1:].lower())
        with replacing(path) as out:
            out.write(picture)

    def _repr_svg_(self) -> str:
        return self.render("svg").decode()

    def _pictures(self) -> dict[str, list[tuple[str, bytes]]]:
        """Thumbnails by layer, if there are weights."""
        if not any(layer.weights for layer in self.net.layers):
            return {}
        from .thumbnails import kernels, maps

        pictures = kernels(self.net, self.preprocessing.channel_order if self.preprocessing else "bgr")
        if self.image is not None:
            for layer, more in maps(self.net, self.image, self.preprocessing).items():
                pictures.setdefault(layer, []).extend(more)
        return pictures


def draw(
    net: Net,
    path: str | os.PathLike[str] | None = None,
    *,
    format: str | None = None,
    horizontal: bool = False,
    input_shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    image: NDArray[Any] | str | None = None,
    preprocessing: Preprocessing | None = None,
) -> Drawing:
    """The net as a picture in the manner of Caffe's draw_net.py, also written to `path` if one is named (svg, png, pdf,
    dot or html).

    Layers are boxes by kind, blobs octagons, and layers in place stand beside their blob. Shapes are those at the
    declared input size, or at `input_shapes`. The page (html) shows filters too if the net has weights, and what its
    blobs make of `image` (a path, or RGB (H, W, 3)) if one is named.

    Raises: NetsurgeryError without Graphviz, for another format, or for an image without weights; ShapeError.
    """
    require_net(net)
    if image is not None and not any(layer.weights for layer in net.layers):
        raise NetsurgeryError("activations of an image need weights", source=net.source, fix="give the caffemodel")
    ending = format or os.path.splitext(os.fspath(path))[1][1:].lower() if path is not None else "html"
    if image is not None and ending != "html":
        raise NetsurgeryError(
            f"activations of an image in a drawing of the format '{ending}'",
            expected="the page, which alone shows them",
            fix="end the file's name in .html, or leave out the image",
        )
    drawing = Drawing(net, describe(net, input_shapes), horizontal, image, preprocessing)
    if path is not None:
        drawing.save(path, format)
    return drawing
