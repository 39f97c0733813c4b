"""The param_str of Python layers, read as plain data: the small part of YAML that is used there. Nothing is executed."""

from __future__ import annotations

import re
from typing import Any

from ...errors import ParseError, Source

_TOKEN = re.compile(
    r"""[ \t\r]*(?:\#[^\n]*)?(?P<token>
        \n | [{}\[\](),:] | !!?[\w/.:]+
        | '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.)*"
        | (?!-\s)[^\s{}\[\](),:'"\#!&*|>%@`](?:[^\n{}\[\](),:\#]|:(?=\S)|(?<=\S)\#)*
    )""",
    re.VERBOSE,
)
_WORDS: dict[str, object] = {
    **dict.fromkeys(("true", "True", "yes", "on"), True),
    **dict.fromkeys(("false", "False", "no", "off"), False),
    **dict.fromkeys(("null", "None", "~")),
}
_CLOSING = {"[": "]", "(": ")", "{": "}"}
_DEPTH = 32


class ParamStr:
    """A reader of one param_str: `'a': 1`, `{'a': [1, 2.5], b: text}`, `a: !!python/tuple [4, 8]`, a line or a comma between entries.

    Python's tuples are read as lists.
    """

    def __init__(self, text: str, title: str, source: Source) -> None:
        self._title, self._source = title, source
        self._tokens: list[str] = []
        at, text = 0, text.rstrip() + "\n"
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._error(text[at:].split("\n")[0])
            self._tokens.append(match["token"].strip(" \t\r"))
            at = match.end()
        self._tokens.append("")
        self._at = 0

    def read(self) -> dict[str, Any]:
        """The entries. Raises: ParseError"""
        self._skip_lines()
        if self._peek() == "{":
            value = self._value(0)
            entries = value if isinstance(value, dict) else {}
            self._skip_lines()
        else:
            entries = self._entries("", 0)
        if self._peek():
            raise self._error(self._peek())
        return entries

    def _peek(self) -> str:
        return self._tokens[self._at]

    def _next(self) -> str:
        token = self._peek()
        self._at += bool(token)
        return token

    def _skip_lines(self) -> None:
        while self._peek() == "\n":
            self._at += 1

    def _entries(self, end: str, depth: int) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while self._peek() != end:
            key = _scalar(self._next())
            if self._next() != ":" or not isinstance(key, (str, int)):
                raise self._error(str(key))
            value = self._value(depth)
            while not end and self._peek() == "," and self._continues():
                self._at += 1
                value = f"{value},{self._next()}"
            entries[str(key)] = value
            self._separate(end)
        return entries

    def _continues(self) -> bool:
        """Whether what follows a comma belongs to the value before it: 4,8,16 outside of brackets, which is one word."""
        word, behind = self._tokens[self._at + 1 : self._at + 3] if self._at + 2 < len(self._tokens) else ("", "")
        return bool(word) and word not in "\n[](){},:" and behind != ":"

    def _value(self, depth: int) -> Any:
        if depth > _DEPTH:
            raise self._error("deep nesting")
        token = self._next()
        if token.startswith("!"):
            return self._value(depth + 1)
        if token not in _CLOSING:
            if token in ("", "\n", ",", ":", "]", ")", "}"):
                raise self._error(token)
            return _scalar(token)
        end = _CLOSING[token]
        self._skip_lines()
        if token == "{":
            container: Any = self._entries(end, depth + 1)
        else:
            container = []
            while self._peek() != end:
                container.append(self._value(depth + 1))
                self._separate(end)
        self._at += 1
        return container

    def _separate(self, end: str) -> None:
        """Goes past a comma or the end of the line, which must be there unless `end` is."""
        here = self._at
        self._skip_lines()
        if self._peek() == ",":
            self._at += 1
            self._skip_lines()
        elif self._peek() != end and (self._at == here or end):
            raise self._error(self._peek())

    def _error(self, met: str) -> ParseError:
        return ParseError(
            f"param_str cannot be read at: {met.strip() or 'its end'}",
            layer=self._title,
            source=self._source,
            expected="entries like 'feat_stride': 16, with numbers, words, lists and mappings in {}",
        )


def _scalar(token: str) -> object:
    token = token.strip()
    if token[:1] in ("'", '"'):
        return re.sub(r"\\(.)", r"\1", token[1:-1]) if token[0] == '"' else token[1:-1].replace("''", "'")
    if token in _WORDS:
        return _WORDS[token]
    for read in (int, float):
        try:
            return read(token)
        except ValueError:
            pass
    return token
