"""Writes docs/layers.md from the registry. `python docs/build.py --check` says whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from netsurgery.catalog import entries

PAGE = Path(__file__).with_name("layers.md")
HEAD = """# Layers

What `netsurgery layers` prints, from the registry; `python docs/build.py` writes this page.

| type | of | held to | ONNX | Caffe2 | what it computes | note |
|---|---|---|---|---|---|---|
"""


def page() -> str:
    return HEAD + "".join(
        f"| `{row.type}` | {_cell(row.whose)} | {_cell(row.held)} | {_cell(', '.join(row.onnx))} | {'yes' if row.caffe2 else 'no'} "
        f"| {_cell(row.computes)} | {_cell(row.note)} |\n"
        for row in entries()
    )


def _cell(text: str) -> str:
    for sign in "\\|*_[]":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("<", "&lt;")


if __name__ == "__main__":
    if "--check" in sys.argv:
        if PAGE.read_text("utf-8") != page():
            sys.exit("docs/layers.md is not what the registry says: run python docs/build.py")
    else:
        PAGE.write_text(page(), "utf-8")
