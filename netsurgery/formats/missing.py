"""What a file lacks, and what would bring it: layers that rules left out, the net that a solver names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..errors import NetsurgeryError, ParseError
from ..message import Message
from ..net import Layer
from .options import Reading
from .prototxt.phases import filter_net

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


def require_writers(layers: Sequence[Layer], whole: Message, selection: Message, reading: Reading) -> None:
    """Raises: NetsurgeryError for a bottom whose writer rules left out: it says which, and what brings it back."""
    of_phase = {id(layer) for layer in selection.all("layer")}
    writers: dict[str, list[Message]] = {}
    for left in (x for x in whole.all("layer") if id(x) not in of_phase):
        for top in dict.fromkeys(left.all("top")):
            writers.setdefault(top, []).append(left)
    written: set[str] = set()
    for layer in layers:
        for bottom in layer.bottoms:
            if bottom not in written and bottom in writers:
                _refuse(layer, bottom, writers[bottom], whole, reading)
        written.update(layer.tops)


def _refuse(layer: Layer, bottom: str, writers: Sequence[Message], whole: Message, reading: Reading) -> None:
    state, writer = what_brings(whole, writers, reading)
    rules = writer.all("include") or writer.all("exclude")
    word = "include" if writer.has("include") else "exclude"
    shown = " ".join(f"{f.name}: {f.value}" for f in rules[0].fields)
    option = f"--input-shape {bottom}=1,3,224,224"
    raise NetsurgeryError(
        f"bottom '{bottom}' has lost its writer: layer '{writer.last('name', '')}' ({writer.last('type', '')}) is left out by"
        f" {word} {{ {shown} }}",
        layer=layer,
        expected=f"a net that is whole in phase {reading.phase}, level {reading.level}, stages {_stages(whole, reading)}",
        fix=f"bring it back: {state}; or give '{bottom}' as an input: {option}"
        if state
        else f"give '{bottom}' as an input: {option}",
    )


def what_brings(whole: Message, layers: Sequence[Message], reading: Reading) -> tuple[str, Message]:
    """What to say for one of these layers to take part, "" if nothing does, and which it is: first of all what leaves the net whole."""
    ways = []
    for layer in layers:
        for state in _states(layer, reading):
            selection = filter_net(whole, state.phase, state.level, state.stages)
            if any(layer is other for other in selection.all("layer")):
                changes = _changes(state, reading)
                ways.append(
                    ((bool(_lost(selection)), state.phase != reading.phase, len(changes)), " ".join(changes), layer)
                )
    if not ways:
        return "", layers[0]
    _, said, layer = min(ways, key=lambda way: way[0])
    return said, layer


def _states(layer: Message, reading: Reading) -> Iterator[Reading]:
    """Phases, levels and stages in which a layer may take part."""
    level = reading.level
    for rule in layer.all("include"):
        stages = dict.fromkeys((*reading.stages, *rule.all("stage")))
        least = max(level, rule.last("min_level", level))
        yield replace(
            reading,
            phase=str(rule.last("phase", reading.phase)),
            level=min(least, rule.last("max_level", least)),
            stages=tuple(stage for stage in stages if stage not in rule.all("not_stage")),
        )
    for rule in layer.all("exclude"):
        for stage in rule.all("stage"):
            yield replace(reading, stages=tuple(other for other in reading.stages if other != stage))
        for stage in rule.all("not_stage"):
            yield replace(reading, stages=(*reading.stages, stage))
        yield replace(reading, phase="TRAIN" if reading.phase == "TEST" else "TEST")
        yield replace(reading, level=rule.last("min_level", level) - 1)
        yield replace(reading, level=rule.last("max_level", level) + 1)


def _changes(state: Reading, reading: Reading) -> list[str]:
    """The options that make one state of another."""
    options = [f"--stage {stage}" for stage in state.stages if stage not in reading.stages]
    options += [f"--phase {state.phase}"] * (state.phase != reading.phase)
    options += [f"--level {state.level}"] * (state.level != reading.level)
    gone = [f"--stage {stage}" for stage in reading.stages if stage not in state.stages]
    return [*options, *([f"without {' '.join(gone)}"] if gone else [])]


def _lost(net: Message) -> set[str]:
    """The bottoms that no layer before writes."""
    written: set[str] = set()
    lost: set[str] = set()
    for layer in net.all("layer"):
        lost.update(bottom for bottom in layer.all("bottom") if bottom not in written)
        written.update(layer.all("top"))
    return lost


def _stages(whole: Message, reading: Reading) -> list[str]:
    """The stages that count: those of the file's own state, and those asked for."""
    return list(dict.fromkeys((*(s for state in whole.all("state") for s in state.all("stage")), *reading.stages)))
