"""How many cases give Caffe's numbers in each runtime, with free sizes and with fixed ones.

    python tests/reach_table.py [--in openvino --in opencv ...] [--opset N] [--only free|fixed] [--show] [FOLDER ...]

FOLDERs hold case folders; without any: fixtures/conformance. A runtime that is not there is said to be missing.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent / "helpers")]

import cases  # noqa: E402
import reach  # noqa: E402

from netsurgery.errors import UnavailableError  # noqa: E402

RUNTIMES = ("onnxruntime", "openvino", "opencv", "torch", "mnn", "tract", "tvm", "ncnn", "web", reach.REFERENCE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--in", dest="runtimes", action="append", metavar="RUNTIME")
    parser.add_argument("--for", dest="target", help="as --for of convert")
    parser.add_argument("--opset", type=int)
    parser.add_argument("--only", choices=("free", "fixed"))
    parser.add_argument("--show", action="store_true", help="name every case that is not right")
    options = parser.parse_args()
    folders = options.folders or [cases.FIXTURES / "conformance"]
    all_cases = sorted(path.parent for folder in folders for path in folder.resolve().rglob("runs.npz"))
    if not all_cases:
        parser.error(f"no cases below {', '.join(map(str, folders))}")
    words: dict[str, Any] = {"opset": options.opset} if options.opset else {}
    if options.target:
        words["target"] = options.target
    sizes = [options.only] if options.only else ["free", "fixed"]
    print(f"right, wrong, refused of {len(all_cases)} cases", *sizes, sep="\t", flush=True)
    for runtime in options.runtimes or RUNTIMES:
        cells, notes = [], []
        for size in sizes:
            count: Counter[str] = Counter()
            try:
                for case, verdict in reach.verdicts(all_cases, runtime, size == "fixed", words):
                    count[verdict.partition(":")[0]] += 1
                    if verdict != reach.RIGHT:
                        notes.append(f"  {size}: {case.parent.name}/{case.name}: {verdict[:300]}")
            except UnavailableError as error:
                cells.append(f"missing ({error.fix})")
                continue
            cells.append("{right} {wrong} {refused}".format_map(Counter(count)))
        print(runtime, *cells, sep="\t", flush=True)
        if options.show:
            print(*notes, sep="\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
