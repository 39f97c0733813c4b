"""What the commands that look at images share: options, loading, and how many images are gone through."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._common import EXIT_BAD_INPUT, note, parse_settings, parse_shapes, print_notes, progress

if TYPE_CHECKING:
    from ..formats.preprocessing import Preprocessing
    from ..net import Net
    from ..vision.images import ImageFile
    from ..vision.pipeline import Outcome

PIXELS = "Pixels: (raw_scale * image - mean) * scale"

Weights = Annotated[Path, typer.Argument(help="Its weights: .caffemodel or .caffemodel.h5.", show_default=False)]
Image = Annotated[str, typer.Argument(metavar="IMAGE", help="An image: a file or a URL.", show_default=False)]
Images = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGE...",
        help="Images: files, folders, globs, text files with one image a line, URLs.",
        show_default=False,
    ),
]
Mean = Annotated[
    str | None,
    typer.Option(
        metavar="104,117,123",
        help="What is subtracted: numbers in the net's channel order, mean.binaryproto or mean.npy.",
        show_default=False,
        rich_help_panel=PIXELS,
    ),
]
Scale = Annotated[
    float | None,
    typer.Option(
        help="What pixels are multiplied by at the end. Default 1.", show_default=False, rich_help_panel=PIXELS
    ),
]
RawScale = Annotated[
    float | None,
    typer.Option(
        help="What pixels of 0 to 1 are multiplied by first. Default 255: pixels of 0 to 255.",
        show_default=False,
        rich_help_panel=PIXELS,
    ),
]
Bgr = Annotated[
    bool | None,
    typer.Option(
        "--bgr/--rgb", help="The order of the net's channels. Default BGR.", show_default=False, rich_help_panel=PIXELS
    ),
]
Transform = Annotated[
    Path | None,
    typer.Option(
        metavar="TRAIN_VAL.prototxt",
        help="Takes mean and scale from the transform_param of this file.",
        show_default=False,
        rich_help_panel=PIXELS,
    ),
]
Resize = Annotated[
    str | None,
    typer.Option(
        metavar="HxW",
        help="Warps images to this size and cuts out the middle. Default: warps them to the net's input.",
        show_default=False,
        rich_help_panel=PIXELS,
    ),
]
PixelsAs = Annotated[
    str | None,
    typer.Option(
        "--pixels-as",
        metavar="caffe|pycaffe",
        help="caffe: as data layers do (OpenCV's resizing; the mean image is cropped with the image). pycaffe: as caffe.io and"
        " caffe.Classifier do (the mean image is resized).",
        show_default=False,
        rich_help_panel=PIXELS,
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
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="tcp://HOST:8786", help="A Dask scheduler, whose workers do it.", show_default=False),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Keep no model in the cache directory.")]
Force = Annotated[bool, typer.Option("--force", help="Do images again that are done.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads. Default: one for each core.", show_default=False)]


def open_net(
    prototxt: Path, weights: Path | None, pixels: dict[str, Any] | None = None, **options: Any
) -> tuple[Net, Preprocessing]:
    """The net, ready to use, and what is done to its pixels: as `open_nets`."""
    _, net, done = open_nets(prototxt, weights, pixels, **options)
    return net, done


def open_nets(
    prototxt: Path,
    weights: Path | None,
    pixels: dict[str, Any] | None = None,
    *,
    phase: str = "TEST",
    stage: Sequence[str] | None = None,
    settings: Sequence[str] | None = None,
    ignore_unknown: bool = False,
    input_shape: Sequence[str] | None = None,
    quiet: bool = False,
    usual: str = "caffe",
) -> tuple[Net, Net, Preprocessing]:
    """The net as it was read and ready to use, and what is done to the pixels of its images: what `pixels` says (the keys are the
    options), else what transform_param does, else the `usual` way of the command ("": it has one of its own). Both are told on stderr."""
    from ..exporters.convert import prepare
    from ..formats.load import load
    from ..formats.preprocessing import changed, from_net

    loaded, net = prepare(
        prototxt,
        weights,
        phase=phase,
        stages=stage or (),
        settings=parse_settings(settings),
        ignore_unknown=ignore_unknown,
        input_shapes=parse_shapes(input_shape),
    )
    given = dict(pixels or {})
    transform, bgr, resize = given.pop("transform", None), given.pop("bgr", None), given.pop("resize", None)
    source = load(transform, ignore_unknown=True) if transform is not None else loaded
    known = from_net(source, without_mean=given.get("mean") is not None)
    if transform is not None and known is None:
        from ..errors import NetsurgeryError, Source

        raise NetsurgeryError(
            "no layer has a transform_param", source=Source(str(transform)), expected="a train_val.prototxt"
        )
    given["convention"] = given.pop("pixels_as", None) or (known.convention if known else "") or usual
    done = changed(known, channel_order=None if bgr is None else "bgr" if bgr else "rgb", resize=two(resize), **given)
    print_notes(net, quiet)
    if pixels is not None and len(net.inputs) == 1:
        (shape,) = net.inputs.values()
        if shape is not None and len(shape) == 4:
            note(f"pixels are fed as {done.describe(shape[1])}", quiet)
        if done.cut and not done.frame:
            note("note: images are cropped as they are: the data layer does not say to what size (--resize HxW)", quiet)
    return loaded, net, done


def two(text: str | None) -> tuple[int, int] | None:
    """`300x420` or `227` as (h, w). Raises: NetsurgeryError."""
    from ._common import parse_size

    if text is None:
        return None
    height, width = parse_size(text, 2)
    return height, width


def read_labels(path: Path | None) -> tuple[str, ...]:
    from ..vision.labels import read_labels

    return read_labels(path) if path is not None else ()


def numbers(text: str | None, option: str) -> list[int] | None:
    """`227,259` -> [227, 259]. Raises: NetsurgeryError."""
    from ..errors import NetsurgeryError

    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and int(part) for part in parts):
        raise NetsurgeryError(f"{option} {text}", expected="positive numbers, such as 227,259,323,451")
    return [int(part) for part in parts]


def write_picture(path: Path, picture: Any) -> None:
    """Writes a picture as PNG, whole or not at all. Raises: NetsurgeryError."""
    from ..errors import NetsurgeryError
    from ..files.output import replacing
    from ..vision.picture import to_png

    if path.suffix.lower() != ".png":
        raise NetsurgeryError(f"cannot tell the format of '{path}'", expected="a name that ends in .png")
    data = to_png(picture)
    with replacing(path) as file:
        file.write(data)


class Printed:
    """A JSON list, an element at a time."""

    def __init__(self, wanted: bool) -> None:
        self.wanted, self.count = wanted, 0

    def add(self, value: Any) -> None:
        if self.wanted:
            sys.stdout.write(("[\n" if not self.count else ",\n") + json.dumps(value, ensure_ascii=False))
            self.count += 1

    def end(self) -> None:
        if self.wanted:
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
