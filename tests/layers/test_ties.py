"""Where scores tie in Caffe itself, its order is that of std::sort: proof that it is the order, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from libstdcxx import sorted_down

import netsurgery
from netsurgery.layers import evaldetection

CASE = Path(__file__).parents[2] / "fixtures" / "ties" / "eval_detection_prob"
Runs = list[tuple[dict[str, np.ndarray], np.ndarray]]


def runs() -> Runs:
    feeds: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    tops: dict[str, np.ndarray] = {}
    with np.load(CASE / "runs.npz") as held:
        for key in held.files:
            run, side, blob = key.split("/")
            if side == "in":
                feeds[run][blob] = held[key]
            else:
                tops[run] = held[key]
    assert len(tops) == 3
    return [(feeds[run], tops[run]) for run in tops]


def test_in_the_order_of_std_sort_every_row_is_caffes(monkeypatch: pytest.MonkeyPatch) -> None:
    """score_type PROB: the boxes of a cell have one score, and which of them suppresses which hangs on their order."""
    net = netsurgery.load(CASE / "net.prototxt")
    monkeypatch.setattr(evaldetection, "by_score", lambda scores: np.array(sorted_down(scores)))
    for feed, want in runs():
        np.testing.assert_array_equal(netsurgery.run(net, feed)["eval_det"], want)
    monkeypatch.setattr(evaldetection, "by_score", lambda scores: np.argsort(-scores, kind="stable"))
    assert any((netsurgery.run(net, feed)["eval_det"] != want).any() for feed, want in runs())
