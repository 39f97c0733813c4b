"""Protobuf text -> Message: the words of a prototxt as they stand in the file, with line and column, comments kept.

No schema is asked here: leaf values are Tokens, messages have no type (typed.resolve gives them theirs). What protobuf
itself accepts is accepted (`field: {`, `<...>`, `[1, 2]`, `,` and `;`, adjacent strings, `[extension.name]`), and some
things more whose meaning is certain: a byte order mark, no-break spaces, text that is not UTF-8.

Comments: `Field.comments` are those above a field and behind its opening brace, `Field.remark` is the one behind it on
its last line; comments between the last field of a block and the brace that closes it are further lines of that remark.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from dataclasses import replace
from typing import NamedTuple, NoReturn

from ...errors import ParseError, Source
from ...files.signatures import HEAD
from ...limits import lift, limits
from ...message import Field, Message, Token, readable
from .characters import EscapeError, binary_error, decode, unescaped
from .template import is_template, placeholders, template_error

MAX_DEPTH = 100
"""Messages nested deeper than this are refused (protobuf's own limit)."""

# Possessive quantifiers (`++`) keep every token linear in its length, whatever the file holds.
_TOKEN = re.compile(
    r"""\s*+(?:
      ([A-Za-z_][A-Za-z0-9_]*+)
    | (-?(?:0[xX][0-9A-Fa-f]++|(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?[fF]?)(?![\w.]))
    | ((?:"(?:[^"\\\n]++|\\.)*+")|(?:'(?:[^'\\\n]++|\\.)*+'))
    | (\[\s*+[A-Za-z_][\w.\-]*+(?:/[\w.\-]++)*+\s*+\])
    | ([{}<>\[\]:;,\-])
    | (\#[^\n]*+)
    | (\Z)
    | ([^\s{}<>\[\]:;,"'\#]++|.)
    )""",
    re.VERBOSE,
)
_FIELD = re.compile(
    r"""\s*+([A-Za-z_][A-Za-z0-9_]*+)\s*+:\s*+(?:
      (-?(?:0[xX][0-9A-Fa-f]++|(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?[fF]?)(?![\w.]))
    | ([A-Za-z_][A-Za-z0-9_]*+)
    | "([^"\\\n]*+)"
    )(?=\s*+[A-Za-z_}])""",
    re.VERBOSE,
)
"""`name: value` with nothing behind it that could belong to it (a comment, a comma, more of a string): most of every net."""
_KINDS = ("", "", "number", "name", "string")
_NAME, _NUMBER, _STRING, _EXTENSION, _MARK, _COMMENT, _END, _BAD = range(1, 9)

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x19\x1b-\x1f]")
_INFINITE = {"inf", "infinity", "nan"}


class _Comment(NamedTuple):
    line: int
    at: int
    end: int
    text: str


def parse(data: bytes | str, file: str = "", *, layer_text: bool = True) -> Message:
    """The tree of a prototxt, untyped. Top-level `layer` and `layers` messages carry their own text, if `layer_text`.

    Raises: ParseError if it is not protobuf text, with file, line and column; a template is named as one.
    """
    return _Parser(decode(data, file), file, layer_text).run()


