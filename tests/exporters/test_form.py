"""Every keyword of a public function arrives in the field of its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from inspect import signature
from types import ModuleType
from typing import Any

import cases
import pytest

from netsurgery.exporters.caffe2 import export as caffe2
from netsurgery.exporters.form import ModelForm
from netsurgery.exporters.onnx import export, save


class DoneError(Exception):
    """The options have arrived."""


@pytest.mark.parametrize(
    ("module", "door", "inner"),
    [
        (export, export.to_onnx, "build"),
        (save, save.save_onnx, "write_onnx"),
        (caffe2, caffe2.to_caffe2, "as_caffe2"),
        (caffe2, caffe2.save_caffe2, "as_caffe2"),
    ],
)
def test_each_keyword_is_the_field_of_its_name(
    module: ModuleType, door: Callable[..., Any], inner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [p.name for p in signature(door).parameters.values() if p.kind == p.KEYWORD_ONLY]
    assert len(words) > 3 and set(words) <= {f.name for f in fields(ModelForm)}
    forms: list[ModelForm] = []

    def seen(*arguments: Any) -> None:
        forms.append(arguments[-1])
        raise DoneError

    monkeypatch.setattr(module, inner, seen)
    places = [""] if door.__name__.startswith("save") else []
    for word in words:
        with pytest.raises(DoneError):
            door(cases.load(cases.FIXTURES / "conformance/nets/lenet"), *places, **{word: ("asked",)})
        assert [f.name for f in fields(ModelForm) if getattr(forms[-1], f.name) == ("asked",)] == [word]
