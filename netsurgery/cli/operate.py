"""netsurgery operate"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from .options import InPlace, Net, Quiet, Weights, Without
from .printing import note, print_notes

if TYPE_CHECKING:
    from ..formats.options import Reading

_PANEL = "Operations, done in the order given"


class Ordered(TyperCommand):
    """A command that knows in which order its options stand: Typer gives all values of one option together."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        args = list(_joined(args))
        ctx.meta["order"] = list(_option_names(self.params, args))
        return super().parse_args(ctx, args)


COMMAND = Ordered


def _joined(args: Sequence[str]) -> Iterator[str]:
    """`--insert-after conv1 TEXT`, two values, as one: `--insert-after conv1=TEXT`."""
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word in ("--insert-after", "--insert-before") and len(rest) > 1 and "{" not in rest[0]:
            word = f"{word}={rest.pop(0)}={rest.pop(0)}"
        yield word


def _option_names(params: Sequence[Any], args: Sequence[str]) -> Iterator[str]:
    """The names of the options in `args`, in order; their values are passed over."""
    options = {opt: param for param in params if param.param_type_name == "option" for opt in param.opts}
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return
        name, sign, _ = word.partition("=")
        if not word.startswith("--") and len(word) > 2 and word[:2] in options:
            name, sign = word[:2], "="  # -oFILE
        if name in options:
            yield options[name].name
            if not sign and not options[name].is_flag:
                del rest[:1]


def _operation(metavar: str, help: str, *names: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=help, show_default=False, rich_help_panel=_PANEL)


def _switch(help: str, *names: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=_PANEL)


def operate(
    ctx: typer.Context,
    prototxt: Net,
    reading: Annotated[Reading, Without(("initialize",))],
    weights: Weights = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output-file",
            "-o",
            help="What to write: NET.prototxt, with NET.caffemodel beside it if the net has weights; or MODEL.onnx.",
            show_default=False,
        ),
    ] = None,
    cut: Annotated[list[str] | None, _operation("BLOBS", "Keep what computes these blobs: fc7 or fc7,pool5.")] = None,
    cut_from: Annotated[
        list[str] | None, _operation("BLOBS", "Make these blobs inputs, and keep what follows from them.")
    ] = None,
    delete: Annotated[
        list[str] | None, _operation("LAYERS", "Delete layers: what read their tops reads their bottom.")
    ] = None,
    insert_after: Annotated[
        list[str] | None,
        _operation("LAYER TEXT", "Insert a layer, as in a prototxt; without bottom and top it is put between."),
    ] = None,
    insert_before: Annotated[list[str] | None, _operation("LAYER TEXT", "The same, in front of a layer.")] = None,
    rename: Annotated[list[str] | None, _operation("OLD=NEW", "Rename the layer and the blob of this name.")] = None,
    rename_layer: Annotated[list[str] | None, _operation("OLD=NEW", "Rename a layer.")] = None,
    rename_blob: Annotated[list[str] | None, _operation("OLD=NEW", "Rename a blob.")] = None,
    transplant: Annotated[
        list[str] | None,
        _operation("FILE[,LAYER=FROM]", "Take weights from another caffemodel: by layer name, or those mapped."),
    ] = None,
    set_weights: Annotated[
        list[str] | None, _operation("LAYER:BLOB=FILE.npy", "Put an array in place of a blob (0: weights, 1: bias).")
    ] = None,
    set_kernel: Annotated[
        list[str] | None,
        _operation(
            "LAYER=KERNEL,...",
            "Kernels by design: conv1=sobel-x,gaussian:5,emboss:45 (also prewitt-x, laplacian, gabor, identity).",
        ),
    ] = None,
    load_weights: Annotated[
        list[str] | None, _operation("FILE", "Take blobs from a .npz or .safetensors file that --dump-weights wrote.")
    ] = None,
    dump_weights: Annotated[
        list[str] | None, _operation("FILE", "Write the blobs, as they are at this point, to .npz or .safetensors.")
    ] = None,
    fold: Annotated[bool, _switch("Fold BatchNorm, Scale, Bias and Power 1 into the layer before.", "--fold")] = False,
    fold_preprocessing: Annotated[
        list[str] | None,
        _operation(
            "WORDS", "Let the first layers subtract and scale: 'mean=104,117,123 scale=0.017 swap' (RGB to BGR)."
        ),
    ] = None,
    unfold_groups: Annotated[
        bool, _switch("Write convolutions of several groups as ordinary ones.", "--unfold-groups")
    ] = False,
    deploy: Annotated[
        bool, _switch("Drop what only training needs; data layers become inputs (--input-shape).", "--deploy")
    ] = False,
    fully_convolutional: Annotated[
        bool, _switch("Turn InnerProduct into Convolution.", "--fully-convolutional")
    ] = False,
    set_input_shape: Annotated[
        list[str] | None, _operation("BLOB=N,C,H,W", "Declare another shape for an input.")
    ] = None,
    num_output: Annotated[
        list[str] | None, _operation("LAYER=N", "Give a layer N outputs, with fresh weights by its fillers.")
    ] = None,
    initialize: Annotated[
        list[str] | None, _operation("[=random]", "Make all weights up: as the fillers say, or =random.")
    ] = None,
    in_place: InPlace = False,
    quiet: Quiet = False,
) -> None:
    """Operate on a net, and write it as Caffe or ONNX. Operations are done in the order in which they stand.

    Example: netsurgery operate deploy.prototxt net.caffemodel -o new.prototxt --delete drop6 --cut fc7 --rename fc7=features

    Another task: netsurgery operate deploy.prototxt net.caffemodel -o birds.prototxt --num-output fc8=200 --rename fc8=fc8_birds

    In fixtures/digits: netsurgery operate deploy.prototxt digits.caffemodel -o new.prototxt --set-kernel conv1=sobel-x,gaussian:5,emboss
    """
    from ..errors import NetsurgeryError
    from ..passes.operations import NAMES
    from ..passes.operations import operate as run
    from ..passes.prepare import open_net

    words = {name: iter(ctx.params[name]) for name in NAMES if not isinstance(ctx.params[name], bool | None)}
    operations: list[tuple[str, Sequence[str]]] = []
    for name in ctx.meta["order"]:
        if name in words:
            operations.append((name, (next(words[name]),)))
        elif name in NAMES:
            operations.append((name, ()))
    dumps = any(name == "dump_weights" for name, _ in operations)
    if output is None and not dumps:
        raise NetsurgeryError("no output given", expected="-o NET.prototxt or -o MODEL.onnx")
    if output is not None and output.suffix not in (".prototxt", ".onnx"):
        raise NetsurgeryError(
            f"cannot tell the format of '{output}'", expected="a name that ends in .prototxt or .onnx"
        )
    net = open_net(prototxt, weights, reading)
    shapes = {blob: [n for n in sizes if isinstance(n, int)] for blob, sizes in reading.input_shapes.items()}
    net = run(net, operations, input_shapes=shapes, seed=reading.seed)
    print_notes(net, quiet)
    if output is None:
        return
    if output.suffix == ".onnx":
        from ..exporters.onnx.save import save_onnx

        save_onnx(net, output)
        note(f"{output}", quiet)
    else:
        from ..formats.save import save_caffe

        caffemodel = output.with_suffix(".caffemodel") if any(layer.weights for layer in net.layers) else None
        save_caffe(net, output, caffemodel)
        note(f"{output}" + (f", {caffemodel}" if caffemodel else ""), quiet)
