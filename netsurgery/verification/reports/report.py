"""What a comparison came to: a Report of cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

from ...html_table import table
from ..compare import Tolerance
from ..vouchers import FORMULA, in_words
from .case import Case, Comparison
from .values import AGREE, DIFFER, NOT_COMPARED, SHOWS_NOTHING, number


@dataclass(frozen=True, repr=False)
class Report:
    """What `netsurgery.verify` found. It is true if the model agrees with the net."""

    name: str
    model: str
    net: str
    tolerance: Tolerance
    cases: tuple[Case, ...]
    runtime: str = ""
    notes: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the files that took part."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """What the model records of the files that it was made from, and whether they are these."""
    error: str = ""
    """Why nothing could be compared, "" if it could."""
    seconds: float = 0.0

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"<Report '{self.name}': {self.error or self.sentence}>"

    def __str__(self) -> str:
        """What `netsurgery verify` prints."""
        from .text import lines

        return "\n".join(lines(self))

    def _repr_html_(self) -> str:
        from ...html_table import escape
        from .text import HEADINGS, cells, summary

        tables = (table(HEADINGS, map(cells, case.comparisons), summary(case)) for case in self.cases)
        return f"<p>{escape(f'{self.name}: {self.error or self.sentence}')}</p>{''.join(tables)}"

    @cached_property
    def deciding(self) -> tuple[Case, ...]:
        """The cases that decide: advisory opinions do only where there are no others."""
        return tuple(case for case in self.cases if not case.advisory) or self.cases

    @property
    def passed(self) -> bool:
        """Whether everything was compared and agrees."""
        return self.agrees and self.idle is None

    @property
    def agrees(self) -> bool:
        """Whether nothing differs, be it that it shows nothing."""
        return not self.error and bool(self.cases) and all(case.passed for case in self.deciding)

    @cached_property
    def idle(self) -> Comparison | None:
        """The first output that is one and the same number for all inputs, or the first blob of a layer of which every blob is: a model
        that computes something else may give that, too. Blobs made of choices are judged by what they were made of."""
        seen: dict[str, list[Comparison]] = {}
        for c in (c for case in self.deciding for c in case.comparisons):
            seen.setdefault(c.blob, []).append(c)
        still = {blob for blob, all_of_it in seen.items() if _is_still(all_of_it)}
        for blob, (first, *_) in seen.items():
            whole = all(b in still for b, (c, *_) in seen.items() if c.layer == first.layer)
            if blob in still and (first.is_output or whole):
                return first
        return None

    @property
    def verdict(self) -> str:
        if self.error or not self.cases:
            return NOT_COMPARED
        return (AGREE if self.idle is None else SHOWS_NOTHING) if self.agrees else DIFFER

    @cached_property
    def vouchers(self) -> dict[str, tuple[int, int]]:
        """Who vouches for blobs -> how many of them agree, in all inputs, and how many there are."""
        right: dict[tuple[str, str], bool] = {}
        for c in (c for case in self.deciding for c in case.comparisons):
            right[c.by, c.blob] = right.get((c.by, c.blob), True) and c.passed
        return {
            by: (sum(ok for (b, _), ok in right.items() if b == by), sum(b == by for b, _ in right))
            for by in dict.fromkeys(by for by, _ in right)
        }

    @cached_property
    def by_formula(self) -> tuple[str, ...]:
        """The layers that were held to their formula alone."""
        return tuple(dict.fromkeys(c.layer for case in self.deciding for c in case.comparisons if c.by == FORMULA))

    @property
    def sentence(self) -> str:
        """The verdict in words: `agrees with Caffe 1.0.0 in 39 of 39 blobs`."""
        if self.error or not self.cases:
            return NOT_COMPARED
        said = f"agrees with {in_words(self.vouchers)}" if self.vouchers else "nothing was compared"
        first, idle = self.first_difference, self.idle
        if self.agrees and idle is not None:
            value = number(idle.measure.low)
            return (
                f"{SHOWS_NOTHING}: blob '{idle.blob}' of layer {idle.layer} is {value} for all inputs, and would be for many a wrong "
                "model; give weights, or inputs, that make it move"
            )
        if not self.passed and first is not None:
            said = f"DIFFERS from blob '{first.blob}' of layer {first.layer} on; it {said}"
        return said + (f"; by formula alone: layer {', '.join(self.by_formula)}" if self.by_formula else "")

    @property
    def first_case(self) -> Case | None:
        """The first case that decides and differs."""
        return next((case for case in self.deciding if not case.passed), None)

    @property
    def first_difference(self) -> Comparison | None:
        """The first blob, in the order of the net, that is off in the first case that differs."""
        return self.first_case.first_difference if self.first_case else None

    @property
    def worst(self) -> Comparison | None:
        return max(
            (w for case in self.deciding if (w := case.worst) is not None),
            key=lambda c: c.measure.max_rel,
            default=None,
        )

    def to_json(self) -> dict[str, Any]:
        """Everything, in plain values; what is no finite number is a string ("inf", "nan")."""
        first = self.first_difference
        return {
            "name": self.name,
            "model": self.model,
            "net": self.net,
            "runtime": self.runtime,
            "verdict": self.verdict,
            "sentence": self.sentence,
            "vouchers": {by: {"agree": n, "blobs": m} for by, (n, m) in self.vouchers.items()},
            "by_formula": list(self.by_formula),
            "passed": self.passed,
            "error": self.error,
            "rtol": self.tolerance.rtol,
            "atol": self.tolerance.atol,
            "first_difference": first.to_json() if first else None,
            "cases": [case.to_json() for case in self.cases],
            "notes": list(self.notes),
            "versions": dict(self.versions),
            "sha256": dict(self.hashes),
            "sources": dict(self.sources),
            "seconds": round(self.seconds, 3),
        }


def _is_still(comparisons: list[Comparison]) -> bool:
    """Whether a blob is one number throughout; a single number is not enough to say so."""
    first = comparisons[0]
    return (
        all(c.fed and c.rule != "choices" and c.measure.low == c.measure.high == first.measure.low for c in comparisons)
        and sum(prod(c.measure.shape) for c in comparisons) > 1
    )
