"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/python.py."""

from __future__ import annotations

from typing import Any

import pytest
from one_layer import make, one, refusal

from netsurgery.errors import ParseError, Source, UnsupportedError
from netsurgery.formats.load import from_text
from netsurgery.layers.core.param_str import ParamStr


def test_python_layers_without_bottoms_are_inputs() -> None:
    net = from_text(
        one(
            "Python",
            "python_param { module: 'roi_data_layer.layer' layer: 'RoIDataLayer' param_str: \"'n': 1\" }",
            (),
            ("data", "im_info"),
        )
    )
    net.require_supported()
    assert dict(net.inputs) == {"data": None, "im_info": None}


def test_python_layers_that_are_not_known_are_refused_by_name() -> None:
    net = make(one("Python", "python_param { module: 'my.module' layer: 'Focal' }"), x=(1, 2))
    text = refusal(net.require_supported, UnsupportedError)
    assert (
        "net.prototxt:2: layer 'y' (Python): what Python module 'my.module', layer 'Focal' computes is not known"
        in text
    )
    assert "Python:rpn.proposal_layer.ProposalLayer" in text
    assert "fix: register a layer type 'Python:my.module.Focal' (README: Your own layer)" in text


PARAM_STRS: list[tuple[str, dict[str, Any]]] = [
    ("'feat_stride': 16", {"feat_stride": 16}),
    ("'feat_stride': 16 \n'scales': !!python/tuple [4, 8.5]", {"feat_stride": 16, "scales": [4, 8.5]}),
    ("{'a': (1, 2), \"b\": {c: True, d: null}, e: c:/x y,}", {"a": [1, 2], "b": {"c": True, "d": None}, "e": "c:/x y"}),
    ("a: it's # remark\n\n# more\nb: 'it''s'\nc: -1e-3", {"a": "it's", "b": "it's", "c": -0.001}),
    ("", {}),
]


@pytest.mark.parametrize(("text", "want"), PARAM_STRS)
def test_param_str_is_read_as_data(text: str, want: dict[str, Any]) -> None:
    assert ParamStr(text, "'y' (Python)", Source("f", 3)).read() == want


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("__import__('os')", "__import__"),
        ("[1]", "["),
        ("a: [1", "its end"),
        ("{a: 1}}", "}"),
        ("a: 1 b: 2", ":"),
        ("a: &anchor 1", "&anchor 1"),
        ("- a", "- a"),
        ("a: 'x", "'x"),
        ("a: " + "[" * 99, "deep nesting"),
    ],
)
def test_param_str_that_is_not_data_is_refused(text: str, at: str) -> None:
    assert refusal(lambda: ParamStr(text, "'y' (Python)", Source("f", 3)).read(), ParseError) == (
        f"f:3: layer 'y' (Python): param_str cannot be read at: {at}\n"
        "  expected: entries like 'feat_stride': 16, with numbers, words, lists and mappings in {}"
    )
