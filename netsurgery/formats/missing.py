"""What a file lacks, and what would bring it: layers that rules left out, the net that a solver names."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import NetsurgeryError, ParseError
from ..message import Message
from ..net import Layer
from .options import Reading

OF_SOLVERS = ("net", "train_net", "test_net", "base_lr", "lr_policy", "max_iter", "solver_mode", "snapshot_prefix")


def require_net(message: Message) -> None:
    """Raises: ParseError for a solver, which is no net."""
    if message.has("layer") or message.has("layers") or sum(message.has(name) for name in OF_SOLVERS) < 2:
        return
    nets = [
        str(getattr(f.value, "text", f.value)) for f in message.fields if f.name in ("net", "train_net", "test_net")
    ]
    raise ParseError(
        "this is a solver, which says how a net is trained",
        source=message.source,
        expected="a net: layer { ... }",
        fix=f"give the net that it names: {nets[0]}" if nets else "give the net",
    )


def require_writers(layers: Sequence[Layer], whole: Message, kept: Message, reading: Reading) -> None:
    """Raises: NetsurgeryError for a bottom whose writer rules left out: it says which, and what brings it back."""
    of_phase = {id(layer) for layer in kept.all("layer")}
    left = [layer for layer in whole.all("layer") if id(layer) not in of_phase]
    writers = {top: layer for layer in reversed(left) for top in layer.all("top")}
    written: set[str] = set()
    for layer in layers:
        for bottom in layer.bottoms:
            if bottom not in written and bottom in writers:
                _refuse(layer, bottom, writers[bottom], reading)
        written.update(layer.tops)


def _refuse(layer: Layer, bottom: str, writer: Message, reading: Reading) -> None:
    rules = writer.all("include") or writer.all("exclude")
    word = "include" if writer.has("include") else "exclude"
    options = []
    if word == "include":
        options = [f"--stage {stage}" for stage in rules[0].all("stage")]
        options += [f"--phase {phase}" for phase in rules[0].all("phase") if phase != reading.phase]
        options += [f"--level {rules[0].last('min_level')}"] if rules[0].last("min_level", 0) > reading.level else []
    shown = " ".join(f"{f.name}: {f.value}" for f in rules[0].fields)
    bring = " ".join(options)
    raise NetsurgeryError(
        f"bottom '{bottom}' has lost its writer: layer '{writer.last('name', '')}' ({writer.last('type', '')}) is left out by"
        f" {word} {{ {shown} }}",
        layer=layer,
        expected=f"a net that is whole in phase {reading.phase}, level {reading.level}, stages {list(reading.stages)}",
        fix=f"bring it back: {bring}; or give '{bottom}' as an input: --input-shape {bottom}=1,3,224,224"
        if bring
        else f"give '{bottom}' as an input: --input-shape {bottom}=1,3,224,224",
    )
