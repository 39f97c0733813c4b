"""Whether the reference in float32, where its own error does not decide, gives the verdicts of the reference in float64. Run by hand:

    python tests/helpers/quick_reference.py fixtures/conformance fixtures/conformance-forks ...

Each case folder's model is verified on the recorded inputs by both, as it is and damaged: the last layer's weights turned around, and its
weights off by the size of the tolerance (0.3, 1 and 3 times), where verdicts are closest. Prints how many verdicts there were, in how many
cases float32 was enough, and every verdict that differs; exit code 1 if one does.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cases
import numpy as np
import onnx

import netsurgery
from netsurgery.errors import NetsurgeryError
from netsurgery.verification.compare import RTOL
from netsurgery.verification.reports.report import Report


def models(net: netsurgery.Net) -> Iterator[tuple[str, onnx.ModelProto]]:
    model = netsurgery.to_onnx(net)
    yield "as it is", model
    last = [layer for layer in net.layers if layer.weights and np.abs(layer.weights[0]).max(initial=0) > 0]
    if not last:
        return
    yield "turned around", netsurgery.to_onnx(cases.damaged(net))
    for share in (0.3, 1.0, 3.0):
        w = np.array(last[0].weights[0])
        w *= np.float32(1 + share * RTOL)
        yield f"{share:g} tolerances off", netsurgery.to_onnx(net.with_weights(last[0].name, w, *last[0].weights[1:]))


def verdict(report: Report) -> Any:
    """What a user is told: whether it agrees, from which blob on it differs, blob by blob what passed."""
    first = report.first_difference
    return (
        report.verdict,
        first and first.blob,
        [[(c.blob, c.passed) for c in case.comparisons] for case in report.cases],
    )


def main(folders: list[str]) -> int:
    total: Counter[str] = Counter()
    differ = []
    for case in sorted(path.parent for folder in folders for path in Path(folder).rglob("runs.npz")):
        try:
            net = cases.load(case)
            inputs = next(inputs for inputs, _ in cases.runs(case))
            for what, model in models(net):
                options: dict[str, Any] = {"inputs": inputs} if inputs else {}
                quick, double = (netsurgery.verify(net, model, dtype=d, **options) for d in (None, np.float64))
                by = {c.against for c in quick.cases}
                total["float32 was enough" if by == {"netsurgery.run (float32)"} else "float64 decided"] += 1
                total[f"{what}: {double.verdict}"] += 1
                if verdict(quick) != verdict(double):
                    differ.append(f"{case}, {what}: {quick.sentence} / {double.sentence}")
        except NetsurgeryError as error:
            total["passed over"] += 1
            print(f"{case}: {str(error).splitlines()[0]}")
    for what, count in sorted(total.items()):
        print(f"{count:5} {what}")
    print(f"{len(differ)} verdicts differ", *differ, sep="\n")
    return int(bool(differ))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
