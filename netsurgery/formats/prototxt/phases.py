"""Which layers of a net take part in a phase: include and exclude rules applied, as Caffe does when it builds a net.

Source: Net::FilterNet and Net::StateMeetsRule in src/caffe/net.cpp of BVLC Caffe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...errors import NetsurgeryError, ParseError
from ...message import Message

PHASES = ("TEST", "TRAIN")


def filter_net(net: Message, phase: str = "TEST", level: int = 0, stages: Sequence[str] = ()) -> Message:
    """The V2 net of the layers that belong to this state; the net itself if all do.

    As in caffe.Net(file, phase, level, stages): phase and level take the place of those in the file's own `state`, and
    the stages there count beside the ones given.

    Raises: ParseError for a layer with both include and exclude rules; NetsurgeryError for a phase that there is not.
    """
    if phase not in PHASES:
        raise NetsurgeryError(f"there is no phase '{phase}'", expected="TEST or TRAIN")
    own = [stage for state in net.all("state") for stage in state.all("stage")]
    active = {*own, *stages}
    fields = tuple(f for f in net.fields if f.name != "layer" or _included(f.value, phase, level, active))
    return net if len(fields) == len(net.fields) else replace(net, fields=fields, text="")


def _included(layer: Message, phase: str, level: int, stages: set[str]) -> bool:
    include, exclude = layer.all("include"), layer.all("exclude")
    if include and exclude:
        rule = next(f for f in reversed(layer.fields) if f.name in ("include", "exclude"))
        raise ParseError(
            "both include and exclude rules",
            layer=f"'{layer.last('name', '')}' ({layer.last('type', '')})",
            source=rule.source if str(rule.source) else layer.source,
            expected="only one of the two, as Caffe requires",
            fix="write the exclude rules as include rules (phase: TRAIN excluded is phase: TEST included)",
        )
    if include:
        return any(_meets(rule, phase, level, stages) for rule in include)
    return not any(_meets(rule, phase, level, stages) for rule in exclude)


def _meets(rule: Message, phase: str, level: int, stages: set[str]) -> bool:
    """Whether every condition of the rule holds; a rule without conditions always does."""
    return (
        rule.last("phase", phase) == phase
        and rule.last("min_level", level) <= level <= rule.last("max_level", level)
        and stages.issuperset(rule.all("stage"))
        and stages.isdisjoint(rule.all("not_stage"))
    )
