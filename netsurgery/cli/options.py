"""Options and arguments of commands, each declared once.

A parameter whose type is a class of options (`reading: Reading`) stands for an option for each field of the class: `options` says how
each is written, here it becomes one of Typer's. What only the command line has is declared below. `Annotated[Pixels, Without(("resize",))]`
leaves some out.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer

from ..errors import NetsurgeryError
from ..files.order import require_order
from ..files.overwriting import require_no_input
from ..options import Choice, File, Flag, Many, Number, Option, Pairs, from_words, options_of, whole_number

Net = Annotated[
    Path,
    typer.Argument(metavar="NET", help="The net: deploy.prototxt, of any vintage.", show_default=False),
]
Weights = Annotated[
    Path | None,
    typer.Argument(metavar="WEIGHTS", help="Its weights: .caffemodel or .caffemodel.h5.", show_default=False),
]
Manifest = Annotated[Path | None, typer.Option(help="A list of models in TOML: does them all.", show_default=False)]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=0, help="Models at a time; 0 for one per core.")]
Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Keeps reports in a folder: what has not changed since (files, options, versions) is not compared again.",
        file_okay=False,
        show_default=False,
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(help="Names of the classes: a text file, one a line.", exists=False, show_default=False),
]
Size = Annotated[
    str | None,
    typer.Option(metavar="HxW", help="The input size, if not as declared: 227 or 300x420.", show_default=False),
]
Output = Annotated[
    str | None,
    typer.Option("--output", metavar="BLOB", help="The blob, if not the net's output.", show_default=False),
]
Force = Annotated[bool, typer.Option("--force", help="Do images again that are done.")]
OutputFolder = Annotated[
    str,
    typer.Option("--output-folder", "-o", help="Where maps, boxes and pictures go: a folder or a URL."),
]
SlidingPool = Annotated[bool, typer.Option("--sliding-pool", help="Let a pooling of the whole map slide.")]


def _words(metavar: str, help: str) -> Any:
    return typer.Argument(
        metavar=f"NET [WEIGHTS] {metavar}", help=f"The net, its weights, and {help}.", show_default=False
    )


NetAndImages = Annotated[
    list[str], _words("IMAGE...", "images: files, folders, globs, text files with one image a line, URLs")
]
NetAndList = Annotated[
    list[str],
    _words(
        "LIST [MODEL.onnx...]",
        "labelled samples (a list of `path label`, a table (.csv), a folder per class, LMDB, LevelDB, HDF5), and converted models to "
        "hold beside it",
    ),
]
NetAndModel = Annotated[
    list[str], _words("[MODEL.onnx]", "a model that was converted from it; if none is named, one made now")
]
NetAndImage = Annotated[list[str], _words("IMAGE", "an image, file or URL")]
NetAndLayer = Annotated[list[str], _words("[LAYER]", "the layer; if none is named, the first Convolution")]
NetAndImageAndBlob = Annotated[list[str], _words("IMAGE BLOB", "an image, file or URL, and the blob, a map")]
NetAndBlob = Annotated[list[str], _words("BLOB", "the blob whose map is wanted")]
Unit = Annotated[
    str | None,
    typer.Option(
        metavar="BLOB:CHANNEL", help="The class: prob:281, 281, or a label. Default: the best one.", show_default=False
    ),
]
PictureFile = Annotated[
    Path | None,
    typer.Option("--picture", help="Draws it: a name that ends in .png, .svg or .pdf.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
InPlace = Annotated[bool, typer.Option("--in-place", help="Write over the files that are read.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def _name_caffe2(python: Path | None) -> Path | None:
    if python is not None:  # processes that compare other models must find it, too
        os.environ["NETSURGERY_CAFFE2_PYTHON"] = str(python)
    return python


Caffe2Python = Annotated[
    Path | None,
    typer.Option(
        "--caffe2-python",
        metavar="PYTHON",
        callback=_name_caffe2,
        help="The Python that has Caffe2, in place of what `netsurgery caffe2 install` made.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class Without:
    """The options of a class, by their names in a manifest, that a command does not have."""

    names: tuple[str, ...]

    def keeps(self, key: str) -> bool:
        return key not in self.names


@dataclass(frozen=True)
class Only(Without):
    """The options of a class that a command has."""

    def keeps(self, key: str) -> bool:
        return key in self.names


HOMES = {
    "Ascent": "vision.maximize",
    "Comparing": "verification.options",
    "Export": "exporters.options",
    "Inputs": "verification.options",
    "Octaves": "vision.dream",
    "Options": "vision.heatmap_job",
    "Pixels": "formats.options",
    "Reading": "formats.options",
    "Scanning": "vision.scan",
    "Surgery": "passes.options",
    "Work": "vision.jobs",
}
"""The classes of options, and the modules in which they stand."""


def classes(names: Iterable[str] = HOMES) -> dict[str, type[Any]]:
    """Classes of options by name. They are imported when the options of a command are built."""
    return {name: getattr(import_module(f"netsurgery.{HOMES[name]}"), name) for name in names}


def with_options(function: Callable[..., None]) -> Callable[..., None]:
    """The command, with an option for each field of its parameters that are classes of options."""
    words_of = set(re.findall(r"\w+", " ".join(map(str, function.__annotations__.values()))))
    groups = classes(HOMES.keys() & words_of)
    hints = get_type_hints(function, {**function.__globals__, **groups}, include_extras=True)
    own: dict[str, Parameter] = {}
    parameters: dict[str, Parameter] = {}
    values: dict[str, tuple[type[Any], list[str]]] = {}
    for parameter in Signature.from_callable(function).parameters.values():
        hint = hints[parameter.name]
        cls, *extras = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        if cls not in groups.values():
            own[parameter.name] = parameter.replace(annotation=hint)
            continue
        options = [
            o
            for o in options_of(cls).values()
            if o.name and all(e.keeps(o.key) for e in extras if isinstance(e, Without))
        ]
        values[parameter.name] = cls, [o.key for o in options]
        parameters |= {o.key: _parameter(o) for o in options}

    if both := own.keys() & parameters.keys():
        raise AssertionError(f"{function.__name__}: {both} are parameters, and keys of options")

    @wraps(function)
    def run(**words: Any) -> None:
        _check_order(function.__name__, words)
        _check_files(words)
        instances = {name: from_words(cls, {key: words[key] for key in keys}) for name, (cls, keys) in values.items()}
        function(**{name: words[name] for name in own}, **instances)

    whole = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in (parameters | own).values()]
    run.__signature__ = Signature(sorted(whole, key=lambda p: p.name not in own))  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in whole}
    return run


OUTPUTS: Mapping[str, tuple[str, ...]] = {
    "array": (),
    "dump_weights": (),
    "folder": (),
    "html": (".html", ".htm"),
    "json": (".json",),
    "junit": (".xml",),
    "output": (),
    "output_file": (),
    "picture": (),
    "record": (),
}
"""Parameters that name what is written, and how such names end; else the writer says so."""


PLACES = ("prototxt", "words", "files", "weights")
"""Parameters that are arguments: a net, its weights, and what follows, in order."""


def _check_order(command: str, words: Mapping[str, Any]) -> None:
    """Raises: NetsurgeryError for a file in another's place, with the line that is right."""
    files = [word for name in PLACES if words.get(name) for word in _flat(words[name])]
    line = ["netsurgery", *sys.argv[1:]]
    require_order(command, files, line if set(files) <= set(line) else ["netsurgery", command, *files])


