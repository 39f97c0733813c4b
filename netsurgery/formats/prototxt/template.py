"""Prototxt templates: files with placeholders, which some script of their author filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from ...errors import ParseError, Source

_MARKED = re.compile(
    r"""\$\{(\w+)\} | \$(\w+)\$ | \$([A-Za-z_]\w*)  # ${X}, $X$, $X
    | \{\{[ \t]*+([A-Za-z_]\w*+)[ \t]*+\}\}         # {{ x }}, Jinja's
    | \{([A-Za-z_]\w*+)\}                           # {x}, of str.format
    | %\((\w+)\)[a-z] | @(\w+)@                     # %(x)d, @X@
    """,
    re.VERBOSE,
)
_PIECE = re.compile(
    r"""(?P<string>"(?:[^"\\\n]++|\\.)*+"?|'(?:[^'\\\n]++|\\.)*+'?)
    | (?P<comment>\#[^\n]*+)
    | (?P<marked>"""
    + _MARKED.pattern
    + r""")
    | (?<=[:\s])(?P<bare>[A-Za-z_]\w*+)(?!\s*+[:{<\[])""",
    re.VERBOSE,
)
_WORDS = {"true", "false", "t", "f", "inf", "infinity", "nan"}


def template_error(names: list[str], source: Source) -> ParseError:
    """The error that a file is a template of which these placeholders are not filled."""
    listed = ", ".join(f"'{name}'" for name in names)
    return ParseError(
        f"this is a template: {listed} {'is' if len(names) == 1 else 'are'} not filled in",
        source=source,
        expected="a value for each placeholder",
        fix=" ".join(f"--set {name}=VALUE" for name in names),
    )


def is_template(text: str) -> bool:
    """Whether there are marked placeholders outside comments and strings (where they may be meant as they stand)."""
    return any(piece["marked"] for piece in _PIECE.finditer(text))


def placeholders(text: str) -> list[str]:
    """Names that a template leaves open, in order: `$X$`, `${X}`, `$X`, `{x}`, `{{ x }}`, `%(x)d`, `@X@`.

    In a text with none of these: bare words with a small letter where a value is due (`num_output: cls6x`), which no
    enum value has.
    """
    names: dict[str, None] = {}
    bare: dict[str, None] = {}
    for piece in _PIECE.finditer(text):
        if word := piece["bare"]:
            if not word.isupper() and word.lower() not in _WORDS:
                bare[word] = None
        elif not piece["comment"]:
            names.update((_name(match), None) for match in _MARKED.finditer(piece[0]))
    return list(names or bare)


def fill_template(text: str, values: Mapping[str, str]) -> str:
    """The text with `values` in place of the placeholders of their names; those not named stay.

    In a template for str.format (one that has `{x}`), `{{` and `}}` become single braces.

    Raises: ParseError if a name does not occur.
    """
    used: set[str] = set()

    def fill(name: str, otherwise: str) -> str:
        if name not in values:
            return otherwise
        used.add(name)
        return values[name]

    def fill_marked(match: re.Match[str]) -> str:
        return fill(_name(match), match[0])

    def fill_piece(match: re.Match[str]) -> str:
        if match["comment"]:
            return match[0]
        if match["bare"]:
            return fill(match[0], match[0])
        return _MARKED.sub(fill_marked, match[0])

    open_names = placeholders(text)
    formatted = any(re.fullmatch(r"\{\w+\}", piece["marked"] or "") for piece in _PIECE.finditer(text))
    # Braces that str.format doubles are set aside while names are filled: `{{height}}` is no placeholder there.
    filled = _PIECE.sub(fill_piece, re.sub(r"\{\{|\}\}|\{\w+\}", _set_aside, text) if formatted else text)
    if formatted:
        filled = filled.replace("\0", "{").replace("\1", "}")
    for name in values:
        if name not in used:
            near = get_close_matches(name, open_names, n=1)
            raise ParseError(
                f"there is no placeholder '{name}' in the text",
                expected=f"one of: {', '.join(open_names)}"
                if open_names
                else "a template; the text has no placeholders",
                fix=f"did you mean '{near[0]}'?" if near else "",
            )
    return filled


def _set_aside(braces: re.Match[str]) -> str:
    return {"{{": "\0", "}}": "\1"}.get(braces[0], braces[0])


def _name(match: re.Match[str]) -> str:
    return next(name for name in match.groups() if name)
