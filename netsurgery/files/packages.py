"""Packages that only some commands need: imported when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import UnavailableError


def package(module: str, title: str, expected: str, fix: str) -> Any:
    """The module. Raises: UnavailableError if it cannot be imported, which says why, what is `expected` and how to get it."""
    try:
        return import_module(module)
    except (ImportError, RuntimeError) as error:  # torchvision of another build than torch is a RuntimeError
        raise UnavailableError(f"{title} is not there: {error}", expected=expected, fix=fix) from None