def _flat(word: Any) -> list[str]:
    return [str(item) for item in word] if isinstance(word, list | tuple) else [str(word)]


def _check_files(words: Mapping[str, Any]) -> None:
    """Raises: NetsurgeryError for an output that is also an input, or whose name belongs to something else."""
    outputs = [
        (name, str(path))
        for name, word in words.items()
        if name in OUTPUTS and word
        for path in (word if isinstance(word, list) else [word])
    ]
    for name, path in outputs:
        if OUTPUTS[name] and path != "-" and not path.lower().endswith(OUTPUTS[name]):
            raise NetsurgeryError(
                f"cannot write --{name} to '{path}'", expected=f"a name that ends in {' or '.join(OUTPUTS[name])}"
            )
    if outputs and not words.get("in_place"):
        inputs = [file for name, word in words.items() if name not in OUTPUTS for file in _files(word)]
        fix = "another name for the output" + (", or --in-place" if "in_place" in words else "")
        require_no_input([path for _, path in outputs if path != "-"], inputs, fix)


def _files(word: Any) -> Iterator[str]:
    """The words that may name files that are read: whole, and parts of NAME=FILE and FILE,NAME."""
    if isinstance(word, list | tuple):
        for item in word:
            yield from _files(item)
    elif isinstance(word, Path | str):
        yield str(word)
        yield from re.split("[=,]", str(word))


