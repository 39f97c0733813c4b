"""Layers that are not to be expected here, and what to do instead."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import Source, UnsupportedError

CONDITIONAL_FIELDS = frozenset(
    {
        "CRF",
        "CRFasRNN",
        "CrfRnn",
        "DenseCRF",
        "MeanField",
        "Meanfield",
        "MultiStageCRF",
        "MultiStageMeanfield",
        "PermutohedralCRF",
    }
)
"""CRFs over all pairs of pixels, solved by mean field iterations with a permutohedral lattice."""


def refusal(type: str, title: str, source: Source, bottoms: Sequence[str]) -> UnsupportedError | None:
    """The error for a layer type of which more is known than its name; None for others."""
    if type not in CONDITIONAL_FIELDS or not bottoms:
        return None
    scores = bottoms[0]
    return UnsupportedError(
        "a conditional random field over all pairs of pixels, which no runtime has an operator for",
        layer=title,
        source=source,
        expected="the net without it",
        fix=f"cut it off: netsurgery operate .. --cut {scores} (convert --output {scores}), and let a library of dense CRFs work on "
        f"'{scores}'",
    )
