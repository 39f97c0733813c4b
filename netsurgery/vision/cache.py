"""ONNX models that commands make for themselves, kept in the user's cache directory from one call to the next."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import NetsurgeryError
from ..files.output import remove_stale, temporary_name
from ..formats.preprocessing import Preprocessing
from ..formats.save import to_prototxt
from ..net import Net

LIMIT = 4 << 30
"""Bytes of models that are kept; the longest unused go first."""


def folder() -> Path:
    """Where they are kept: the user's cache folder ($XDG_CACHE_HOME/netsurgery, or what the system has instead)."""
    from platformdirs import user_cache_path

    return user_cache_path("netsurgery", appauthor=False)


def key(net: Net, blobs: Sequence[str]) -> str:
    """What a model is known by: the net (see `content`), and the program that makes it."""
    return hashlib.sha256(f"{content(net, blobs)} {_program()}".encode()).hexdigest()[:32]


def content(net: Net, blobs: Sequence[str]) -> str:
    """The hash of a net, whatever was done to it, its weights, and the blobs that are wanted."""
    digest = hashlib.sha256()
    for said in (to_prototxt(net), *blobs):
        digest.update(hashlib.sha256(said.encode("utf-8", "surrogateescape")).digest())
    for layer in net.layers:
        for blob in layer.weights:
            digest.update(f"{blob.shape} {blob.dtype}".encode())
            digest.update(np.ascontiguousarray(blob).data)
    return digest.hexdigest()


def made_by(net: Net, blobs: Sequence[str], preprocessing: Preprocessing, options: Mapping[str, Any]) -> str:
    """What tells results of other nets, preprocessing or options apart."""
    mean = preprocessing.mean
    said = {
        "net": content(net, blobs),
        "pixels": asdict(replace(preprocessing, mean=None)),
        "mean": None if mean is None else hashlib.sha256(f"{mean.shape}".encode() + mean.tobytes()).hexdigest(),
        "options": options,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def _program() -> str:
    """Changes with every change of the program, installed or in a checkout."""
    package = Path(__file__).parent.parent
    files = sorted(package.rglob("*.py"))
    stamps = [f"{file.relative_to(package)} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files]
    return hashlib.sha256("\n".join(stamps).encode()).hexdigest()


def cached_model(name: str, make: Callable[[Path], object]) -> Path | None:
    """The model of that key, made by `make(path)` if it is not there: whole or not at all, whoever else does the same. None where the
    cache cannot be written, which a warning says once."""
    place = folder() / name
    model = place / "model.onnx"
    try:
        if not place.is_absolute():  # there is no home
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if model.is_file():
            with suppress(OSError):
                os.utime(place)
            return model
        parts = folder() / f"{temporary_name(name)}.part"
        parts.mkdir(parents=True)
    except OSError as error:
        _say_unkept(str(error.strerror))
        return None
    remove_stale(str(folder()))
    try:
        make(parts / model.name)
        with suppress(OSError):  # another process was first
            parts.rename(place)
    except NetsurgeryError as error:
        if error.source is None or Path(error.source.file).parent != parts:
            raise
        _say_unkept(error.problem.removeprefix("cannot be written: "))  # the disk is full
        return None
    finally:
        shutil.rmtree(parts, ignore_errors=True)
    with suppress(OSError):
        _forget(but=place)
    if model.is_file():
        return model
    _say_unkept("they cannot be put there")
    return None


def _say_unkept(why: str) -> None:
    warnings.warn(f"{folder()}: models are not kept: {why}", UnkeptWarning, stacklevel=3)


class UnkeptWarning(UserWarning):
    """The cache cannot be written: what is made is not kept."""


def _forget(but: Path) -> None:
    """Removes the longest unused models beyond LIMIT."""
    models = []
    for place in folder().iterdir():
        if place.name.startswith("."):  # under way
            continue
        with suppress(OSError):
            size = sum(file.stat().st_size for file in place.iterdir())
            models.append((place.stat().st_mtime, size, place))
    total = sum(size for _, size, _ in models)
    for _, size, place in sorted(models):
        if total <= LIMIT:
            return
        if place != but:
            shutil.rmtree(place, ignore_errors=True)
            total -= size
