"""What there is to say of every layer type: whose it is, what it is held to, which operators it becomes."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import FunctionType
from typing import Any

from .exporters.caffe2.graph import TYPES
from .layers import FILES, find, names
from .layers.core.layer_type import LayerType

METHODS = {"reshape": "Reshape", "square": "Mul"}
"""Methods of the builder that are an operator each."""
SSD = ("AnnotatedData", "VideoData")
"""The first and the last of the table's types that are of the SSD branch; those before are BVLC's, those behind of forks."""


@dataclass(frozen=True)
class Entry:
    """One layer type. `origin`: BVLC, SSD or fork; `source`: the file that it was written after; `held`: "numbers" of Caffe or the fork, or
    "formula"; `onnx`: the operators that its file names (a layer that passes its bottom on has none); `caffe2`: whether it has a form
    there."""

    type: str
    origin: str
    source: str
    held: str
    onnx: tuple[str, ...]
    caffe2: bool
    computes: str
    note: str

    @property
    def whose(self) -> str:
        """BVLC or SSD, or the file of the fork."""
        return self.source if self.origin == "fork" else self.origin


def entries() -> Iterator[Entry]:
    """Every layer type, sorted by name."""
    for name in names():
        cls = find(name)
        if cls is None:
            raise AssertionError(name)
        yield describe(name, cls)


def describe(name: str, cls: type[LayerType]) -> Entry:
    paragraphs = (inspect.getdoc(cls) or "").split("\n\n")
    operators = _operators(cls.emit)
    words = _operators(cls.emit, plain=True)
    own = cls.is_input or cls.is_identity or cls.emit_caffe2 is not LayerType.emit_caffe2
    return Entry(
        name,
        _origin(name),
        _source(paragraphs[-1]),
        "formula" if cls.note.startswith("by formula") else "numbers",
        operators,
        own
        or {*words} <= {*TYPES},  # of a class that does not say, `emit` serves Caffe2, where Caffe2 has its operators
        " ".join(paragraphs[0].split()),
        cls.note,
    )


def _origin(name: str) -> str:
    order = [*FILES]
    if name not in FILES:
        return "your own"
    place = order.index(name)
    if name.startswith("Python:") or place > order.index(SSD[1]):
        return "fork"
    return "BVLC" if place < order.index(SSD[0]) else "SSD"


def _source(paragraph: str) -> str:
    """What the docstring's line Source: says."""
    _, mark, text = paragraph.partition("Source: ")
    return " ".join(text.split()) if mark else ""


@cache
def _operators(emit: FunctionType, plain: bool = False) -> tuple[str, ...]:
    """The ONNX operators that a layer's emission names, and those of the functions that it calls with the builder; `plain` leaves out
    those for builders that are not."""
    seen: set[FunctionType] = set()
    operators: set[str] = set()
    waiting = [emit]
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen.add(function)
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        for branch in (node for node in ast.walk(tree) if plain and isinstance(node, ast.If)):
            branch.body = [] if "not op.plain" in ast.unparse(branch.test) else branch.body
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            operators.update(_named(call))
            if any(isinstance(a, ast.Name) and a.id == "op" for a in call.args):
                called = _resolved(call.func, function)
                waiting += [called] if isinstance(called, FunctionType) else []
    return tuple(sorted(operators))


def _named(call: ast.Call) -> Iterator[str]:
    """The operator names in op("Add", ..), op.many(2, "Split", ..), reduce(op, "ReduceSum", ..): capitalised words among the first
    arguments; and what op.reshape and op.square are."""
    builder = call.func.value if isinstance(call.func, ast.Attribute) else call.func
    names = [builder, *call.args[:1]]
    if not any(isinstance(name, ast.Name) and name.id in ("op", "inner") for name in names):
        return
    if isinstance(call.func, ast.Attribute) and call.func.attr in METHODS:
        yield METHODS[call.func.attr]
        return
    for argument in call.args[:2]:
        compared = {id(part) for node in ast.walk(argument) if isinstance(node, ast.Compare) for part in ast.walk(node)}
        for node in ast.walk(argument):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in compared:
                yield from [node.value] * node.value[:1].isupper()


def _resolved(func: ast.expr, within: FunctionType) -> Any:
    """What a called name stands for: a function of the module, one of a module that it imports, or a method of the class."""
    if isinstance(func, ast.Name):
        return within.__globals__.get(func.id)
    if not isinstance(func, ast.Attribute) or not isinstance(func.value, (ast.Name, ast.Call)):
        return None
    owner = func.value.id if isinstance(func.value, ast.Name) else "super"
    if owner in within.__globals__:
        return getattr(within.__globals__[owner], func.attr, None)
    cls = within.__globals__.get(within.__qualname__.split(".")[0])
    if not isinstance(cls, type):
        return None
    member = getattr(super(cls, cls) if owner == "super" else cls, func.attr, None)
    return getattr(member, "__func__", member)
