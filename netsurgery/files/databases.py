"""LMDB and LevelDB: the records of a database in the order of their keys, through the packages lmdb and plyvel.

Source: BVLC Caffe, src/caffe/util/db_lmdb.cpp, db_leveldb.cpp
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..errors import NetsurgeryError, Source


def database_kind(path: str | os.PathLike[str]) -> str:
    """ "LMDB" or "LevelDB" for a folder (or an LMDB's file) that is one, "" for anything else."""
    name = os.fspath(path)
    if os.path.isfile(os.path.join(name, "data.mdb")) or (os.path.isfile(name) and name.endswith(".mdb")):
        return "LMDB"
    return "LevelDB" if os.path.isfile(os.path.join(name, "CURRENT")) else ""


def records(path: str | os.PathLike[str]) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values. Nothing is written beside an LMDB, no lock either; LevelDB knows no other way than to lock.

    Raises: NetsurgeryError if it is none, cannot be opened, or its package is not installed.
    """
    name = os.fspath(path)
    kind = database_kind(name)
    if kind == "LMDB":
        yield from _lmdb(name)
    elif kind == "LevelDB":
        yield from _leveldb(name)
    else:
        raise NetsurgeryError(
            "is no database", source=Source(name), expected="a folder of LMDB (data.mdb) or LevelDB (CURRENT)"
        )


def _lmdb(path: str) -> Iterator[tuple[bytes, bytes]]:
    try:
        import lmdb
    except ImportError:
        raise NetsurgeryError(
            "reading an LMDB needs the package lmdb", source=Source(path), fix="pip install lmdb"
        ) from None
    try:
        with (
            lmdb.open(path, readonly=True, lock=False, subdir=os.path.isdir(path)) as environment,
            environment.begin() as transaction,
        ):
            for key, value in transaction.cursor():
                yield bytes(key), bytes(value)
    except lmdb.Error as error:
        raise NetsurgeryError(f"cannot be read: {error}", source=Source(path), expected="an LMDB") from None


def _leveldb(path: str) -> Iterator[tuple[bytes, bytes]]:
    try:
        import plyvel
    except ImportError:
        raise NetsurgeryError(
            "reading a LevelDB needs the package plyvel", source=Source(path), fix="pip install plyvel"
        ) from None
    try:
        database = plyvel.DB(path)
    except plyvel.Error as error:
        raise NetsurgeryError(f"cannot be opened: {error}", source=Source(path), expected="a LevelDB") from None
    try:
        yield from database
    except plyvel.Error as error:
        raise NetsurgeryError(f"cannot be read: {error}", source=Source(path), expected="a LevelDB") from None
    finally:
        database.close()
