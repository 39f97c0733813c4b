"""netsurgery mean"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json, PictureFile, Quiet, parse_size
from .printing import note, print_json, progress, write_figure


def mean(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Images: a list, a folder, LMDB, LevelDB, HDF5; or a mean to convert: .binaryproto, .npy, 104,117,123.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output-file", "-o", help="mean.binaryproto or mean.npy.", show_default=False),
    ] = None,
    resize: Annotated[
        str | None,
        typer.Option(
            metavar="HxW", help="Warps image files to this size, as convert_imageset does.", show_default=False
        ),
    ] = None,
    gray: Annotated[bool, typer.Option("--gray", help="Reads image files as gray.")] = False,
    root: Annotated[str, typer.Option(metavar="FOLDER", help="Where the paths of a list begin.")] = "",
    picture: PictureFile = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compute the mean image of many, as Caffe's compute_image_mean does, or bring a mean into another form.

    Prints the mean of each channel, blue first.

    Example: netsurgery mean train.txt --resize 256x256 -o mean.binaryproto

    In fixtures/score: netsurgery mean list.txt -o mean.binaryproto --picture mean.png
    """
    from ..vision.mean import channel_means, mean_figure, means_of, write_mean

    size = None if resize is None else parse_size(resize, 2)
    with progress(quiet) as bar:
        task = bar.add_task("images", total=None)
        values, count = means_of(
            source,
            resize=None if size is None else (size[0], size[1]),
            gray=gray,
            root=root,
            on_image=lambda: bar.advance(task),
        )
    if output is not None:
        write_mean(output, values)
    if picture is not None:
        write_figure(picture, mean_figure(values))
    means = channel_means(values)
    if as_json:
        print_json({"images": count, "shape": list(values.shape), "channels": means})
        return
    typer.echo(",".join(f"{value:g}" for value in means))
    if count:
        note(f"of {count} images of {'x'.join(map(str, values.shape))}", quiet)