class _Parser:
    """Recursive descent. `kind`, `word` and `at` are those of the token ahead, `end` is where the last one ended."""

    def __init__(self, text: str, file: str, layer_text: bool) -> None:
        self.text, self.file, self.layer_text = text, file, layer_text
        self.whole = Source(file)
        self.lines = array("I", [0])
        self.lines.extend(m.end() for m in re.finditer("\n", text))
        self.kind, self.word, self.at, self.end, self.next_end = _END, "", 0, 0, 0
        self.pending: list[_Comment] = []
        self.room = limits().fields
        self.words: dict[str, str] = {}
        self.values: dict[str, dict[str, Token]] = {"number": {}, "name": {}, "string": {}}
        self.open: list[tuple[str, str, int]] = []

    def run(self) -> Message:
        self.advance()
        fields = self.fields("")
        if not fields:
            raise ParseError("the file is empty", source=Source(self.file), expected="a prototxt: protobuf text")
        self.leave_comments(fields)
        return Message("", tuple(fields), Source(self.file, 1, 1))

    def advance(self) -> None:
        self.end = end = self.next_end
        while match := _TOKEN.match(self.text, end):
            kind = match.lastindex or _END
            end = match.end()
            if kind != _COMMENT:
                self.kind, self.at, self.next_end = kind, match.start(kind), end
                word = match[kind]
                self.word = self.words.setdefault(word, word)  # the same few again and again: keep one of each
                return
            at = match.start(kind)
            comment = readable(match[kind])[1:].removeprefix(" ").rstrip()
            self.pending.append(_Comment(self.line(at), at, end, comment))

    def line(self, at: int) -> int:
        return bisect_right(self.lines, at)

    def source(self, at: int) -> Source:
        return Source.of(self.place(at))

    def place(self, at: int) -> int:
        line = bisect_right(self.lines, at)
        return self.whole.at(line, at - self.lines[line - 1] + 1)

    def is_mark(self, marks: str) -> bool:
        return self.kind == _MARK and self.word in marks

    def take_comments(self) -> list[_Comment]:
        comments, self.pending = self.pending, []
        return comments

    def take_remark(self) -> _Comment | None:
        """The comment behind the last token, on its line."""
        if self.pending and self.pending[0].line == self.line(self.end):
            return self.pending.pop(0)
        return None

    def leave_comments(self, fields: list[Field]) -> None:
        """Comments that no field follows go to the last field, as further lines of its remark."""
        if self.pending and fields:
            lines = [fields[-1].remark, *(c.text for c in self.take_comments())]
            fields[-1] = replace(fields[-1], remark="\n".join(lines))

    def fields(self, closer: str) -> list[Field]:
        """All fields up to `closer` ("" is the end of the file), which is the current token afterwards."""
        fields: list[Field] = []
        while True:
            if self.kind == _NAME or self.kind == _EXTENSION:
                if not self.plain_fields(fields):
                    self.field(fields)
            elif (self.kind == _MARK and self.word == closer) or (self.kind == _END and not closer):
                return fields
            else:
                self.fail_field()

    def plain_fields(self, fields: list[Field]) -> bool:
        """Appends the fields that start here and are `name: value` and no more, all at once; whether there is one."""
        match = _FIELD.match(self.text, self.at)
        if match is None:
            return False
        above = tuple([c.text for c in self.take_comments()]) if self.pending else ()
        words, lines, text, file = self.words, self.lines, self.text, self.whole
        while match:
            kind = match.lastindex or 0
            name, word = match.group(1, kind)
            at = match.start(1)
            line = bisect_right(lines, at)
            place = file.at(line, at - lines[line - 1] + 1)
            self.take_room(place)
            fields.append(Field(words.setdefault(name, name), self.token(word, _KINDS[kind]), place, above))
            above, self.next_end = (), match.end()
            match = _FIELD.match(text, self.next_end)
        self.advance()
        return True

    def field(self, fields: list[Field]) -> None:
        """Appends the field that starts here: one, or as many as its list has elements."""
        name, at, top = self.word, self.at, not self.open
        if self.kind == _EXTENSION:
            name = "".join(name.split())
        comments = self.take_comments()
        self.advance()
        colon = self.is_mark(":")
        if colon:
            self.advance()
            if self.pending:
                comments += self.take_comments()
        if self.is_mark("{<"):
            place = self.place(at)
            message = self.message(name, place, comments)
            self.separator()
            remark = self.take_remark()
            if top and self.layer_text and name in ("layer", "layers"):
                text = readable(self.text[self.text_start(place, at, comments) : remark.end if remark else self.end])
                message = Message("", message.fields, place, text)
            self.append(fields, name, message, place, comments, remark)
        elif self.is_mark("[") or self.kind == _EXTENSION:
            self.elements(fields, name, colon, comments)
        elif colon:
            value = self.scalar(name)
            self.separator()
            self.append(fields, name, value, self.place(at), comments, self.take_remark() if self.pending else None)
        else:
            self.fail(f"expected ':' or '{{' after '{name}', found {self.current()}", self.at)

    def append(
        self,
        fields: list[Field],
        name: str,
        value: Token | Message,
        place: int,
        comments: list[_Comment],
        remark: _Comment | None,
    ) -> None:
        self.take_room(place)
        above = tuple([c.text for c in comments]) if comments else ()
        fields.append(Field(name, value, place, above, remark.text if remark else ""))

    def take_room(self, place: int) -> None:
        self.room -= 1
        if self.room < 0:
            raise ParseError(
                f"more than {limits().fields} fields", source=Source.of(place), expected="a net", fix=lift("fields")
            )

    def text_start(self, place: int, at: int, comments: list[_Comment]) -> int:
        """Where the text of a layer starts: at the first of the comment lines directly above it."""
        line = Source.of(place).line
        for comment in reversed(comments):
            if comment.at < at:
                if comment.line != line - 1:
                    break
                line, at = comment.line, comment.at
        return at

    def separator(self) -> None:
        if self.is_mark(",;"):
            self.advance()

    def message(self, name: str, place: int, comments: list[_Comment]) -> Message:
        """The message whose opening brace is the current token; comments behind the brace join `comments`."""
        if len(self.open) == MAX_DEPTH:
            self.fail(f"messages are nested more than {MAX_DEPTH} deep", self.at)
        closer = "}" if self.word == "{" else ">"
        self.open.append((name, closer, self.at))
        self.advance()
        while remark := self.take_remark():
            comments.append(remark)
        fields = self.fields(closer)
        if fields:
            self.leave_comments(fields)
        else:
            comments += self.take_comments()
        self.open.pop()
        self.advance()
        return Message("", tuple(fields), place)

    def elements(self, fields: list[Field], name: str, colon: bool, comments: list[_Comment]) -> None:
        """Appends one field per element of the list that starts here. An empty list leaves nothing."""
        count = len(fields)
        if self.kind == _EXTENSION:  # `[MAX]`: where a value stands, it is a list of one name
            word = self.word[1:-1].strip()
            if not colon or not re.fullmatch(r"[A-Za-z_]\w*", word):
                self.fail(f"expected a value after '{name}', found {self.current()}", self.at)
            place = self.place(self.at)
            self.advance()
            self.append(fields, name, self.token(word, "name"), place, comments, None)
        else:
            start = self.at
            self.advance()
            while not self.is_mark("]"):
                comments += self.take_comments()
                place = self.place(self.at)
                value = self.message(name, place, comments) if self.is_mark("{<") else self.element(name, colon, start)
                self.element_end(start)
                self.append(fields, name, value, place, comments, self.take_remark())
                comments = []
            self.advance()
        self.separator()
        if len(fields) > count and (remark := self.take_remark()):
            last = fields[-1]
            fields[-1] = replace(last, remark=f"{last.remark} {remark.text}".strip())

    def element(self, name: str, colon: bool, start: int) -> Token:
        if self.kind == _END:
            self.fail("'[' is never closed", start)
        if not colon:
            self.fail(f"expected ':' after '{name}'", start)
        return self.scalar(name)

    def element_end(self, start: int) -> None:
        """After an element: a comma and one more element, or the end of the list."""
        if self.is_mark(","):
            self.advance()
            if not self.is_mark("]"):
                return
            self.fail("expected a value after ',', found ']'", self.at)
        if self.kind == _END:
            self.fail("'[' is never closed", start)
        if not self.is_mark("]"):
            self.fail(f"expected ',' or ']' in the list, found {self.current()}", self.at)

    def scalar(self, name: str) -> Token:
        kind, word = self.kind, self.word
        if kind == _NUMBER:
            self.advance()
            return self.token(word, "number")
        if kind == _NAME:
            self.advance()
            return self.token(word, "name")
        if kind == _STRING:
            parts = [self.string(word)]
            self.advance()
            while self.kind == _STRING:  # adjacent strings are one
                parts.append(self.string(self.word))
                self.advance()
            return self.token("".join(parts), "string")
        if kind == _MARK and word == "-":
            self.advance()
            word = self.word
            if (self.kind == _NUMBER and word[0] != "-") or (self.kind == _NAME and word.lower() in _INFINITE):
                self.advance()
                return self.token(f"-{word}", "number")
        self.fail(f"expected a value after '{name}', found {self.current()}", self.at)

    def token(self, text: str, kind: str) -> Token:
        """A value; one that was met before is the same object: a net says the same few again and again."""
        values = self.values[kind]
        value = values.get(text)
        if value is None:
            value = values[text] = Token(text, kind)
        return value

    def string(self, word: str) -> str:
        if "\\" not in word:
            return self.words.setdefault(text := word[1:-1], text)
        try:
            return unescaped(word[1:-1])
        except EscapeError as error:
            self.fail(f"'{error}' in a string is no escape", self.at, fix="write '\\\\' for a backslash")

    def current(self) -> str:
        if self.kind == _END:
            return "the end of the file"
        if self.kind == _BAD and self.word in "\"'":
            return "a string that does not end on its line"
        word = readable(self.word if len(self.word) <= 40 else f"{self.word[:37]}...")
        word = word if word.isprintable() else ascii(word)[1:-1]
        return word if self.kind == _STRING else f"'{word}'"

    def fail_field(self) -> NoReturn:
        """The current token is where a field or a closing brace should be."""
        if self.kind == _END:
            name, closer, at = self.open[-1]
            opener = "{" if closer == "}" else "<"
            self.fail(f"the '{opener}' of '{name}' is never closed", at, fix=f"add a '{closer}'")
        if self.is_mark("}>"):
            if not self.open:
                self.fail(f"'{self.word}' closes nothing", self.at, fix="remove it, or open the message it belongs to")
            name, closer, at = self.open[-1]
            self.fail(f"expected '{closer}' to close '{name}' of line {self.line(at)}, found '{self.word}'", self.at)
        self.fail(f"expected a field name, found {self.current()}", self.at)

    def fail(self, problem: str, at: int, *, fix: str = "") -> NoReturn:
        """Raises the error, or the one that explains it better: the file is not what it should be."""
        head = self.text[:HEAD]
        if _CONTROL.search(head):
            raise binary_error(self.text.encode("utf-8", "surrogateescape"), self.file)
        start = head.lstrip().lower()
        if start.startswith(("<!doctype", "<html")):
            raise ParseError(
                "this is a web page", source=Source(self.file), expected="a prototxt", fix="download the raw file"
            )
        if start.startswith("version https://git-lfs"):
            raise ParseError(
                "this is a Git LFS pointer", source=Source(self.file), expected="a prototxt", fix="run `git lfs pull`"
            )
        source = self.source(at)
        if "{%" in self.text:
            raise ParseError("this is a Jinja template", source=source, fix="render it with Jinja first")
        if is_template(self.text):
            raise template_error(placeholders(self.text), source)
        raise ParseError(f"column {source.column}: {problem}", source=source, fix=fix)
