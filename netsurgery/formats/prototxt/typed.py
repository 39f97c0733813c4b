"""Types for the words of a prototxt: Tokens become the bool, int, float, str, bytes or enum name that the schema says.

What protobuf refuses is refused with the line: a value of another kind, an integer out of range, `3.0` for an integer,
a field set twice that is not repeated. Fields that the schema does not know stay as they were written: whoever reads
the layer judges them.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from ... import _proto
from ...errors import ParseError
from ...layers import names
from ...layers.core.suggest import meant, spelling
from ...message import Field, Message, Token, float32, readable

_BOOLS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_INFINITE = re.compile(r"(-?(?:inf|nan))(?:inity)?f?", re.IGNORECASE)
_INTEGER = re.compile(r"(-?)(?:(0[xX][0-9a-fA-F]+)|(0[0-7]+)|([1-9][0-9]{0,19}|0))")
# 010 is octal, and no float is written so.
_DECIMAL = re.compile(r"-?(?!0[0-9]+[fF]?\Z)[0-9.]+(?:[eE][+-]?[0-9]+)?[fF]?")
REFUSED = {
    "PoolMethod": (
        "STOCHASTIC",
        "DEF",
        "DEF_ALL",
        "DEF_ALL2",
        "DEF_ALL3",
        "DEF_ALL4",
        "LOWRES",
        "AVE_EXC_PAD",
        "AVE_TF",
    ),
    "EltwiseOp": ("SORT", "STOCHASTIC_SUM"),
    "ReductionOp": ("SQSUM", "MAX", "MIN", "PROD", "L2", "LOGSUM", "LOGSUMEXP", "TOPK"),
    "NormalizationMode": ("PRE_FIXED",),
    "FusionType": ("SUM_FUSION",),
    "ResampleType": ("AREA",),
    "UnPoolMethod": ("FIXED", "DIV", "REP"),
    "LayerType": ("NONE",),
}
"""Words of enums that forks know and layers here refuse: errors do not list them as what is expected."""
_LAYER_TYPE = "V1LayerParameter.LayerType"
"""Forks added names to this enum: one that the schema does not know is an unknown layer type, refused as such later."""
_LAYERS = ("LayerParameter", "V1LayerParameter", "V0LayerParameter")


def resolve(message: Message, type: str) -> Message:
    """`message` and all within it as the schema's message `type`: values converted, enums by name, floats as float32.

    Raises: ParseError with file and line for a value that its field cannot hold, or a field set twice that is not
    repeated. Words where numbers are due (`num_output: cls6x`, a template) are listed in one error.
    """
    resolver = _Resolver()
    resolved = resolver.message(message, type)
    resolver.finish()
    return resolved


class _Resolver:
    def __init__(self) -> None:
        self.layer: Message | None = None
        self.words: dict[str, ParseError] = {}
        """Words that stand where numbers are due, with the error of their first occurrence."""

    def finish(self) -> None:
        if self.words:
            first = next(iter(self.words.values()))
            fills = " ".join(f"--set {word}=VALUE" for word in self.words)
            raise ParseError(
                first.problem,
                layer=first.layer,
                source=first.source,
                expected=first.expected,
                fix=f"if the file is a template, fill it in: {fills}",
            )

    def message(self, message: Message, type: str) -> Message:
        schema = _proto.message(type)
        outer = self.layer
        if type in _LAYERS:
            self.layer = message
        seen: dict[str, Field] = {}
        fields: list[Field] = []
        for f in message.fields:
            field_type = schema.get(f.name)
            if field_type is None:
                fields.append(f)
                continue
            if not field_type.repeated:
                if f.name in seen:
                    first = seen[f.name].source
                    where = f"first in line {first.line}, column {first.column}" if first.line else "twice"
                    self.fail(
                        f, f"{f.name} is set again ({where}); it is not a repeated field", fix="remove one of the two"
                    )
                seen[f.name] = f
            fields.append(Field(f.name, self.value(f, field_type), f.place, f.comments, f.remark))
        self.layer = outer
        return Message(type, tuple(fields), message.place, message.text)

    def value(self, f: Field, field_type: _proto.FieldType) -> Any:
        value, kind = f.value, field_type.kind
        if kind == "message":
            if not isinstance(value, Message):
                self.fail(f, f"{f.name} is {written(value)}", f"a message: {f.name} {{ ... }}")
            return self.message(value, field_type.type)
        if isinstance(value, Message):
            self.fail(f, f"{f.name} is a message", f"{_expected(kind)}: {f.name}: VALUE")
        if not isinstance(value, Token):
            return value
        if kind == "string":
            if value.kind != "string":
                self.fail(
                    f,
                    f"{f.name} is {written(value)} without quotes",
                    "a string",
                    _suggest(f, f'"{meaning}"') if (meaning := self.string(f, value.text)) else "",
                )
            return value.text if value.text.isascii() else readable(value.text)
        if kind == "bytes":
            if value.kind != "string":
                self.fail(f, f"{f.name} is {written(value)} without quotes", "a string")
            return value.text.encode("utf-8", "surrogateescape")
        if kind == "enum":
            if field_type.type == _LAYER_TYPE and value.kind == "name":
                return value.text
            return self.enum(f, value, field_type.type)
        if value.kind == "string":
            bare = (kind == "bool" and value.text.lower() in _BOOLS) or _DECIMAL.fullmatch(value.text) is not None
            advice = _suggest(f, value.text, ", without quotes") if bare else ""
            self.fail(f, f"{f.name} is {written(value)}", _expected(kind), advice)
        return self.number(f, value, kind)

    def string(self, f: Field, word: str) -> str:
        """What a word without quotes was meant to be, "" if nothing is: a type may have its name or number of an older vintage."""
        if f.name != "type" or self.layer is None or all(f is not other for other in self.layer.fields):
            return word
        old = next((name for name, number in _proto.enum(_LAYER_TYPE).items() if str(number) == word), word)
        return spelling(old, names()) or ""

    def number(self, f: Field, token: Token, kind: str) -> bool | int | float:
        text = token.text
        if kind == "bool":
            if text.lower() in _BOOLS:
                return _BOOLS[text.lower()]
        elif kind in ("float", "double"):
            if match := _INFINITE.fullmatch(text):
                return float(match[1].lower())
            if token.kind == "number" and _DECIMAL.fullmatch(text):
                number = float(text.rstrip("fF"))
                return float32(number) if kind == "float" else number
        elif match := _INTEGER.fullmatch(text):
            sign, hexadecimal, octal, decimal = match.groups()
            whole = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal)
            whole = -whole if sign else whole
            low, high = _proto.RANGES[kind]
            if low <= whole <= high:
                return whole
        error = self.error(f, f"{f.name} is {written(token)}", _expected(kind))
        if token.kind != "name":
            raise error
        self.words.setdefault(text, error)
        return 0

    def enum(self, f: Field, token: Token, type: str) -> str:
        values = _proto.enum(type)
        if token.kind == "number":
            for name, number in values.items():
                if token.text == str(number):
                    return name
        elif token.text in values:
            return token.text
        accepted = [name for name in values if name not in REFUSED.get(type.rpartition(".")[2], ())]
        near = meant(token.text, accepted)
        listed = accepted if len(accepted) <= 12 else [*accepted[:12], "..."]
        self.fail(
            f,
            f"{f.name} is {written(token)}",
            f"one of: {', '.join(listed)}",
            f"did you mean {near}?" if near else "",
        )

    def error(self, f: Field, problem: str, expected: str = "", fix: str = "") -> ParseError:
        return ParseError(problem, layer=_title(self.layer), source=f.source, expected=expected, fix=fix)

    def fail(self, f: Field, problem: str, expected: str = "", fix: str = "") -> NoReturn:
        raise self.error(f, problem, expected, fix)


def written(value: Token | Message) -> str:
    """A value of a field that the schema does not know as it stands in the file, shortened."""
    if isinstance(value, Message):
        return "a message"
    text = readable(value.text)
    text = text if len(text) <= 40 else f"{text[:37]}..."
    return f'"{text}"' if value.kind == "string" else text


def _suggest(f: Field, text: str, how: str = "") -> str:
    return f"{f.name}: {text}{how}" if re.fullmatch(r'"?[A-Za-z0-9_.+-]{1,40}"?', text) else ""


def _expected(kind: str) -> str:
    if kind in _proto.RANGES:
        low, high = _proto.RANGES[kind]
        return f"a whole number from {low} to {high}"
    return {"bool": "true or false", "enum": "a name", "string": "a string", "bytes": "a string"}.get(kind, "a number")


def _title(layer: Message | None) -> str:
    """How errors name the layer, as far as it has a name and a type (in a V0 net these stand in a `layer` within)."""
    if layer is None:
        return ""
    if isinstance(inner := layer.last("layer"), Message):
        layer = inner
    name, type = (readable(t.text) if isinstance(t := layer.last(key), Token) else "" for key in ("name", "type"))
    return f"'{name}' ({type})" if type else f"'{name}'" if name else ""
