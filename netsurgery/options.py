"""Options: fields of frozen dataclasses that also say how people write them, on the command line and in a manifest.

    @dataclass(frozen=True)
    class Reading:
        phase: str = option("TEST", choice("TEST", "TRAIN"), "phase", "Which layers count.")

A class of options stands in the room that acts on them; whoever hands them on hands on one value. A Kind says what an option takes:
its `read` makes the field's value of words of the command line or of a value of TOML, and raises ValueError, TypeError or AttributeError
for any other; relative paths count from `folder`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from math import inf
from pathlib import Path
from typing import Any, TypeVar

from .errors import NetsurgeryError, ParseError, Source

T = TypeVar("T")


class UnfitError(ValueError):
    """`item`, a value or one of several, is not what the option takes."""

    def __init__(self, item: Any) -> None:
        super().__init__(item)
        self.item = item


@dataclass(frozen=True)
class Kind:
    """Text, of which `expected` says more, and `toml` how it looks in a manifest."""

    expected: str = "text"
    metavar: str | None = None
    toml: str = ""

    def read(self, value: Any, folder: Path) -> Any:
        if not isinstance(value, str):
            raise TypeError(value)
        return value


@dataclass(frozen=True)
class Flag(Kind):
    """Yes or no, which stand for two values; on the command line an option alone, or one of two if `negative` names the other."""

    expected: str = "true or false"
    yes: Any = True
    no: Any = False
    negative: str = ""

    def read(self, value: Any, folder: Path) -> Any:
        if not isinstance(value, bool):
            raise TypeError(value)
        return self.yes if value else self.no


@dataclass(frozen=True)
class Choice(Kind):
    """One of some words; `also` are older values and what they mean."""

    names: tuple[str, ...] = ()
    also: tuple[tuple[Any, str], ...] = ()

    def read(self, value: Any, folder: Path) -> str:
        word = next((new for old, new in self.also if old is value), value)
        if word not in self.names:
            raise ValueError(value)
        return str(word)


def choice(*names: str, also: tuple[tuple[Any, str], ...] = ()) -> Choice:
    return Choice(" or ".join(filter(None, (", ".join(names[:-1]), names[-1]))), names=names, also=also)


@dataclass(frozen=True)
class Number(Kind):
    """A number, `least` or more; a whole one if `type` is int."""

    type: type[int] | type[float] = float
    least: int | None = None

    def read(self, value: Any, folder: Path) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | self.type):
            raise TypeError(value)
        if not abs(value) < inf or (self.least is not None and value < self.least):
            raise ValueError(value)
        return self.type(value)


def whole(least: int | None = None, expected: str = "a whole number") -> Number:
    return Number(expected, type=int, least=least)


@dataclass(frozen=True)
class File(Kind):
    """The path of a file or a folder."""

    expected: str = "a path"

    def read(self, value: Any, folder: Path) -> str:
        if not isinstance(value, str | Path):
            raise TypeError(value)
        return str(folder / value)


@dataclass(frozen=True)
class Words(Kind):
    """Names, with commas between them; a list in TOML."""

    expected: str = "names, such as fc6,fc7"

    def read(self, value: Any, folder: Path) -> tuple[str, ...]:
        words = value.split(",") if isinstance(value, str) else value
        return tuple(word.strip() for word in words)


@dataclass(frozen=True)
class Mean(Kind):
    """Numbers with commas between them, or a file, as they stand; a number or a list of them in TOML."""

    expected: str = "numbers (104,117,123), mean.binaryproto or mean.npy"
    metavar: str | None = "104,117,123"

    def read(self, value: Any, folder: Path) -> Any:
        if isinstance(value, str):
            return str(folder / value) if (folder / value).is_file() else value
        numbers = value if isinstance(value, list) else [value]
        return ",".join(repr(Number().read(n, folder)) for n in numbers)


@dataclass(frozen=True)
class Size(Kind):
    """300x420, or 227 for all sides; with `axes` always that many numbers."""

    expected: str = "HEIGHTxWIDTH, such as 300x420, or one number for both"
    metavar: str | None = "HEIGHTxWIDTH"
    axes: int = 0

    def read(self, value: Any, folder: Path) -> int | tuple[int, ...]:
        parts = value.lower().split("x") if isinstance(value, str) else value if isinstance(value, list) else [value]
        sides = tuple(whole(1).read(_digits(part), folder) for part in parts)
        if len(sides) == 1:
            return sides * self.axes if self.axes else sides[0]  # type: ignore[return-value]
        if self.axes not in (0, len(sides)):
            raise ValueError(value)
        return sides  # type: ignore[return-value]


@dataclass(frozen=True)
class Shape(Kind):
    """A number or a name for each axis, with commas between them; a list in TOML."""

    expected: str = "N,C,H,W"

    def read(self, value: Any, folder: Path) -> tuple[int | str, ...]:
        parts = value.split(",") if isinstance(value, str) else value
        return tuple(self._axis(_digits(part), folder) for part in parts)

    @staticmethod
    def _axis(part: Any, folder: Path) -> int | str:
        if isinstance(part, str) and part.isidentifier():
            return part
        return int(whole(0).read(part, folder))


def _digits(part: Any) -> Any:
    """A number where it is written as one."""
    text = part.strip() if isinstance(part, str) else ""
    number = whole_number(text)
    return number if number is not None else text or part


def whole_number(text: str, *, signed: bool = False) -> int | None:
    """The number that digits are; None for anything else. (`str.isdigit` takes a superscript for one, and int() no 5,000 digits.)"""
    text = text.strip()
    return int(text) if re.fullmatch("[+-]?[0-9]{1,19}" if signed else "[0-9]{1,19}", text) else None


@dataclass(frozen=True)
class Sizes(Kind):
    """Positive whole numbers, with commas between them."""

    expected: str = "positive numbers, such as 227,259,323,451"

    def read(self, value: Any, folder: Path) -> tuple[int, ...]:
        return tuple(int(whole(1).read(_digits(part), folder)) for part in value.split(","))


@dataclass(frozen=True)
class Limits(Kind):
    """Two numbers, the lower one first."""

    expected: str = "LOW,HIGH"

    def read(self, value: Any, folder: Path) -> tuple[float, float]:
        low, high = (float(part) for part in (value.split(",") if isinstance(value, str) else value))
        if not -inf < low <= high < inf:  # nor NaN
            raise ValueError(value)
        return low, high


@dataclass(frozen=True)
class Many(Kind):
    """Several of a kind: the option is repeated; TOML has a list, or one."""

    of: Kind = field(default_factory=Kind)

    def read(self, value: Any, folder: Path) -> tuple[Any, ...]:
        return tuple(_one(self.of, item, item, folder) for item in (value if isinstance(value, list) else [value]))


@dataclass(frozen=True)
class Pairs(Kind):
    """NAME=VALUE, the option repeated; a table in TOML. `bare` is the value of a name that stands alone; with `nameless` it is a value
    that may stand alone, its name is ""."""

    of: Kind = field(default_factory=Kind)
    bare: str | None = None
    nameless: bool = False

    def read(self, value: Any, folder: Path) -> dict[str, Any]:
        if isinstance(value, dict):
            return {name: _one(self.of, item, {name: item}, folder) for name, item in value.items()}
        return dict(self._pair(text, folder) for text in (value if isinstance(value, list) else [value]))

    def _pair(self, text: str, folder: Path) -> tuple[str, Any]:
        name, sign, item = text.partition("=")
        if not sign and self.nameless:
            name, item = "", name
        elif not sign and self.bare is not None:
            item = self.bare
        elif not sign or not name:
            raise UnfitError(text)
        return name, _one(self.of, item or self.bare or "", text, folder)


def _one(kind: Kind, item: Any, shown: Any, folder: Path) -> Any:
    try:
        return kind.read(item, folder)
    except (AttributeError, TypeError, ValueError):
        raise UnfitError(shown) from None


@dataclass(frozen=True)
class Option:
    """How a field is written: `--name` on the command line; in a manifest `key`, or as before `old` or the name of the field itself."""

    name: str
    kind: Kind
    help: str
    default: Any = None
    panel: str | None = None
    key: str = ""
    old: str = ""
    short: str = ""


def option(
    default: Any,
    kind: Kind,
    name: str,
    help: str,
    *,
    panel: str | None = None,
    key: str = "",
    old: str = "",
    short: str = "",
) -> Any:
    """A field of a class of options. `key` is its name in a manifest if that is not `name`, `old` one that is taken as well, `short` its
    letter, `panel` where help shows it if that is not the `PANEL` of the class."""
    metadata = {"option": Option(name, kind, help, default, panel, key or name.replace("-", "_"), old, short)}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


def options_of(cls: type[Any]) -> dict[str, Option]:
    """The options among the fields of a class, by field."""
    options = {f.name: f.metadata["option"] for f in fields(cls) if "option" in f.metadata}
    panel = getattr(cls, "PANEL", "")
    return {name: replace(o, panel=panel) if o.panel is None else o for name, o in options.items()}


def from_words(cls: type[T], words: Mapping[str, Any]) -> T:
    """A value of a class from what stands on the command line, by key: None and [] are options that are not there.

    Raises: NetsurgeryError."""
    values = {}
    for name, o in options_of(cls).items():
        word = words.get(o.key)
        if word is not None and word != [] and not (word is False and not _negative(o.kind)):
            try:
                values[name] = o.kind.read(word, Path())
            except (AttributeError, TypeError, ValueError) as error:
                item = error.item if isinstance(error, UnfitError) else word
                raise NetsurgeryError(f"--{o.name} {item}", expected=o.kind.expected) from None
    return cls(**values)


def _negative(kind: Kind) -> str:
    return kind.negative if isinstance(kind, Flag) else ""


def from_entries(
    values: Iterable[Any], entries: Mapping[str, Any], folder: Path, who: str, source: Mapping[str, Source]
) -> list[Any]:
    """Values of classes of options, changed by the entries of a manifest; `who` they are for, and where each stands.

    Raises: ParseError for an entry that no class has, that comes in two spellings, or whose value is not what it takes."""
    rest = dict(entries)
    changed = []
    for value in values:
        changes = {}
        for name, o in options_of(type(value)).items():
            for key in entries.keys() & {o.key, name, o.old, _negative(o.kind).replace("-", "_")}:
                if name in changes:
                    raise ParseError(f"{who}: '{key}' says once more what another entry says", source=source.get(key))
                rest.pop(key, None)
                changes[name] = _entry(o, name, key, entries[key], folder, who, source.get(key))
        changed.append(replace(value, **changes))
    if rest:
        key = next(iter(rest))
        keys = sorted({o.key for value in values for o in options_of(type(value)).values()})
        near = get_close_matches(key.replace("-", "_"), keys, n=1)
        raise ParseError(
            f"{who}: the manifest's entry '{key}' is not known",
            source=source.get(key),
            expected=", ".join(keys),
            fix=f"did you mean '{near[0]}'?" if near else "",
        )
    return changed


def _entry(o: Option, name: str, key: str, value: Any, folder: Path, who: str, source: Source | None) -> Any:
    flag = o.kind if isinstance(o.kind, Flag) else None
    try:
        if flag is not None and key == flag.negative.replace("-", "_"):
            return flag.no if flag.read(value, folder) == flag.yes else flag.yes
        if flag is not None and key == name != o.key and type(value) is type(flag.yes) and value in (flag.yes, flag.no):
            return value
        return o.kind.read(value, folder)
    except (AttributeError, TypeError, ValueError):
        raise ParseError(f"{who}: {key} is {value!r}", source=source, expected=o.kind.toml or o.kind.expected) from None


def said(*values: Any) -> dict[str, Any]:
    """What these values of classes of options say that is not the default, by field, as JSON holds it: `from_entries` reads it back."""
    words = {}
    for value in values:
        default = type(value)()
        for name in options_of(type(value)):
            word = getattr(value, name)
            if word != getattr(default, name) and word is not None:
                words[name] = _plain(word)
    return words


def _plain(word: Any) -> Any:
    if isinstance(word, Mapping):
        return {str(name): _plain(item) for name, item in word.items()}
    if isinstance(word, list | tuple):
        return [_plain(item) for item in word]
    return word if isinstance(word, bool | int | float | str) else str(word)
