"""Every case in real Caffe2: what ran with Caffe's numbers, and what was refused, by layer and reason.

    python tests/helpers/caffe2_table.py [--caffe2-python PYTHON] [--least 95] [FOLDER ...]

FOLDERs hold case folders; without any: fixtures/conformance and fixtures/conformance-forks. Exit code 1 if a case gave other numbers
or failed in Caffe2, or if fewer than `--least` percent of a folder ran; 2 if there is no Caffe2.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import caffe2_cases
import cases

from netsurgery.errors import NetsurgeryError, UnsupportedLayersError
from netsurgery.verification.side.opened import open_side
from netsurgery.verification.side.recipe import CAFFE2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--caffe2-python")
    parser.add_argument("--least", type=float, default=0)
    options = parser.parse_args()
    try:
        side, about = open_side(CAFFE2, options.caffe2_python)
    except NetsurgeryError as error:
        print(error, file=sys.stderr)
        return 2
    print("Caffe2 of PyTorch {torch}, Python {python}, NumPy {numpy}".format(**about["versions"]))
    bad = False
    for folder in options.folders or [cases.FIXTURES / "conformance", cases.FIXTURES / "conformance-forks"]:
        ran = refused = wrong = 0
        for case in sorted(path.parent for path in folder.rglob("runs.npz")):
            name = case.relative_to(folder)
            try:
                exports, made, problem = caffe2_cases.check(case, side)
            except UnsupportedLayersError as error:
                refused += 1
                print(f"{name}: refused: {' / '.join(f'{e.layer}: {e.problem}' for e in error.errors)}")
            except NetsurgeryError as error:
                wrong += 1
                print(f"{name}: FAILED: {error}")
            else:
                if problem:
                    wrong += 1
                    print(f"{name}: WRONG: {problem}")
                else:
                    ran += 1
                    free = "one export for all sizes" if exports == 1 else f"{exports} exports"
                    print(f"{name}: ran, {free}{'; ' if made.notes else ''}{'; '.join(made.notes)}")
        total = ran + refused + wrong
        print(
            f"== {folder}: {ran} of {total} ran ({100 * ran / max(total, 1):.1f} %), {refused} refused, {wrong} wrong"
        )
        bad = bad or wrong > 0 or not total or 100 * ran < options.least * total
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
