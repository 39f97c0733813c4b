"""Files behind URLs: of schemes that are known, and no more of them, nor longer, than the limits let.

http and https are read here; s3, gs, az and file through fsspec and the package of each.
"""

from __future__ import annotations

import os
import re
import time
from typing import IO, Any
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ..errors import NetsurgeryError, Source
from ..limits import lift, limits
from .boundary import open_file, package, reading

WEB = ("http", "https")
PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "file": "", "memory": ""}
"""Other schemes, and the package that fsspec needs for each."""

EXPECTED = f"a URL that begins with {', '.join([*WEB, *(scheme for scheme in PACKAGES if scheme != 'memory')])}"
STEP = 1 << 16


def is_url(path: str) -> bool:
    return "://" in path


def scheme_of(url: str) -> str:
    """The scheme of a URL. Raises: NetsurgeryError for one that is not read."""
    scheme = url.split("://", 1)[0].lower()
    if scheme not in (*WEB, *PACKAGES):
        raise NetsurgeryError(f"URLs of {scheme}:// are not read", source=Source(url), expected=EXPECTED)
    return scheme


def read_url(url: str) -> bytes:
    """The bytes of a file behind a URL. Raises: NetsurgeryError; for one that is too large, or takes too long, as well."""
    source = Source(url)
    if scheme_of(url) in WEB:
        with reading(source, EXPECTED, error=NetsurgeryError):
            request = Request(url, headers={"User-Agent": "netsurgery"})
            with build_opener(_SameSchemes(source)).open(request, timeout=limits().seconds) as answer:
                return _bytes(answer, source)
    filesystem, path = filesystem_of(url)
    with reading(source, EXPECTED, error=NetsurgeryError):
        try:
            if scheme_of(url) == "file" and os.path.exists(path):
                open_file(path, "an image", NetsurgeryError).close()  # which waits for no stream
            file = filesystem.open(path, "rb")
        except FileNotFoundError:
            raise NetsurgeryError("there is no such file", source=source, expected="an image") from None
        with file:
            return _bytes(file, source)


def _bytes(file: IO[bytes], source: Source) -> bytes:
    limit, end = limits(), time.monotonic() + limits().seconds
    parts = []
    size = 0
    read = getattr(file, "read1", file.read)  # what has come: a server that sends drop by drop is not waited for
    while part := read(STEP):
        parts.append(part)
        size += len(part)
        if size > limit.download:
            raise NetsurgeryError(
                "is too large", source=source, expected=f"at most {limit.download} bytes", fix=lift("download")
            )
        if time.monotonic() > end:
            raise NetsurgeryError(
                "takes too long", source=source, expected=f"at most {limit.seconds} s", fix=lift("seconds")
            )
    return b"".join(parts)


class _SameSchemes(HTTPRedirectHandler):
    """Follows redirects within the web alone: not to files of this machine, nor to ftp."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        if newurl.split(":", 1)[0].lower() not in WEB:
            raise NetsurgeryError(
                f"leads to '{newurl[:200]}'", source=self.source, expected="a redirect to http or https"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def filesystem_of(url: str) -> tuple[Any, str]:
    """The fsspec filesystem of a URL that is not of the web, and its path there. Raises: NetsurgeryError."""
    scheme = scheme_of(url)
    if scheme in WEB:
        raise NetsurgeryError(
            f"a folder behind {scheme}:// cannot be listed or written",
            source=Source(url),
            expected="a URL of s3, gs or az",
        )
    with package(f"{url} is a URL, which needs the package fsspec", "netsurgery[cluster]"):
        import fsspec
    lacking = f"URLs of {scheme}:// need the package {PACKAGES[scheme]}"
    try:
        with package(lacking, PACKAGES[scheme], source=Source(url)):
            filesystem, path = fsspec.core.url_to_fs(re.sub("::.*", "", url))
    except ValueError as error:
        raise NetsurgeryError(f"cannot be opened: {error}", source=Source(url), expected=EXPECTED) from None
    return filesystem, path
