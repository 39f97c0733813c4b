"""A map of what a classifier says of each part of an image, where it had one answer for the whole.

The net is made fully convolutional; the image goes through it at several sizes; each size's map is brought to the grid of the finest one,
every position staying where the middle of its receptive field is in the image; the maps are averaged.

Source: Khosla, Raju, Torralba, Oliva, Understanding and Predicting Image Memorability at a Large Scale (2015)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError
from ..files.images import read_image
from ..formats.preprocessing import Preprocessing
from ..layers.core.dims import all_numbers, numbers
from ..net import Net
from ..passes.convolutionalize import convolutionalize
from ..passes.cut import cut
from ..receptive_field import geometry
from ..shown import size_text
from .heatmap_job import HeatmapJob, Options, too_small
from .heatmap_result import Heatmap
from .jobs import run_one
from .labels import find_background, find_channel
from .model import image_input, input_shape, open_model
from .places import axis_of

WORDS = ("top", "all", "argmax")
"""Channels that are no number and no label."""


def heatmap(
    net: Net,
    image: NDArray[Any] | str,
    *,
    output: str | None = None,
    sliding_pool: bool = False,
    preprocessing: Preprocessing | None = None,
    **options: Any,
) -> Heatmap:
    """The heatmap of one image: a path, or RGB (H, W, 3) of uint8 or of floats from 0 to 1. `options` are those of `Options`.

    At each scale s the short side of the image is s pixels long (with `square` both are). With c_s(i) the middle of what position i
    sees at scale s, as a share of the image's side, and m_s the map there,

        map(i, j) = mean over s of m_s at (c_s^-1(c_f(i)), c_s^-1(c_f(j)))         f: the scale with the most positions

    bilinear between positions, constant beyond the outermost. `scales` None: the sizes with 1, 2, 4 and 8 positions along the short
    side. `output` is the blob (None: the net's output). `channel` is a number, a label, "top" (the class that the net gives the whole
    image; if there is a `background`, which None takes to be the class called "background" and "" none, the other class with the greatest
    value anywhere), "all", or "argmax" (at each position the number of the best class). `reduce` "max" takes the greatest over the scales.
    `size` "image" brings the map to the image's size; `smooth` is the sigma of a Gaussian, in pixels of the map as given.

    Raises: NetsurgeryError, ShapeError for a blob that is no map, a channel that it does not have, or a scale below the smallest size.
    """
    dense, job = plan(net, output, Options(**options), preprocessing or Preprocessing(), sliding_pool=sliding_pool)
    pixels = read_image(image) if isinstance(image, str) else image
    return replace(run_one(job, open_model(dense, [job.blob], free=True), pixels), image=pixels)


def plan(
    net: Net, output: str | None, options: Options, preprocessing: Preprocessing, *, sliding_pool: bool = False
) -> tuple[Net, HeatmapJob]:
    """The fully convolutional net, and the job, checked as far as it can be without an image. Raises: as `heatmap`."""
    blob = output if output is not None else only_output(net)
    dense = convolutionalize(cut(net, [blob]), sliding_pool=sliding_pool)
    channels = input_shape(dense)[0]
    shape = dense.shapes()[blob]
    if len(shape) != 4 or not all_numbers(shape):
        raise ShapeError(
            f"blob '{blob}' {size_text(shape)} is no map",
            source=net.source,
            expected="a blob (N, channels, h, w) of the fully convolutional net",
            fix="name another blob: --output",
        )
    count = numbers(shape)[1]
    options = replace(options, channel=find_channel(options.channel, count, options.labels, blob, WORDS))
    for value, allowed, what in ((options.reduce, ("mean", "max"), "reduce"), (options.size, ("map", "image"), "size")):
        if value not in allowed:
            raise NetsurgeryError(f"--{what} {value}", expected=" or ".join(allowed))
    if not 0 <= options.smooth < 1e6:
        raise NetsurgeryError(f"--smooth {options.smooth:g}", expected="the sigma of a Gaussian in pixels, 0 for none")
    field = geometry(dense, blob, image_input(dense))
    axes = tuple(axis_of(net, field, axis) for axis in range(2))
    background = find_background(options.background, count, options.labels, blob)
    job = HeatmapJob(blob, channels, (axes[0], axes[1]), preprocessing, options, background=background)
    if options.scales is not None:
        if not options.scales:
            raise NetsurgeryError("no scale is given", expected="--scales 227,451, or none for the net's own")
        least = min(axis.smallest for axis in axes)
        if min(options.scales) < least:  # whatever the image
            raise too_small(blob, min(options.scales), least)
    return dense, job


def only_output(net: Net) -> str:
    """The net's output. Raises: NetsurgeryError if it has several."""
    if len(net.outputs) != 1:
        raise NetsurgeryError(
            f"the net has {len(net.outputs)} outputs: {', '.join(net.outputs)}",
            source=net.source,
            fix="name one: --output",
        )
    return net.outputs[0]
