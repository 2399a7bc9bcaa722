"""A disk below SQLite that forgets at a power cut what was not synced. See docs/adr (simulation).

Theory. SQLite reaches its files through a table of functions, the VFS. This one, registered as the default of the process, passes everything on to
the system's and replaces three functions of each file in its folder: write and truncate are remembered, sync makes what is remembered durable (and
does not bother the real disk). A power cut is a new folder: each file as it was at its last sync, and of what was written since then each
write whole, not at all, or only some of its sectors. A kill alone keeps all of it, as the page cache would. The index of the write-ahead
log (-shm) is memory and is never kept; files that appear or go are durable at once.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sqlite3
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

SECTOR_BYTES = 512
OK, FULL = sqlite3.SQLITE_OK, sqlite3.SQLITE_FULL
NAME = b"lotgate-simulated-disk"

# A file's name is kept by its pointer, so it is handed on as one.
_Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_Delete = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
_Write = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_Truncate = CFUNCTYPE(c_int, c_void_p, c_int64)
_Sync = CFUNCTYPE(c_int, c_void_p, c_int)


class _Vfs(Structure):
    _fields_ = (
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        ("xOpen", c_void_p),
        *(
            (name, c_void_p)
            for name in ("xDelete", "xAccess", "xFullPathname", "xDlOpen", "xDlError", "xDlSym")
        ),
        *(
            (name, c_void_p)
            for name in ("xDlClose", "xRandomness", "xSleep", "xCurrentTime", "xGetLastError")
        ),
        *(
            (name, c_void_p)
            for name in ("xCurrentTimeInt64", "xSetSystemCall", "xGetSystemCall", "xNextSystemCall")
        ),
    )


class _Methods(Structure):
    _fields_ = (
        ("iVersion", c_int),
        *(
            (name, c_void_p)
            for name in ("xClose", "xRead", "xWrite", "xTruncate", "xSync", "xFileSize", "xLock")
        ),
        *((name, c_void_p) for name in ("xUnlock", "xCheckReservedLock", "xFileControl", "xSectorSize")),
        *((name, c_void_p) for name in ("xDeviceCharacteristics", "xShmMap", "xShmLock", "xShmBarrier")),
        *((name, c_void_p) for name in ("xShmUnmap", "xFetch", "xUnfetch")),
    )


@dataclass(slots=True)
class _File:
    """What is durable, and what was done since, in order: (offset, bytes), or (length, None) for a truncation."""

    durable: bytearray = field(default_factory=bytearray)
    since: list[tuple[int, bytes | None]] = field(default_factory=list)

    def synced(self) -> None:
        for offset, data in self.since:
            _do(self.durable, offset, data)
        self.since.clear()

    def after_power_cut(self, random: Random) -> bytes:
        image = bytearray(self.durable)
        for offset, data in self.since:
            fate = random.choice(("kept", "dropped", "torn"))
            if fate == "kept" or (fate == "torn" and data is None):
                _do(image, offset, data)
            elif fate == "torn" and data is not None:
                for begin in range(0, len(data), SECTOR_BYTES):
                    if random.random() < 0.5:
                        _do(image, offset + begin, data[begin : begin + SECTOR_BYTES])
        return bytes(image)

    def after_kill(self) -> bytes:
        image = bytearray(self.durable)
        for offset, data in self.since:
            _do(image, offset, data)
        return bytes(image)


def _do(image: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del image[offset:]
        return
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    image[offset : offset + len(data)] = data


class Disk:
    """The files of one folder, as one start of the agent has them. `full` makes every write fail as a full disk does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.full = False
        self.syncs = 0
        self._files: dict[str, _File] = {}
        folder.mkdir(parents=True)
        _below_sqlite().disks[str(folder)] = self

    def unsynced(self) -> list[str]:
        """Names of files of which something is not durable."""
        return [name for name, file in self._files.items() if file.since]

    def after(self, random: Random, *, power_cut: bool, folder: Path) -> Disk:
        """What a new start finds, as a new disk; this one is over."""
        found = Disk(folder)
        for name, file in self._files.items():
            image = file.after_power_cut(random) if power_cut else file.after_kill()
            found._files[name] = _File(durable=bytearray(image))
            (folder / name).write_bytes(image)
        for kept in sorted(self.folder.iterdir()):
            if kept.name not in self._files and not kept.name.endswith(("-shm", ".lock", "-wal")):
                (folder / kept.name).write_bytes(kept.read_bytes())
        self.end()
        return found

    def end(self) -> None:
        """Nobody asks any more; what a connection of the dead still writes reaches the real file and nothing else."""
        _below_sqlite().forget(self)

    def _file(self, path: str) -> _File | None:
        name = path[len(str(self.folder)) + 1 :]
        return None if name.endswith("-shm") else self._files.setdefault(name, _File())


