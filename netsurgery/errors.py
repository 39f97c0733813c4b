"""The errors that netsurgery raises: one family, one layout of the text.

For example::

    deploy.prototxt:41: layer 'roi5' (ROIPooling): pooled_w is 0
      expected: a positive number
      fix: set roi_pooling_param { pooled_w: 7 }
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Protocol, Self

from .shown import visible as visible


class Lines(str):
    """Several lines that belong to one error; each is fit to be shown."""

    __slots__ = ()


class Source(int):
    """Where a thing was read: file, line and column (both from 1; 0 where there is none, as in a binary file). It is one number, as a
    net holds one for each of its fields, and files are numbered as they come."""

    __slots__ = ()

    def __new__(cls, file: str = "", line: int = 0, column: int = 0) -> Self:
        number = _NUMBERS.get(file)
        if number is None:
            with _NUMBERING:
                number = _NUMBERS.setdefault(file, len(_FILES))
                if number == len(_FILES):
                    _FILES.append(file)
        return int.__new__(cls, ((number << _BITS | line) << _BITS) | column)

    @classmethod
    def of(cls, number: int) -> Source:
        """The source that is this number."""
        return int.__new__(cls, number)

    def at(self, line: int, column: int) -> int:
        """The number of a place in the same file."""
        return ((self >> 2 * _BITS << _BITS | line) << _BITS) | column

    @property
    def file(self) -> str:
        return _FILES[self >> 2 * _BITS]

    @property
    def line(self) -> int:
        return self >> _BITS & _MASK

    @property
    def column(self) -> int:
        return self & _MASK

    def __str__(self) -> str:
        file = visible(self.file)
        return f"{file or '<text>'}:{self.line}" if self.line else file

    def __repr__(self) -> str:
        return f"Source(file={self.file!r}, line={self.line}, column={self.column})"

    def __reduce__(self) -> tuple[type[Source], tuple[str, int, int]]:
        return Source, (self.file, self.line, self.column)


_BITS = 27
"""Of a line, and of a column: no text is larger than 64 MB."""
_MASK = (1 << _BITS) - 1
_FILES = [""]
_NUMBERS = {"": 0}
_NUMBERING = Lock()


class Placed(Protocol):
    """A layer, or its kind: what an error is about."""

    @property
    def title(self) -> str:
        """'fc6' (InnerProduct)"""

    @property
    def source(self) -> Source: ...


class NetsurgeryError(Exception):
    """The base of every error that netsurgery raises on purpose.

    `problem` says what is wrong; `layer` names the layer ("'fc6' (InnerProduct)") or is it, `source` is the place (that of the layer,
    if it is not said), `expected` what would have been right, `fix` what to do. Names in them are shown with control characters escaped, so
    that no file speaks for us; `Lines` may have several.
    """

    def __init__(
        self,
        problem: str,
        *,
        layer: str | Placed = "",
        source: Source | None = None,
        expected: str = "",
        fix: str = "",
    ) -> None:
        if not isinstance(layer, str):
            source = layer.source if source is None else source
            layer = layer.title
        self.problem, self.layer, self.source, self.expected, self.fix = problem, layer, source, expected, fix
        place = f"{source}: " if source and str(source) else ""
        who = f"layer {visible(layer)}: " if layer else ""
        lines = [f"{place}{who}{_shown(problem)}"]
        if expected:
            lines.append(f"  expected: {_shown(expected)}")
        if fix:
            lines.append(f"  fix: {_shown(fix)}")
        super().__init__("\n".join(lines))


def _shown(text: str) -> str:
    return text if isinstance(text, Lines) else visible(text)


class ParseError(NetsurgeryError):
    """A file cannot be read as what it is said to be."""


class UnsupportedError(NetsurgeryError):
    """A layer, a field or a value whose meaning netsurgery does not know or cannot express."""


class UnsupportedLayersError(UnsupportedError):
    """All layers of a net that cannot be used, in one error; `.errors` holds theirs."""

    def __init__(self, errors: Sequence[NetsurgeryError], what: str) -> None:
        self.errors = tuple(errors)
        listed = "\n".join(str(error) for error in errors)
        count = f"{len(errors)} layer{'s' if len(errors) != 1 else ''} cannot be {what}"
        super().__init__(Lines(f"{count}:\n{listed}" if len(errors) != 1 else listed))


class OpsetError(UnsupportedError):
    """A layer needs operators of ONNX's opset `least`, or of a newer one."""

    def __init__(self, problem: str, *, least: int, layer: str | Placed = "", expected: str = "") -> None:
        self.least = least
        super().__init__(problem, layer=layer, expected=expected or f"{least} or newer", fix=f"--opset {least}")


class ShapeError(NetsurgeryError):
    """Shapes do not fit: a bottom with the layer, an input with the net, a blob with its layer."""


class RewriteError(NetsurgeryError):
    """A pass refuses: its result would not mean what the net meant."""


class WeightsError(NetsurgeryError):
    """The weights do not fit the net: missing, of another shape, or unreadable."""


class MismatchError(NetsurgeryError):
    """Two models that should agree do not."""


class UnavailableError(NetsurgeryError):
    """A runtime that is not there: not installed, not importable, of a version that cannot do it."""
