"""Writes docs/layers.md from the registry. `python docs/build.py --check` says whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from netsurgery.layers import find, names

PAGE = Path(__file__).with_name("layers.md")
HEAD = """# Layers

What `netsurgery layers` prints, from the registry; `python docs/build.py` writes this page.

| type | what it computes | note |
|---|---|---|
"""


def page() -> str:
    rows = []
    for name in names():
        cls = find(name)
        assert cls is not None, name
        formula = " ".join((cls.__doc__ or "").strip().split("\n\n")[0].split())
        rows.append(f"| `{name}` | {_cell(formula)} | {_cell(cls.note)} |\n")
    return HEAD + "".join(rows)


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


if __name__ == "__main__":
    if "--check" in sys.argv:
        if PAGE.read_text("utf-8") != page():
            sys.exit("docs/layers.md is not what the registry says: run python docs/build.py")
    else:
        PAGE.write_text(page(), "utf-8")
