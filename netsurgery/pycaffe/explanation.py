"""The way out: what a script did with a net, in plain onnxruntime."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Sequence

import numpy as np

from .blob import Blob
from .io import Transformer
from .net import Net


def explain(net: Net) -> str:
    """The few lines of onnxruntime that do what the script did with a net: its inputs, the settings of the Transformer
    for them, and the outputs and inner blobs that were read; before them, as comments, the command that converts the net.
    """
    outputs = [name for name in net.outputs if name not in net.inputs]
    inner = [
        name
        for name, blob in net.blobs.items()
        if blob.data_memory.was_viewed and name not in outputs and name not in net.inputs and "_split_" not in name
    ]
    model = os.path.splitext(os.path.basename(net._path))[0] + ".onnx"
    variables = {name: _variable(name) for name in (*net.inputs, *outputs, *inner)}
    lines = [*_conversion(net, model, outputs, inner), "import numpy as np, onnxruntime"]
    lines.append(f"session = onnxruntime.InferenceSession({model!r})")
    for name in net.inputs:
        lines += _input(name, variables[name], net.blobs[name])
    feeds = ", ".join(f"{name!r}: {variables[name]}" for name in net.inputs)
    names = [*outputs, *inner]
    targets = ", ".join(variables[name] for name in names) + "," * (len(names) == 1)
    lines.append(f"{targets} = session.run({names!r}, {{{feeds}}})")
    return "\n".join(lines) + "\n"


def at_exit(values: Iterable[object]) -> None:
    """Tells the person at a terminal, once, what the last net of a script would be in onnxruntime. NETSURGERY_QUIET keeps it quiet."""
    nets = [value for value in values if isinstance(value, Net)]
    if nets and sys.stderr.isatty() and not os.environ.get("NETSURGERY_QUIET"):
        sys.stderr.write(f"\n# The same without Caffe (NETSURGERY_QUIET=1 keeps this quiet):\n{explain(nets[-1])}")


def _conversion(net: Net, model: str, outputs: Sequence[str], inner: Sequence[str]) -> list[str]:
    lines = []
    weights = net._weights_path
    parameters = [blob for blobs in net.params.values() for blob in blobs]
    if parameters and (weights is None or any(blob.data_memory.was_viewed for blob in parameters)):
        saved = os.path.splitext(model)[0] + ".changed.caffemodel"
        if weights is None:
            lines.append(f"# once, in the script: net.save({saved!r})")
            weights = saved
        else:
            lines.append(f"# if the script changed parameters: net.save({saved!r}), and convert with that")
    command = ["netsurgery", "convert", net._path, *([weights] if weights else []), "-o", model]
    for name in [*outputs, *inner] if inner else []:
        command += ["--output", name]
    lines.append(f"# once: {shlex.join(command)}")
    own = [name for name, layer in net.layer_dict.items() if layer.type == "Python"]
    if own:
        lines.append(f"# Python layers run in scripts only: do what {', '.join(own)} does between two models, by hand")
    return lines


def _input(name: str, variable: str, blob: Blob) -> list[str]:
    shape = tuple(blob.shape)
    transformer = _transformer(name)
    if transformer is None or len(shape) != 4:
        return [f"{variable} = np.zeros({shape}, np.float32)  # what the script put into net.blobs[{name!r}]"]
    mode = "RGB" if shape[1] == 3 else "L"
    size = (shape[3], shape[2])
    picture = f'np.asarray(PIL.Image.open("image.jpg").convert("{mode}").resize({size}), np.float32) / 255'
    return [f"import PIL.Image; image = {picture}", f"{variable} = {_pixels(name, transformer, mode)}[None]"]


def _pixels(name: str, transformer: Transformer, mode: str) -> str:
    """The Transformer's arithmetic as an expression of `image`."""
    text = "image" if mode == "RGB" else "image[:, :, None]"
    if (axes := transformer.transpose.get(name)) is not None:
        text += f".transpose{tuple(int(a) for a in axes)}"
    if (order := transformer.channel_swap.get(name)) is not None:
        text += f"[{[int(c) for c in order]}]"
    if (raw_scale := transformer.raw_scale.get(name)) is not None:
        text = f"{text} * {raw_scale:g}"
    if (mean := transformer.mean.get(name)) is not None:
        values = np.asarray(mean)
        if values.size <= 4:
            taken = f"np.float32({[float(f'{v:.7g}') for v in values.ravel()]}).reshape(-1, 1, 1)"
        else:
            taken = 'np.load("mean.npy")'
        text = f"{text} - {taken}"
    if (input_scale := transformer.input_scale.get(name)) is not None:
        text = f"({text}) * {input_scale:g}" if " - " in text else f"{text} * {input_scale:g}"
    return f"({text})"


def _transformer(name: str) -> Transformer | None:
    """The one that was made last for an input of this name."""
    fit = [t for t in Transformer.instances if name in t.inputs]
    return max(fit, key=lambda t: t.number) if fit else None


def _variable(name: str) -> str:
    text = "".join(c if c.isalnum() or c == "_" else "_" for c in name)
    return text if text[:1].isalpha() else f"blob_{text}"
