"""What took part in a comparison: versions, hashes of files, and what the model records of the files that it was made from."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from ..errors import NetsurgeryError, Source
from ..formats.weights.hashes import sha256, structure_hash
from ..net import Net
from .runtimes.base import is_caffe2, model_path

if TYPE_CHECKING:
    from .runtimes.base import Model


@cache
def versions() -> dict[str, str]:
    """Versions of what computes and of what it runs on."""
    packages = {name: installed(name) for name in ("netsurgery", "numpy", "onnx")}
    return {**packages, "python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}


def installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"


def hashes(net: Net, model: Model) -> dict[str, str]:
    """The SHA-256 of the files, as far as there are files."""
    files = dict(net.files)
    if isinstance(model, Net):
        files |= {f"second {kind}": path for kind, path in model.files.items()}
    elif path := model_path(model):
        files["model"] = path
    return {
        kind: _sha256(os.path.realpath(path), *_stamp(path)) for kind, path in files.items() if os.path.isfile(path)
    }


def _stamp(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


@cache
def _sha256(path: str, size: int, time: int) -> str:
    return sha256(path)


def check_pins(pinned: Mapping[str, str]) -> None:
    """Raises: NetsurgeryError if a file (path -> SHA-256) is not the one that is pinned."""
    for path, pin in pinned.items():
        if not os.path.isfile(path):
            raise NetsurgeryError("is pinned by its sha256, and is not there", source=Source(path), expected="a file")
        digest = _sha256(os.path.realpath(path), *_stamp(path))
        if digest != pin.lower():
            raise NetsurgeryError(
                f"is not the file that is pinned: its sha256 is {digest}",
                source=Source(path),
                expected=f"sha256 {pin.lower()}",
                fix="get that file, or pin this one once you know why it changed",
            )


def recorded_sources(net: Net, model: Model) -> tuple[dict[str, str], list[str]]:
    """What the model records of its sources, each held against the net's files: "same", "differs", or why it could not be checked; and
    warnings."""
    if isinstance(model, Net):
        return {}, []
    recorded = metadata(model)
    sources: dict[str, str] = {}
    for kind in ("prototxt", "weights"):
        name, path = recorded.get(f"netsurgery.{kind}"), net.files.get(kind)
        if name is None and f"netsurgery.{kind}.sha256" not in recorded:
            continue
        if path is None or not os.path.isfile(path):
            sources[kind] = f"{name}: not checked: the net did not come from a file"
        else:
            sources[kind] = f"{name}: {held_against(recorded, kind, path)}"
    warnings = [
        f"the model was made from another {kind} file: {text}" for kind, text in sources.items() if ": differs" in text
    ]
    if not any(key.startswith("netsurgery.") for key in recorded):
        return {}, []
    return sources, warnings


def held_against(recorded: Mapping[str, str], kind: str, path: str) -> str:
    """Whether a file is the one that the model records: "same ...", "differs ...", or why that cannot be told."""
    full = recorded.get(f"netsurgery.{kind}.sha256")
    if full is not None:
        return "same (sha256)" if _sha256(os.path.realpath(path), *_stamp(path)) == full else f"differs (sha256 {full})"
    size, structure = (recorded.get(f"netsurgery.{kind}.{what}") for what in ("size", "structure_sha256"))
    if size is None or structure is None:
        return "not checked: the model records no hash"
    if str(os.path.getsize(path)) != size:
        return f"differs (size {os.path.getsize(path)}, the model records {size})"
    if structure_hash(path) != structure:
        return "differs (structure)"
    return "same size and structure; its values are not checked by hash: convert with --hash records one"


def metadata(model: Any) -> dict[str, str]:
    """The model's own metadata. What is no model has none: opening it has said so. NetDefs have none."""
    from ..exporters.onnx.light import read_light

    if is_caffe2(model_path(model)):
        return {}

    return {p.key: p.value for p in read_light(model).proto.metadata_props}
