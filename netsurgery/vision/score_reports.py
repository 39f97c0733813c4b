"""Scores for machines: JSON, and JUnit with a least accuracy for CI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

from .accuracy import Tally


def to_json(tallies: Sequence[Tally], top: Sequence[int]) -> dict[str, Any]:
    """All that was counted, models in order, the first being the reference."""
    first = tallies[0]
    models = []
    for tally in tallies:
        accuracies = {}
        for k in top:
            low, high = tally.interval(k)
            entry: dict[str, Any] = {
                "accuracy": tally.accuracy(k),
                "right": int(tally.right(k).sum()),
                "interval": [low, high],
            }
            if tally is not first:
                change, half = tally.change(first, k)
                entry |= {"change": change, "change_interval": [change - half, change + half]}
            accuracies[f"top-{k}"] = entry
        models.append({"name": tally.name, **accuracies, "outputs": tally.outputs, "seconds": tally.seconds})
    return {"samples": len(first.ranks), "models": models}


def failures(tallies: Sequence[Tally], least: float | None) -> list[str]:
    """A line for each model whose top-1 accuracy is below the least."""
    if least is None:
        return []
    return [
        f"{tally.name}: top-1 is {tally.accuracy(1):.4f}, at least {least:g} is asked for"
        for tally in tallies
        if not tally.accuracy(1) >= least
    ]


def to_junit(tallies: Sequence[Tally], top: Sequence[int], least: float | None) -> bytes:
    """A testcase for each model, which fails if its top-1 accuracy is below the least; the numbers are in system-out."""
    broken = {line.split(": ", 1)[0]: line for line in failures(tallies, least)}
    suite = ET.Element(
        "testsuite",
        name="netsurgery score",
        tests=str(len(tallies)),
        failures=str(len(broken)),
        errors="0",
        time=f"{sum(tally.seconds for tally in tallies):.3f}",
    )
    for tally in tallies:
        case = ET.SubElement(
            suite, "testcase", name=tally.name, classname="netsurgery.score", time=f"{tally.seconds:.3f}"
        )
        if tally.name in broken:
            ET.SubElement(case, "failure", message=broken[tally.name], type="accuracy").text = broken[tally.name]
        said = [f"top-{k} {tally.accuracy(k):.6f} of {len(tally.ranks)} samples" for k in top]
        said += [f"{name} {value:.6g}" for name, value in tally.outputs.items()]
        ET.SubElement(case, "system-out").text = "\n".join(said)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'.encode()
