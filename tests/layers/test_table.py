"""Adding a layer type touches its file, one line of the table and its test, nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import netsurgery
from netsurgery.errors import UnsupportedError
from netsurgery.formats.load import from_text
from netsurgery.layers import FILES, find, make_layer, names
from netsurgery.layers.core import registry

PACKAGE = Path(netsurgery.__file__).parent
APART = ("layers", "formats", "pycaffe", "_proto", "drawing")
"""Rooms that may name types: the files of the types; the dialects of files, old and foreign; Caffe's own face; pictures."""
NAMED = {
    ("passes/_inputs.py", "Input"): "the layer that a declared input is written as",
    ("interpreter.py", "InnerProduct"): "the advice of an error",
    ("passes/cut.py", "Input"): "the layer that a declared input is written as",
    ("passes/convolutionalize.py", "Input"): "the layer that a declared input is written as",
    ("passes/deploy.py", "Input"): "the layer that a data layer becomes",
    ("passes/raw_detections.py", "DetectionOutput"): "the pass is about this type",
    ("vision/filters.py", "Convolution"): "shown first where no layer is named",
    ("vision/saliency.py", "ReLU"): "the guided gradient is about this type",
    ("vision/saliency.py", "Pooling"): "the map before a pooling is finer than its own",
    ("vision/score.py", "DummyData"): "data layers are read as Caffe reads each",
    ("vision/judges.py", "Input"): "an input that the file declares, not a data layer",
    ("vision/judges.py", "Silence"): "it reads, and gives nothing",
    ("verification/runtimes/caffe.py", "BatchNorm"): "real Caffe keeps a state in it",
    ("verification/runtimes/caffe.py", "Input"): "an input that the file declares, not a data layer",
}


SUBJECTS = {
    *(
        "against_caffe",
        "arranging",
        "cases",
        "elementwise",
        "elementwise_refusals",
        "fillers",
        "losses",
        "own_layers",
        "table",
    ),
    *("fork_dialects", "fork_formulas", "fork_leftovers", "fork_variants", "fork_windows", "ties", "windows"),
    *("python_by_formula", "regions_by_formula"),
}
"""What tests hold that are not about one file."""


def compared() -> Iterator[tuple[str, str]]:
    """(module, type) wherever a module outside of those rooms holds a layer's type against a name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE)
        if place.parts[0] in APART:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                not isinstance(node, ast.Compare)
                or not isinstance(node.left, ast.Attribute)
                or node.left.attr != "type"
            ):
                continue
            if isinstance(node.left.value, ast.Name) and node.left.value.id in ("op", "operator", "node", "proto"):
                continue
            for side in node.comparators:
                names = {n.value for n in ast.walk(side) if isinstance(n, ast.Constant)}
                yield from ((place.as_posix(), str(name)) for name in names if name in FILES)


def test_nobody_else_asks_for_a_type_by_name() -> None:
    assert set(compared()) <= set(NAMED)
    assert set(NAMED) <= set(compared()), "an exception that is needed no more"


def test_every_file_is_in_the_table() -> None:
    files = {path.stem: path.read_text() for path in (PACKAGE / "layers").glob("*.py") if path.stem != "__init__"}
    others = "".join(files.values())
    missing = {name for name in files if name not in FILES.values() and f"from .{name} import" not in others}
    assert not missing, f"add a line for each to FILES in netsurgery/layers/__init__.py: {sorted(missing)}"
    assert set(FILES.values()) <= set(files)


def test_every_type_without_numbers_is_named_by_a_test() -> None:
    text = "".join(path.read_text() for path in Path(__file__).parent.rglob("test_*.py") if path != Path(__file__))
    missing = {
        f"tests/layers/test_{file}.py"
        for type, file in FILES.items()
        if (cls := find(type))
        and "by formula" in cls.note
        and not any(name.split(":")[0] in text for name in cls.types)
    }
    assert not missing, f"no test holds these types against their source: write {sorted(missing)}"


def test_every_test_is_named_for_a_layer_file_or_a_subject() -> None:
    """`tests/layers/test_pooling.py` holds layers/pooling.py; what holds several is named in SUBJECTS."""
    tests = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")}
    odd = tests - {path.stem for path in (PACKAGE / "layers").glob("*.py")} - SUBJECTS
    assert not odd, f"call a test of layers/x.py tests/layers/test_x.py, or add its subject to SUBJECTS: {sorted(odd)}"


@pytest.mark.parametrize("type", FILES)
def test_every_line_of_the_table_leads_to_a_class(type: str) -> None:
    cls = find(type)
    assert cls is not None and type in cls.types and cls.__doc__


def test_a_forgotten_line_of_the_table_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_files", {k: v for k, v in FILES.items() if k != "AbsVal"})
    kind = make_layer("a", "AbsVal", ("x",), ("y",)).kind
    with pytest.raises(UnsupportedError) as caught:
        kind.shapes([(1,)])
    assert str(caught.value) == (
        "layer 'a' (AbsVal): layer type 'AbsVal' has its file, layers/absval.py, and no line in the table of types\n"
        "  expected: every type in FILES of netsurgery/layers/__init__.py\n"
        '  fix: add the line "AbsVal": "absval", to FILES'
    )


def test_a_line_that_leads_nowhere_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_files", {**FILES, "Wobble": "absval"})
    with pytest.raises(AssertionError, match=r"layers/absval\.py holds 'Wobble'"):
        find("Wobble")


def test_facts_come_from_the_layer_s_class() -> None:
    facts = {
        name: (cls.gives_features, cls.flattens, cls.joins)
        for name in ("Convolution", "Flatten", "Reshape", "Concat", "BatchNorm", "PriorBox", "Softmax")
        if (cls := find(name))
    }
    assert facts == {
        "Convolution": (True, False, False),
        "Flatten": (True, True, False),
        "Reshape": (True, True, False),
        "Concat": (True, False, True),
        "BatchNorm": (False, False, False),
        "PriorBox": (False, False, False),
        "Softmax": (False, False, False),
    }
    net = from_text('input: "x" input_shape { dim: 1 dim: 2 } layer { name: "s" type: "Softmax" bottom: "x" top: "s" }')
    assert net["s"].kind.distribution == 1


def test_types_stand_in_one_order() -> None:
    """GELU and Gelu differ in case alone: which comes first may not change from run to run."""
    assert [*names()] == sorted(names(), key=lambda name: (name.lower(), name))
