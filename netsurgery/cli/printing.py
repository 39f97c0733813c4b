"""What commands print, and with which code they end."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..shown import to_json, visible

if TYPE_CHECKING:
    from rich.console import Console

    from ..errors import NetsurgeryError
    from ..formats.options import Pixels, Reading
    from ..formats.preprocessing import Preprocessing
    from ..net import Net
    from ..vision.images import ImageFile
    from ..vision.pipeline import Outcome

EXIT_DIFFER = 1
EXIT_BAD_INPUT = 2
EXIT_FAULT = 3
EXIT_UNREAD = 141


def print_json(value: Any) -> None:
    sys.stdout.write(to_json(value, indent=2) + "\n")


def cell(text: str) -> str:
    """A name in a table of rich: no markup, no control characters."""
    from rich.markup import escape

    return escape(visible(text))


def console() -> Console:
    """Where results go: stdout, as wide as the terminal, or as needed in a pipe."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 200)


def note(text: str, quiet: bool = False) -> None:
    """A line for the person at the terminal, on stderr."""
    if not quiet:
        sys.stderr.write("\n".join(map(visible, text.split("\n"))) + "\n")


def print_notes(net: Net, quiet: bool = False) -> None:
    """What was done to the net on the way in."""
    for text in net.notes:
        note(visible(f"note: {text}"), quiet)


def report_error(error: NetsurgeryError) -> None:
    """The error on stderr; also as JSON on stdout where `--json` was asked for."""
    sys.stderr.write(f"error: {error}\n")
    _to_machines(str(error), type(error).__name__)


_ClickException: Any = typer.BadParameter.__mro__[2]
"""Typer has click, or a copy of it."""


@contextmanager
def usage_told() -> Iterator[None]:
    """An error in how the command line is used goes on, but first to stdout as JSON where `--json` was asked for."""
    try:
        yield
    except _ClickException as error:
        _to_machines(error.format_message(), type(error).__name__)
        raise


def _to_machines(text: str, kind: str) -> None:
    if "--json" in sys.argv:
        print_json({"error": text, "kind": kind})


def report_fault(error: Exception) -> None:
    """A fault of ours on stderr, in one line."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "netsurgery" in f.filename]
    place = f", {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    sys.stderr.write(
        f"internal error: {text}{place}: a fault of netsurgery's own; please report this line, the command and the files "
        "(--debug shows the traceback)\n"
    )
    _to_machines(text, "internal error")


@contextmanager
def progress(quiet: bool = False) -> Iterator[Any]:
    """A rich progress bar on stderr, shown only on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    hidden = quiet or not sys.stderr.isatty()
    bar = Progress(console=Console(stderr=True, quiet=hidden), transient=True, disable=hidden)
    with bar:
        yield bar


def open_images_net(
    prototxt: str | Path,
    weights: str | Path | None,
    reading: Reading,
    pixels: Pixels | None,
    quiet: bool,
    usual: str = "caffe",
) -> tuple[Net, Net, Preprocessing]:
    """The net as it was read and as it is used, and what is done to the pixels of its images, in the `usual` way of the command ("": it
    has one of its own) where nobody says. Both are told on stderr."""
    from dataclasses import replace

    from ..formats.options import Pixels
    from ..formats.preprocessing import Preprocessing, read_pixels
    from ..passes.prepare import prepare

    loaded, net = prepare(prototxt, weights, reading)
    done = read_pixels(loaded, pixels or Pixels()) or Preprocessing()
    done = replace(done, convention=done.convention or usual)
    print_notes(net, quiet)
    if pixels is not None:
        note_pixels(net, done, quiet)
        if done.cut and not done.frame and len(net.inputs) == 1:
            note("note: images are cropped as they are: the data layer does not say to what size (--resize HxW)", quiet)
    return loaded, net, done


def open_words(
    words: Sequence[str],
    *names: str,
    reading: Reading,
    pixels: Pixels | None,
    quiet: bool,
    usual: str = "",
    least: int | None = None,
) -> tuple[Net, Preprocessing, list[str]]:
    """`open_images_net` of NET [WEIGHTS], and the words behind, which are `names`: see `split_words`."""
    from ..files.words import split_words

    prototxt, weights, rest = split_words(words, *names, least=least)
    _, net, done = open_images_net(prototxt, weights, reading, pixels, quiet, usual)
    return net, done, rest


def note_pixels(net: Net, done: Preprocessing, quiet: bool) -> None:
    """Says what is done to the pixels of a net's images."""
    shapes = list(net.inputs.values())
    if len(shapes) == 1 and shapes[0] is not None and len(shapes[0]) == 4:
        note(f"pixels are fed as {done.describe(shapes[0][1])}", quiet)


def write_picture(path: Path, picture: Any) -> None:
    """Writes a picture as PNG, whole or not at all. Raises: NetsurgeryError."""
    from ..errors import NetsurgeryError
    from ..files.output import replacing
    from ..vision.picture import to_png

    if path.suffix.lower() != ".png":
        raise NetsurgeryError(f"cannot tell the format of '{path}'", expected="a name that ends in .png")
    content = to_png(picture)
    with replacing(path) as file:
        file.write(content)


def write_figure(path: Path, figure: Any) -> None:
    """Writes a matplotlib Figure as PNG, SVG or PDF, whole or not at all. Raises: NetsurgeryError."""
    from ..vision.figures import write_figure

    write_figure(path, figure)


def write_tiles(path: Path, tiles: Any, bare: bool, quiet: bool) -> None:
    """Writes kernels or maps as PNG: numbered, with a bar, or `bare`. Raises: NetsurgeryError."""
    if bare:
        write_picture(path, tiles.picture())
    else:
        from ..vision.tiles_figure import tiles_figure

        write_figure(path, tiles_figure(tiles))
    note(f"{path}: {tiles.title}", quiet)


class Printed:
    """A JSON list, an element at a time."""

    def __init__(self, as_json: bool) -> None:
        self.as_json, self.count = as_json, 0

    def add(self, value: Any) -> None:
        if self.as_json:
            sys.stdout.write(("[\n" if not self.count else ",\n") + to_json(value))
            self.count += 1

    def end(self) -> None:
        if self.as_json:
            sys.stdout.write("\n]\n" if self.count else "[]\n")


@contextmanager
def watched(images: Sequence[ImageFile], what: str, quiet: bool) -> Iterator[Watch]:
    """Shows progress through the images, and reports at the end those that failed: then the exit code is 2."""
    with progress(quiet) as bar:
        watch = Watch(lambda: bar.advance(task))
        task = bar.add_task(what, total=len(images))
        yield watch
    if watch.failed:
        note(f"{watch.failed} of {len(images)} images failed:")
        for line in watch.shown:
            note(f"  {line}")
        if watch.failed > len(watch.shown):
            note(f"  and {watch.failed - len(watch.shown)} more")
        raise typer.Exit(EXIT_BAD_INPUT)


class Watch:
    """Counts what became of images; of those that failed the first 20 are kept to be shown."""

    def __init__(self, advance: Callable[[], None]) -> None:
        self.advance, self.failed, self.skipped, self.done = advance, 0, 0, 0
        self.shown: list[str] = []

    def see(self, one: Outcome[Any]) -> None:
        self.advance()
        if one.error is not None:
            self.failed += 1
            if len(self.shown) < 20:
                self.shown.append(str(one.error).replace("\n", "\n  "))
        elif one.skipped:
            self.skipped += 1
        else:
            self.done += 1

    def through(self, outcomes: Iterable[Outcome[Any]]) -> Iterator[Outcome[Any]]:
        for one in outcomes:
            self.see(one)
            yield one
