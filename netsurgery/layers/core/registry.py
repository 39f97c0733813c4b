"""Which class answers to a type name, and layers made of what a file says: every field accounted for."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import _proto
from ...errors import NetsurgeryError, ShapeError, Source, UnsupportedError
from ...kind import Kind, Refused
from ...message import Field, Message, Token
from ...net import Layer
from .advice import refusal
from .layer_type import LayerType
from .params import IRRELEVANT_OF_LAYER, Params
from .suggest import meant, meant_field

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROOM = __package__.rpartition(".")[0]
_files: dict[str, str] = {}


def built_in(files: Mapping[str, str]) -> None:
    """Takes the table of the types that come with netsurgery: type name -> file of layers/, loaded when a net needs it."""
    _files.update(files)


@cache
def _registered() -> dict[str, type[LayerType]]:
    """Layer types added at run time: by `register`, and by the entry point group `netsurgery.layers`."""
    from importlib.metadata import entry_points

    classes: dict[str, type[LayerType]] = {}
    for entry in entry_points(group="netsurgery.layers"):
        for name in (cls := entry.load()).types:
            classes[name] = cls
    return classes


def register(cls: type[LayerType]) -> type[LayerType]:
    """Adds a layer type of one's own, for every net loaded from now on; usable as a decorator. It may replace a built-in one."""
    if not cls.types:
        raise NetsurgeryError(
            f"{cls.__name__}.types is empty", expected="the type names that it answers to, as in the prototxt"
        )
    for name in cls.types:
        _registered()[name] = cls
    return cls


def load_plugin(path: str | os.PathLike[str]) -> None:
    """Runs a Python file that registers layer types of one's own. Raises: NetsurgeryError if it fails."""
    from importlib.util import module_from_spec, spec_from_file_location

    source = Source(os.fspath(path))
    spec = spec_from_file_location(f"netsurgery_plugin_{len(_registered())}", path)
    if spec is None or spec.loader is None:
        raise NetsurgeryError("is no Python file", source=source, expected="a .py file that calls netsurgery.register")
    if not os.path.isfile(path):
        raise NetsurgeryError(
            "there is no such file", source=source, expected="a .py file that calls netsurgery.register"
        )
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except NetsurgeryError:
        raise
    except Exception as error:  # it is somebody's program: whatever it raises is an error of the plug-in
        line = next(
            (f.lineno or 0 for f in reversed(traceback.extract_tb(error.__traceback__)) if f.filename == spec.origin), 0
        )
        raise NetsurgeryError(
            f"the plug-in failed: {type(error).__name__}: {error}",
            source=Source(source.file, line),
            fix="mend the plug-in",
        ) from error


def names() -> tuple[str, ...]:
    """Every layer type that netsurgery knows, sorted."""
    return tuple(sorted({*_files, *_registered()}, key=lambda name: (name.lower(), name)))


def find(type: str) -> type[LayerType] | None:
    """The class that answers to a type name, None if none does."""
    if type in _registered():
        return _registered()[type]
    if type not in _files:
        return None
    file = _files[type]
    if type not in _built_in(file):
        raise AssertionError(
            f"FILES says that layers/{file}.py holds '{type}': no class there has it among its `types`"
        )
    return _built_in(file)[type]


def _file_of(type: str) -> str:
    """The file of layers/ whose class answers to a type that the table lacks, "" if there is none."""
    file = type.lower()
    is_file = file.isidentifier() and file not in _files.values() and find_spec(f"{_ROOM}.{file}") is not None
    return file if is_file and type in _built_in(file) else ""


@cache
def _built_in(file: str) -> dict[str, type[LayerType]]:
    module = import_module(f"{_ROOM}.{file}")
    classes = [
        c
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, LayerType) and c.__module__ == module.__name__
    ]
    return {name: c for c in classes for name in c.types}


def make_layer(
    name: str,
    type: str,
    bottoms: Sequence[str] = (),
    tops: Sequence[str] = (),
    params: Message = Message("LayerParameter"),
    *,
    source: Source = Source(),
    weights: Sequence[NDArray[Any]] = (),
    layers: Mapping[str, type[LayerType]] | None = None,
    ignored: MutableSequence[str] | None = None,
    blob_count: int | None = None,
) -> Layer:
    """A Layer with its kind: parameters read, every field accounted for. A layer that is refused carries the error (kind.Refused).

    `layers` replaces layer types by others for this layer; `ignored`, if given, takes a line for each field that no schema knows,
    which is then passed over instead of refused. `blob_count` tells variants of a type apart by the number of their blobs where the
    weights come later.
    """
    reading = Reading(layers or {}, ignored is not None, len(weights) if blob_count is None else blob_count)
    parts = (name, type, tuple(bottoms), tuple(tops), params, tuple(weights), source)
    return Layer(*parts, reading.kind(Layer(*parts), ignored))


@dataclass(frozen=True)
class Reading:
    """How a layer is read: by which classes before those of the table, whether fields of unknown meaning are passed over, and how many
    blobs it had then."""

    layers: Mapping[str, type[LayerType]] = field(default_factory=dict)
    ignore_unknown: bool = False
    blob_count: int = 0

    def kind(self, layer: Layer, ignored: MutableSequence[str] | None = None) -> Kind:
        """What the layer says now, or the error with which it is refused."""
        passed_over = [] if self.ignore_unknown and ignored is None else ignored
        kind: Kind
        try:
            kind = _kind(layer, self.layers, passed_over, len(layer.weights) or self.blob_count)
        except NetsurgeryError as error:
            kind = Refused(error)
        kind.statement, kind.reader = layer.statement, self.kind
        return kind


