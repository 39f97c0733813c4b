"""Images, found in files, folders, globs, lists and URLs; and folders for results."""

from __future__ import annotations

import glob
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import NetsurgeryError, Source
from ..files.boundary import read_file
from ..files.images import open_file
from ..files.urls import WEB, filesystem_of, is_url, scheme_of

SUFFIXES = frozenset(
    (".bmp", ".gif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp")
)
"""What counts as an image in a folder."""

MAX_BYTES = 1 << 30
"""Of a list."""

LISTS = (".txt", ".lst", ".list")


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image to be read, and the name of what is made of it: its path below the folder that was given, without the ending."""

    path: str
    name: str


def find_images(
    sources: Sequence[str | os.PathLike[str] | ImageFile], results: str | os.PathLike[str] | None = None
) -> list[ImageFile]:
    """The images that are meant: files, folders (with all below), globs, text files that list one image a line (what Caffe's lists
    hold behind it, a label, is passed over), and the same as URLs that fsspec knows. Each is listed once; names differ. An ImageFile
    stands for itself. What lies in the folder `results` is no image, be it below a folder that was given.

    Raises: NetsurgeryError for a folder or glob without images, a list that cannot be read, or images that lie where results go.
    """
    inside = _inside(results)
    names: dict[str, str] = {}
    for item in sources:
        if isinstance(item, ImageFile):
            names.setdefault(item.path, item.name)
            continue
        text = os.fspath(item)
        whole = inside(text)
        for path, name in _below_url(text) if is_url(text) else _below(text):
            if not inside(path):
                names.setdefault(path, name)
            elif whole or not (is_url(text) or os.path.isdir(text)):
                raise NetsurgeryError(
                    "lies in the folder to which results go, and might be overwritten",
                    source=Source(path),
                    fix="choose another folder for the results (-o)",
                )
    count: Counter[str] = Counter()
    taken: dict[str, str] = {}  # in lower case: some file systems do not tell "A" and "a" apart
    for path, name in names.items():
        suffix = PurePosixPath(path.replace(os.sep, "/")).suffix
        unique = name
        if unique.lower() in taken:
            unique = f"{name}{suffix}"
        while unique.lower() in taken:
            count[name] += 1
            unique = f"{name}-{count[name] + 1}"
        taken[unique.lower()] = path
        names[path] = unique
    return [ImageFile(path, name) for path, name in names.items()]


def find_for(
    sources: Sequence[str | os.PathLike[str] | ImageFile], results: str | os.PathLike[str], scheduler: str | None
) -> tuple[list[ImageFile], str]:
    """`find_images`, and where results go, as the workers of a `scheduler` (None: there is none) know them.

    Raises: NetsurgeryError."""
    images, folder = find_images(sources, results), os.fspath(results)
    if scheduler is None:
        return images, folder
    images = [image if is_url(image.path) else replace(image, path=os.path.abspath(image.path)) for image in images]
    return images, folder if is_url(folder) else os.path.abspath(folder)


def _inside(folder: str | os.PathLike[str] | None) -> Callable[[str], bool]:
    """Whether a path or URL is this folder, or lies in it."""
    if folder is None:
        return lambda path: False
    name = os.fspath(folder)
    root = name.rstrip("/") if is_url(name) else os.path.realpath(name)

    def inside(path: str) -> bool:
        at = path if is_url(path) else os.path.realpath(path)
        return at.rstrip("/") == root or at.startswith(root + ("/" if is_url(path) else os.sep))

    return inside


def _below(text: str) -> Iterator[tuple[str, str]]:
    """(path, name) of the local images that one argument stands for."""
    path = Path(text)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        if not files:
            raise NetsurgeryError("there is no image in this folder", source=Source(text), expected=_expected())
        yield from ((str(p), p.relative_to(path).with_suffix("").as_posix()) for p in files)
    elif path.suffix.lower() in LISTS and path.is_file():
        yield from _listed(path)
    elif not path.exists() and glob.has_magic(text):
        matches = sorted(m for m in glob.glob(text, recursive=True) if os.path.isfile(m))
        if not matches:
            raise NetsurgeryError("no file matches", source=Source(text), expected="a glob of images")
        yield from ((m, Path(m).stem) for m in matches)
    else:
        yield text, path.stem or path.name


def _listed(path: Path) -> Iterator[tuple[str, str]]:
    text = read_file(path, MAX_BYTES, "a list of images").decode("utf-8", "surrogateescape")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise NetsurgeryError("is empty", source=Source(str(path)), expected="a list of images, one a line")
    for line in lines:
        if is_url(line):
            yield line, _stem(line)
            continue
        image, _, label = line.rpartition(" ")
        file = Path(line)
        if re.fullmatch("-?[0-9]+", label) and not _exists(path.parent / file) and not _exists(file):
            file = Path(image.strip())
        beside = path.parent / file
        yield str(beside if _exists(beside) or not _exists(file) else file), file.stem


def _exists(path: Path) -> bool:
    """Whether there is such a file; a path that none can have is none."""
    with suppress(OSError, ValueError):
        return path.exists()
    return False


def _below_url(url: str) -> Iterator[tuple[str, str]]:
    """(URL, name) of the images that a URL stands for."""
    if scheme_of(url) in WEB:
        yield url, _stem(url)
        return
    filesystem, root = filesystem_of(url)
    try:
        if glob.has_magic(root):
            for path in sorted(filesystem.glob(root)):
                yield filesystem.unstrip_protocol(path), _stem(path)
        elif PurePosixPath(root).suffix.lower() not in SUFFIXES and filesystem.isdir(root):
            for path in sorted(filesystem.find(root)):
                if PurePosixPath(path).suffix.lower() in SUFFIXES:
                    below = path[len(root) :].lstrip("/")
                    yield filesystem.unstrip_protocol(path), str(PurePosixPath(below).with_suffix(""))
        else:
            yield url, _stem(url)
    except OSError as error:
        raise NetsurgeryError(f"cannot be listed: {error}", source=Source(url)) from None


def _stem(url: str) -> str:
    path = url.split("://", 1)[-1].split("?", 1)[0].split("#", 1)[0]
    return PurePosixPath(path).stem or "image"


def _expected() -> str:
    return f"files that end in {', '.join(sorted(SUFFIXES))}"


class Folder:
    """Where results go: a folder, or a URL below which fsspec can write. Files appear whole or not at all."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.url = is_url(self.path)

    def __str__(self) -> str:
        return self.path

    def place(self, name: str) -> str:
        return f"{self.path.rstrip('/')}/{name}" if self.url else os.path.join(self.path, *name.split("/"))

    def read(self, name: str) -> bytes | None:
        """The content of a file there; None if there is none."""
        with suppress(OSError, NetsurgeryError), open_file(self.place(name)) as file:
            return file.read()
        return None

    def write(self, name: str, data: bytes) -> str:
        """Writes a file and gives its place. Raises: NetsurgeryError if it cannot be written."""
        place = self.place(name)
        if not self.url:
            from ..files.output import replacing

            self._make(os.path.dirname(place))
            with replacing(place) as file:
                file.write(data)
            return place
        filesystem, path = filesystem_of(place)
        try:
            if "file" in _protocols(filesystem):
                Folder(os.path.dirname(path)).write(os.path.basename(path), data)
            else:  # object stores: a file is there when it is closed
                filesystem.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
                filesystem.pipe_file(path, data)
        except OSError as error:
            raise NetsurgeryError(f"cannot be written: {error}", source=Source(place)) from None
        return place

    def finished(self, image: ImageFile, made_by: str) -> dict[str, Any] | None:
        """The summary NAME.json of an image, if one of the same `made_by` is there."""
        data = self.read(f"{image.name}.json")
        try:
            summary = json.loads(data) if data else None
        except ValueError:
            return None
        mine = isinstance(summary, dict) and summary.get("made_by") == made_by and summary.get("image") == image.path
        return summary if mine else None

    def _make(self, folder: str) -> None:
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise NetsurgeryError(
                f"cannot be made: {error.strerror}", source=Source(folder), expected="a folder"
            ) from None


def _protocols(filesystem: Any) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
