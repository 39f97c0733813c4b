"""Which value of the model is which blob of the net: by name, else by position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import NetsurgeryError, Source
from ..net import Net
from ..passes.recurrent_state import state_outputs

if TYPE_CHECKING:
    from .runtimes.base import Array, Runtime


@dataclass(frozen=True)
class Pairing:
    """Net blob -> the model's name for it."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    """The net's outputs, and whatever else the model gives out."""
    inner: Mapping[str, str]
    missing: Mapping[str, str]
    """Blobs of the net that the model does not have, and why."""
    notes: tuple[str, ...] = ()

    @property
    def all(self) -> dict[str, str]:
        return {**self.inner, **self.outputs}

    def feeds(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Arrays under the model's names."""
        return {self.inputs[name]: array for name, array in arrays.items() if name in self.inputs}

    def blobs(self, arrays: Mapping[str, Array], which: Mapping[str, str]) -> dict[str, Array]:
        """Arrays under the net's names."""
        return {blob: arrays[name] for blob, name in which.items() if name in arrays}


def pair(
    net: Net,
    model: Runtime,
    outputs: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    inner: bool = True,
) -> Pairing:
    """Pairs blobs with the model's values. `names` (net blob -> model value) goes before all else; `outputs` are the net's blobs that
    must be compared (None: its outputs); `inner` asks for the blobs between as well.

    Raises: NetsurgeryError if an input or output has no partner."""
    mapping = dict(names or {})
    source = Source(model.path)
    for blob, name in mapping.items():
        if blob not in net.blobs:
            net.writer(blob)  # raises, with a suggestion
        if name not in model.blobs and name not in model.inputs:
            raise NetsurgeryError(
                f"has no value '{name}'", source=source, expected=f"one of: {', '.join(model.outputs)}"
            )
    notes: list[str] = []
    states = [name for name in state_outputs(net) if name not in model.inputs and name not in mapping]
    if states:
        raise NetsurgeryError(
            f"the net takes its state as input '{states[0]}', the model does not",
            source=source,
            expected=f"inputs {', '.join(net.inputs)}",
            fix="convert it with --recurrent-state",
        )
    inputs = _matched("input", list(net.inputs), list(model.inputs), mapping, notes, source)
    for name in model.inputs:
        if name not in inputs.values():
            raise NetsurgeryError(
                f"the model wants an input '{name}', which the net does not have",
                source=source,
                expected=f"the net's inputs: {', '.join(net.inputs)}",
                fix=f"--map INPUT={name} says which one it is",
            )
    ends = list(outputs) if outputs is not None else list(net.outputs)
    for blob in ends:
        net.writer(blob)  # raises, with a suggestion
    blobs = set(net.blobs)
    also = [name for name in model.outputs if name in blobs and name not in ends] if outputs is None else []
    offered = [name for name in model.outputs if name not in also]
    out = {
        **{name: name for name in also},
        **_matched("output", ends, offered, mapping, notes, source, model),
    }
    between: dict[str, str] = {}
    missing: dict[str, str] = {}
    for blob in net.blobs:
        if blob in net.inputs or blob in out:
            continue
        name = mapping.get(blob, blob)
        if not inner:
            missing[blob] = "outputs only"
        elif name in model.blobs:
            between[blob] = name
        else:
            missing[blob] = "the model does not have it: folded into another layer, constant, or left out"
    return Pairing(inputs, _in_order(net, out), between, missing, tuple(notes))


def _matched(
    what: str,
    blobs: Sequence[str],
    offered: Sequence[str],
    mapping: Mapping[str, str],
    notes: list[str],
    source: Source,
    model: Runtime | None = None,
) -> dict[str, str]:
    """blobs -> offered, by `mapping`, by name, or by position where no name fits and there are as many. An output may be any value of the
    model."""
    also = model.blobs if model is not None else ()
    pairs = {blob: mapping.get(blob, blob) for blob in blobs if mapping.get(blob, blob) in {*offered, *also}}
    if len(pairs) == len(blobs):
        return pairs
    if not pairs and len(blobs) == len(offered):
        notes.append(
            f"{what}s paired by position: {', '.join(f'{a} = {b}' for a, b in zip(blobs, offered, strict=True))}"
        )
        return dict(zip(blobs, offered, strict=True))
    lost = next(blob for blob in blobs if blob not in pairs)
    raise NetsurgeryError(
        f"the model has no {what} '{lost}' of the net",
        source=source,
        expected=f"its {what}s: {', '.join(model.outputs if model is not None else offered) or 'none'}",
        fix=f"--map {lost}=NAME says what it is called there"
        + ("; --output BLOB compares only some" if what == "output" else ""),
    )


def _in_order(net: Net, blobs: Mapping[str, str]) -> dict[str, str]:
    return {blob: blobs[blob] for blob in net.blobs if blob in blobs}