def _kind(
    layer: Layer, layers: Mapping[str, type[LayerType]], ignored: MutableSequence[str] | None, blob_count: int
) -> LayerType:
    type, title, source, params = layer.type, layer.title, layer.source, layer.params
    cls = layers.get(type) or find(type)
    if cls is None and (file := _file_of(type)):
        raise UnsupportedError(
            f"layer type '{type}' has its file, layers/{file}.py, and no line in the table of types",
            layer=title,
            source=source,
            expected="every type in FILES of netsurgery/layers/__init__.py",
            fix=f'add the line "{type}": "{file}", to FILES',
        )
    if cls is None:
        if advised := refusal(type, title, source, layer.bottoms):
            raise advised
        near = meant(type, names())
        own = f"register a layer of your own (README: Your own layer), or hand it on: --as-custom-op {type}"
        source_of = "" if layer.bottoms or not layer.tops else f"--input-shape {layer.tops[0]}=1,3,224,224"
        raise UnsupportedError(
            f"layer type '{type}' is not known",
            layer=title,
            source=source,
            expected="a type that `netsurgery layers` lists",
            fix="give the prototxt as well: it names the type"
            if type.startswith("#")
            else f"did you mean '{near}'?"
            if near
            else f"make an input of what it gives: {source_of}"
            if source_of
            else own,
        )
    p = Params(params, "LayerParameter", title, source, cls.parameters, layer.tops)
    cls = cls.variant(p, title, len(layer.bottoms))
    cls = next((layers[name] for name in cls.types if name in layers), cls)  # a Python layer by its module and name
    for word, blobs, (least, most) in (("bottoms", layer.bottoms, cls.bottoms), ("tops", layer.tops, cls.tops)):
        if len(blobs) < least or (most is not None and len(blobs) > most):
            number = f"{least}" if most == least else f"at least {least}" if most is None else f"{least} to {most}"
            raise ShapeError(
                f"{len(blobs)} {word}: {', '.join(blobs) or 'none'}",
                layer=title,
                source=source,
                expected=f"{number} {word}",
            )
    numbered = [("LayerParameter", f) for f in params.fields if f.name.startswith("#")]
    if numbered and ignored is None:  # of a binary net: the layer may miss what they say
        raise _unread_error(title, numbered)
    try:
        with np.errstate(all="ignore"):  # what comes of numbers beyond float32 is the layer's to judge
            kind = cls(layer.name, type, source, p, blob_count, len(layer.bottoms), len(layer.tops))
    except NetsurgeryError:
        if misspelt := [] if cls.parameters else list(_misspelt("LayerParameter", params)):
            raise _unread_error(title, misspelt) from None  # the cause of what the layer complains about
        raise
    kind.messages = tuple(dict.fromkeys(p.messages_read))
    unread = [(t, f) for t, f in p.unread() if not (t == "LayerParameter" and _passed_over(f))]
    if ignored is not None:
        for t, f in [(t, f) for t, f in unread if f.name not in _proto.fields(t)]:
            ignored.append(f"{f.source}: layer {title}: field '{f.name}' is not known and was ignored")
            unread.remove((t, f))
    if unread:
        raise _unread_error(title, unread, p.meant(unread[0][1]))
    return kind


def _misspelt(type: str, message: Message) -> Iterator[tuple[str, Field]]:
    """Fields that no schema knows, of a name that looks like one that it knows."""
    for entry in message.fields:
        schema = _proto.fields(type).get(entry.name)
        if schema is None and _near(type, entry.name):
            yield type, entry
        elif schema is not None and isinstance(entry.value, Message):
            yield from _misspelt(schema.type, entry.value)


def _passed_over(field: Field) -> bool:
    """Whether a field of LayerParameter cannot matter: training, or the parameters of another BVLC or SSD type, which Caffe never reads."""
    if field.name in IRRELEVANT_OF_LAYER:
        return True
    schema = _proto.message("LayerParameter").get(field.name)
    return schema is not None and schema.kind == "message" and not schema.fork


def _unread_error(title: str, unread: Sequence[tuple[str, Field]], meant: str | None = None) -> UnsupportedError:
    """`meant`: a field that the type has, of a name like that of the first."""
    type, field = unread[0]
    shown = (
        field.value.text
        if isinstance(field.value, Token)
        else "{...}"
        if isinstance(field.value, Message)
        else repr(field.value)
    )
    more = f" (and {', '.join(f.name for _, f in unread[1:])})" if len(unread) > 1 else ""
    if field.name in _proto.fields(type):
        problem = f"field '{field.name}: {shown}' is not used by this layer type{more}"
        fix = "remove the field if it changes nothing in the net that was trained"
    elif field.name.startswith("#"):
        problem = f"field {field.name[1:]} of {type or 'a message'} is not known in a binary net{more}"
        fix = "give the prototxt as well: it names the fields, whose numbers forks reuse"
    else:
        near = meant or _near(type, field.name)
        problem = f"field '{field.name}: {shown}' is not known in {type or 'this message'}{more}"
        fix = f"did you mean '{near}'?" if near else "--ignore-unknown passes over fields of unknown meaning"
    return UnsupportedError(
        problem, layer=title, source=field.source, expected="a field that is known and used", fix=fix
    )


def _near(type: str, name: str) -> str | None:
    """The field of a message that was meant."""
    return meant_field(name, _proto.fields(type), _proto.words())
