"""One set of inputs and one opinion: a Case, which has a Comparison for each blob."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import Source
from ..compare import Measure
from .values import index, number, plain


@dataclass(frozen=True)
class Comparison:
    """One blob, held against the reference. `rule` says how: "tolerance"; "choices" for a blob that near-ties may turn, held to what its
    layer makes of the model's own bottoms; "rounding" for one that is off by no more than float32 itself; "as it is" for an output of
    the model without the outputs that were added to see blobs."""

    blob: str
    layer: str
    source: Source
    measure: Measure
    rule: str = "tolerance"
    is_output: bool = False
    remark: str = ""
    by: str = ""
    """Who vouches for the numbers that it was held against (vouchers.py)."""
    fed: bool = False
    """Whether it follows from the net's inputs."""

    @property
    def passed(self) -> bool:
        return self.measure.passed

    @property
    def problem(self) -> str:
        """What is wrong, in words, "" if nothing is."""
        m = self.measure
        if m.passed:
            return ""
        if m.problem:
            at = f" at {index(m.where)}" if m.where is not None else ""
            return m.problem + at
        values = f"{number(m.got)} where the reference has {number(m.expected)}"
        return f"off by {m.max_rel:.2g} of its largest value at {index(m.where)}: {values}"

    def to_json(self) -> dict[str, Any]:
        m = self.measure
        return {
            "blob": self.blob,
            "layer": self.layer,
            "source": str(self.source),
            "output": self.is_output,
            "rule": self.rule,
            "by": self.by,
            "shape": list(m.shape),
            "passed": m.passed,
            "max_abs_error": plain(m.max_abs),
            "max_rel_error": plain(m.max_rel),
            "where": list(m.where) if m.where is not None else None,
            "expected": plain(m.expected),
            "got": plain(m.got),
            "cosine": plain(m.cosine),
            "snr_db": plain(m.snr_db),
            "problem": self.problem,
            "remark": self.remark,
        }


@dataclass(frozen=True)
class TopFive:
    """How often the greatest, and the `k` greatest, values of a softmax stand for the same classes in both."""

    blob: str
    first: float
    sets: float
    k: int = 5


@dataclass(frozen=True)
class Case:
    """One set of inputs, one opinion on what the numbers should be. Comparisons stand in the order of the net."""

    title: str
    against: str
    comparisons: tuple[Comparison, ...]
    not_compared: Mapping[str, str] = field(default_factory=dict)
    """Blobs that were passed over, and why."""
    top_five: tuple[TopFive, ...] = ()
    advisory: bool = False
    seconds: float = 0.0
    model_seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return all(c.passed for c in self.comparisons)

    @property
    def first_difference(self) -> Comparison | None:
        """The first blob in the order of the net that is off."""
        return next((c for c in self.comparisons if not c.passed), None)

    @property
    def worst(self) -> Comparison | None:
        """The blob with the greatest relative error."""
        return max(self.comparisons, key=lambda c: c.measure.max_rel, default=None)

    def to_json(self) -> dict[str, Any]:
        first = self.first_difference
        return {
            "inputs": self.title,
            "against": self.against,
            "advisory": self.advisory,
            "passed": self.passed,
            "first_difference": first.blob if first else None,
            "blobs": [c.to_json() for c in self.comparisons],
            "not_compared": dict(self.not_compared),
            "top_five": [vars(t) for t in self.top_five],
            "seconds": round(self.seconds, 3),
            "model_seconds": round(self.model_seconds, 3),
        }