def _parameter(o: Option) -> Parameter:
    """The parameter that gives Typer the option."""
    kind, many = o.kind, isinstance(o.kind, Many | Pairs)
    one = kind.of if isinstance(kind, Many | Pairs) else kind
    flag = isinstance(one, Flag)
    names = [f"--{o.name}" + (f"/--{one.negative}" if isinstance(one, Flag) and one.negative else "")]
    hint: Any = bool if flag else str  # what Typer reads
    if isinstance(one, Choice):
        hint = Literal.__getitem__(one.names)
    elif isinstance(one, File) and not isinstance(kind, Pairs):
        hint = Path
    elif isinstance(one, Number):
        hint = one.type
    negative = isinstance(one, Flag) and one.negative
    default = None if many or negative else False if flag else o.default
    info = typer.Option(
        *names,
        *([f"-{o.short}"] if o.short else []),
        help=o.help,
        metavar=kind.metavar,
        show_default=not flag and default is not None,
        rich_help_panel=o.panel or None,
        min=one.least if isinstance(one, Number) else None,
    )
    hint = list[hint] | None if many else hint | None if default is None else hint
    return Parameter(o.key, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[hint, info])


def parse_size(text: str, axes: int) -> tuple[int, ...]:
    """`300x420` -> (300, 420); `227` -> (227, 227). Raises: NetsurgeryError."""
    parts = text.lower().split("x")
    sizes = [whole_number(part) for part in parts]
    if len(parts) not in (1, axes) or not all(sizes):
        raise NetsurgeryError(f"--size {text}", expected="HEIGHTxWIDTH, such as 300x420, or one number for both")
    return tuple(n for n in sizes if n) * (axes if len(parts) == 1 else 1)


def two(text: str | None) -> tuple[int, int] | None:
    """`300x420` or `227` as (h, w). Raises: NetsurgeryError."""
    if text is None:
        return None
    height, width = parse_size(text, 2)
    return height, width


def read_labels(path: Path | None) -> tuple[str, ...]:
    from ..vision.labels import read_labels

    return read_labels(path) if path is not None else ()


FORMER = {"--runtime": "--in"}
"""Options that had another name once, which is still understood."""


def with_defaults(arguments: Sequence[str]) -> list[str]:
    """The arguments with a value for options that may go without one, which Typer does not know, and with the names that options have
    today."""
    words = list(arguments)
    for i, word in enumerate(words):
        name, is_said, value = word.partition("=")
        words[i] = FORMER.get(name, name) + is_said + value
        if word == "--json" and words[0] == "verify" and not (words[i + 1 : i + 2] or [""])[0].endswith((".json", "-")):
            words[i] = "--json=-"
        if word == "--initialize" and words[i + 1 : i + 2] not in (["fillers"], ["random"]):
            following = words[i + 1] if i + 1 < len(words) else ""
            words[i] = "--initialize" if following.startswith("=") else "--initialize=fillers"
            words[i + 1 : i + 2] = [following.removeprefix("=")] if following.startswith("=") else words[i + 1 : i + 2]
    return words
