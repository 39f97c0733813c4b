"""Graphs in Graphviz' language, and what its program `dot` makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import NetsurgeryError
from ..files.boundary import package
from ..shown import visible

Attributes = Mapping[str, str]


@dataclass
class Graph:
    """A directed graph: nodes by a key of their own, edges between keys, each with Graphviz' attributes."""

    name: str = "Net"
    rankdir: str = "TB"
    attributes: dict[str, str] = field(default_factory=dict)
    """Of the graph as a whole."""
    nodes: dict[str, Attributes] = field(default_factory=dict)
    edges: list[tuple[str, str, Attributes]] = field(default_factory=list)
    ranks: list[list[str]] = field(default_factory=list)
    """Nodes that stand side by side, in this order."""

    def source(self) -> str:
        """The graph in Graphviz' language. Nodes are numbered, so that any name will do."""
        number = {key: f"n{k}" for k, key in enumerate(self.nodes)}
        lines = [f"digraph {quoted(self.name)} {{"]
        lines += [f"  {name}={quoted(value)};" for name, value in {"rankdir": self.rankdir, **self.attributes}.items()]
        lines += [f"  {number[key]} {_listed(attributes)};" for key, attributes in self.nodes.items()]
        lines += [f"  {number[a]} -> {number[b]} {_listed(attributes)};" for a, b, attributes in self.edges]
        for rank in self.ranks:
            side_by_side = " -> ".join(number[key] for key in rank)
            lines.append(f"  {{ rank=same; edge [style=invis]; {side_by_side}; }}")
        return "\n".join([*lines, "}", ""])


def quoted(text: str) -> str:
    r"""A text in Graphviz' quotes; its escapes (\n, \l) stay what they are."""
    return '"' + text.replace('"', r"\"") + '"'


def escaped(text: str, record: bool = False) -> str:
    """A name as it is, in a label: without Graphviz' escapes or, in a record, its fields."""
    text = visible(text).replace("\\", "\\\\")
    if record:
        for sign in "{}|<>":
            text = text.replace(sign, f"\\{sign}")
    return text


def _listed(attributes: Attributes) -> str:
    return "[" + ", ".join(f"{name}={quoted(value)}" for name, value in attributes.items()) + "]"


def render(source: str, format: str) -> bytes:
    """A graph as svg, png, pdf or whatever else `dot` can write.

    Raises: NetsurgeryError without the package graphviz, without the program `dot`, or if that refuses.
    """
    with package("drawing needs the package graphviz, and Graphviz itself", "netsurgery[draw]"):
        import graphviz
    try:
        picture: bytes = graphviz.pipe("dot", format, source.encode(), quiet=True)
    except graphviz.ExecutableNotFound:
        raise NetsurgeryError(
            "drawing needs Graphviz, and its program dot is not on the PATH",
            fix="install Graphviz (apt install graphviz, brew install graphviz, winget install graphviz; or"
            " graphviz.org/download), or choose the format html or dot, which do without",
        ) from None
    except graphviz.CalledProcessError as error:
        lines = (error.stderr or b"").decode("utf-8", "replace").strip().splitlines()
        raise NetsurgeryError(f"dot cannot draw this: {lines[0] if lines else error}") from None
    except ValueError as error:
        raise NetsurgeryError(f"dot cannot draw this: {error}") from None
    return picture
