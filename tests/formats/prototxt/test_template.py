"""Prototxt text: what is read, what is refused and with which words, and that it is written back the same."""

from __future__ import annotations

import pytest
from texts import refusal, string

from netsurgery.errors import ParseError
from netsurgery.formats.prototxt.template import fill_template, placeholders
from netsurgery.formats.prototxt.text import parse


def test_templates_are_recognised() -> None:
    expected = (
        "a.prototxt:2: this is a template: '{}' is not filled in\n  expected: a value for each placeholder\n"
        "  fix: --set {}=VALUE"
    )
    for written in ("$H$", "${H}", "$H", "{H}", "{{ H }}", "{{H}}", "%(H)d", "@H@"):
        assert refusal(f"# $x {{y}} and @z@\ninput_dim: {written}") == expected.format("H", "H"), written
    assert refusal("a: {h}\nb: {w}\nc: {h}") == (
        "a.prototxt:1: this is a template: 'h', 'w' are not filled in\n  expected: a value for each placeholder\n"
        "  fix: --set h=VALUE --set w=VALUE"
    )
    assert refusal("{% for i in x %}\na: 1") == (
        "a.prototxt:1: this is a Jinja template\n  fix: render it with Jinja first"
    )


def test_marks_in_strings_alone_make_no_template() -> None:
    assert refusal('source: "$HOME/{x}" }').startswith("a.prototxt:1: column 21: '}' closes nothing")
    assert parse('source: "$HOME/{x}"').fields[0].value == string("$HOME/{x}")


@pytest.mark.parametrize(
    ("text", "names", "filled"),
    [
        ('a: $H$ b: "${W}/$H$" # $H$', ["H", "W"], 'a: 7 b: "8/7" # $H$'),
        ("layer {{\n a: {H} b {{ c: {W}}} }}", ["H", "W"], "layer {\n a: 7 b { c: 8} }"),
        ("a {{ b: {H}}}\n# {W}", ["H"], "a { b: 7}\n# {W}"),
        ("a { b: {{ H }} c: {{W}} }", ["H", "W"], "a { b: 7 c: 8 }"),
        ("a: %(H)d b: @W@", ["H", "W"], "a: 7 b: 8"),
        (
            "num_output: clsx pool: MAX bias: true H: clsx W { clsx: inf }",
            ["clsx"],
            "num_output: 9 pool: MAX bias: true H: 9 W { clsx: inf }",
        ),
    ],
)
def test_fills_templates(text: str, names: list[str], filled: str) -> None:
    values = {"H": "7", "W": "8", "clsx": "9"}
    assert placeholders(text) == names
    assert fill_template(text, {key: values[key] for key in names}) == filled


def test_a_template_may_be_filled_in_steps() -> None:
    text = fill_template("a: $H$ b: $W$", {"H": "1"})
    assert text == "a: 1 b: $W$"
    assert placeholders(text) == ["W"]


def test_filling_what_is_not_there() -> None:
    with pytest.raises(ParseError) as caught:
        fill_template("a: $height$", {"heigth": "1"})
    assert str(caught.value) == (
        "there is no placeholder 'heigth' in the text\n  expected: one of: height\n  fix: did you mean 'height'?"
    )
    with pytest.raises(ParseError) as caught:
        fill_template("a: 1", {"x": "1"})
    assert str(caught.value) == (
        "there is no placeholder 'x' in the text\n  expected: a template; the text has no placeholders"
    )