class _BelowSqlite:
    """The registered VFS. It stays for the life of the process, as SQLite keeps a pointer to it."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("sqlite3")
        self._library = ctypes.CDLL(name)
        self._library.sqlite3_vfs_find.restype = POINTER(_Vfs)
        self._library.sqlite3_vfs_register.argtypes = (POINTER(_Vfs), c_int)
        self._system = self._library.sqlite3_vfs_find(None)
        system = self._system.contents
        self._system_open = _Open(system.xOpen)
        self._vfs = _Vfs.from_buffer_copy(system)
        self._vfs.zName = NAME
        self._kept: list[object] = []
        self._system_delete = _Delete(system.xDelete)
        self._vfs.xOpen = self._pointer(_Open(self._open))
        self._vfs.xDelete = self._pointer(_Delete(self._delete))
        self._methods: dict[int, _Methods] = {}
        self._files: dict[int, tuple[Disk, _File]] = {}
        self.disks: dict[str, Disk] = {}
        self._library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1)

    def forget(self, disk: Disk) -> None:
        """A disk is over, and all that is remembered of its files."""
        self.disks.pop(str(disk.folder), None)
        self._files = {file: known for file, known in self._files.items() if known[0] is not disk}

    def _pointer(self, function: Callable[..., int]) -> int | None:
        self._kept.append(function)
        return ctypes.cast(function, c_void_p).value  # type: ignore[arg-type]  # a function pointer is castable

    def _open(self, vfs: int, name: int | None, file: int, flags: int, out_flags: int) -> int:
        code: int = self._system_open(ctypes.addressof(self._system.contents), name, file, flags, out_flags)
        if code != OK or name is None:
            return code
        path = ctypes.string_at(name).decode()
        disk = self.disks.get(path.rpartition("/")[0])
        kept = None if disk is None else disk._file(path)
        if disk is not None and kept is not None:
            methods = c_void_p.from_address(file)
            if methods.value is not None:
                self._files[file] = (disk, kept)
                methods.value = ctypes.addressof(self._ours(methods.value))
        return code

    def _delete(self, vfs: int, name: bytes, sync_folder: int) -> int:
        folder, _, file = name.decode().rpartition("/")
        if folder in self.disks:
            self.disks[folder]._files.pop(file, None)
        return int(self._system_delete(ctypes.addressof(self._system.contents), name, sync_folder))

    def _ours(self, theirs: int) -> _Methods:
        if theirs not in self._methods:
            methods = _Methods.from_buffer_copy(_Methods.from_address(theirs))
            write, truncate = _Write(methods.xWrite), _Truncate(methods.xTruncate)

            def on_write(file: int, data: int, amount: int, offset: int) -> int:
                known = self._files.get(file)
                if known is not None:
                    if known[0].full:
                        return FULL
                    known[1].since.append((offset, ctypes.string_at(data, amount)))
                return int(write(file, data, amount, offset))

            def on_truncate(file: int, length: int) -> int:
                known = self._files.get(file)
                if known is not None:
                    known[1].since.append((length, None))
                return int(truncate(file, length))

            def on_sync(file: int, flags: int) -> int:
                known = self._files.get(file)
                if known is not None:
                    if known[0].full:
                        return FULL
                    known[1].synced()
                    known[0].syncs += 1
                return OK

            methods.xWrite = self._pointer(_Write(on_write))
            methods.xTruncate = self._pointer(_Truncate(on_truncate))
            methods.xSync = self._pointer(_Sync(on_sync))
            self._methods[theirs] = methods
        return self._methods[theirs]


@cache
def _below_sqlite() -> _BelowSqlite:
    return _BelowSqlite()
