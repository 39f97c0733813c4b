"""Where a side environment's interpreter is, and a process of it that has answered."""

from __future__ import annotations

import os
from typing import Any

from ...errors import Lines, UnavailableError, visible
from .install import installed_python
from .process import SECONDS, Side, SideError
from .recipe import Recipe


def python_for(recipe: Recipe, python: str | os.PathLike[str] | None = None) -> tuple[str | None, str]:
    """The interpreter, and how it was found: `python` itself, the one that the variable names, or the one that was installed."""
    if python is not None:
        return os.fspath(python), "named"
    if named := os.environ.get(recipe.variable):
        return named, f"named by {recipe.variable}"
    return installed_python(recipe), "installed"


def open_side(
    recipe: Recipe, python: str | os.PathLike[str] | None = None, seconds: float = SECONDS
) -> tuple[Side, dict[str, Any]]:
    """A process of the environment, and what it says of itself.

    Raises: UnavailableError where there is none."""
    path, _ = python_for(recipe, python)
    if path is None:
        raise UnavailableError(
            f"{recipe.title} is not there",
            expected=f"a Python {' or '.join(reversed(recipe.pythons))} that has it: this one is too new for it, and it runs in a "
            "process of its own",
            fix=recipe.fix,
        )
    side = Side(recipe, path, seconds)
    try:
        return side, side.ask({"do": "probe"})
    except SideError as error:
        side.close()
        raise UnavailableError(
            Lines(f"{visible(path)} has no {recipe.title} that works: {error.problem}"),
            expected=f"a Python with {', '.join(recipe.packages[:3])}",
            fix=recipe.fix,
        ) from None
