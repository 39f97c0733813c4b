"""LMDB and LevelDB: the records of a database in the order of their keys, through the packages lmdb and plyvel.

Source: BVLC Caffe, src/caffe/util/db_lmdb.cpp, db_leveldb.cpp
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from weakref import WeakValueDictionary

from ..aliases import StrPath
from ..errors import NetsurgeryError, Source
from .boundary import package, reading

_ENVIRONMENTS: WeakValueDictionary[tuple[str, int], Any] = WeakValueDictionary()
"""LMDBs that are open, by path and inode: a process opens each but once, and two nets may read one database."""


def database_kind(path: StrPath) -> str:
    """ "LMDB" or "LevelDB" for a folder (or an LMDB's file) that is one, "" for anything else."""
    name = os.fspath(path)
    if os.path.isfile(os.path.join(name, "data.mdb")) or (os.path.isfile(name) and name.endswith(".mdb")):
        return "LMDB"
    return "LevelDB" if os.path.isfile(os.path.join(name, "CURRENT")) else ""


def records(path: StrPath) -> Iterator[tuple[bytes, bytes]]:
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
    with package("reading an LMDB needs the package lmdb", "lmdb", source=Source(path)):
        import lmdb
    with ExitStack() as stack:
        with reading(path, "an LMDB", error=NetsurgeryError):
            folder = os.path.isdir(path)
            key = os.path.realpath(path), os.stat(os.path.join(path, "data.mdb") if folder else path).st_ino
            environment = _ENVIRONMENTS.get(key) or lmdb.open(path, readonly=True, lock=False, subdir=folder)
            _ENVIRONMENTS[key] = environment  # it is closed when its last reader is gone
            transaction = stack.enter_context(environment.begin())
            entries = iter(transaction.cursor())
        yield from _entries(entries, path, "an LMDB")


def _leveldb(path: str) -> Iterator[tuple[bytes, bytes]]:
    with package("reading a LevelDB needs the package plyvel", "plyvel", source=Source(path)):
        import plyvel
    with reading(path, "a LevelDB", error=NetsurgeryError, problem="cannot be opened"):
        database = plyvel.DB(path)
    try:
        yield from _entries(iter(database), path, "a LevelDB")
    finally:
        database.close()


def _entries(entries: Iterator[tuple[Any, Any]], path: str, expected: str) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values, one after the other: what reads them raises errors of ours, what uses them its own."""
    while True:
        with reading(path, expected, error=NetsurgeryError):
            entry = next(entries, None)
        if entry is None:
            return
        yield bytes(entry[0]), bytes(entry[1])
