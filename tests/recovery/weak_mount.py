"""A weak disk (weak_disk.py) as a real folder: a FUSE file system in a process of its own.

The kernel's page cache is between: it may serve what was read, and holds the shared memory that
SQLite maps. `write` passes through at once, as FUSE does unless asked otherwise, so that the disk
sees each one in its order. Locks are the kernel's own business.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any, Final, Self

from tests.children import unmeasured
from tests.recovery.weak_disk import Disk, Image, Op
from tests.rig import WAIT_S, until

DEVICE: Final = Path("/dev/fuse")
TOLD: Final = "user.told"
"""Setting this attribute of the folder tells the world outside: see `Disk.tell`."""
_MODE: Final = 0o644


def missing() -> str:
    """Why no such file system can be had here; "" where it can."""
    if not DEVICE.exists():
        return "there is no /dev/fuse"
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return "/dev/fuse cannot be opened"
    if shutil.which("fusermount3") is None:
        return "no fusermount3: the Debian package fuse3 has it"
    try:
        import mfusepy  # type: ignore[import-untyped]  # noqa: F401 - it looks for libfuse
    except (ImportError, OSError) as error:
        return f"no libfuse ({error}): the Debian package fuse3 has it"
    return ""


class WeakMount:
    """The disk, mounted at `folder`, which exists and is empty. One thread may call it."""

    def __init__(self, folder: Path, *, is_strict: bool = False) -> None:
        self.folder = folder
        self._is_strict = is_strict

    def __enter__(self) -> Self:
        self._pipe, theirs = Pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, self.folder, str(theirs.fileno())],
            stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], env=unmeasured(),
        )  # fmt: skip
        theirs.close()
        until(self._is_mounted, "the disk is mounted")
        self.restart({})
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        try:
            self._process.wait(WAIT_S)
        finally:
            self._process.kill()
            self._process.wait()

    def restart(self, image: Image, freeze_after: int | None = None) -> None:
        """Power on, with these files. freeze_after: so many changes later it goes off."""
        self._ask("restart", image, self._is_strict, freeze_after)

    def freeze(self) -> None:
        """Power off: from now on everything fails."""
        self._ask("freeze")

    def crash(self, dice: Random) -> Image:
        """What a start would find now; see `Disk.crash`."""
        image: Image = self._ask("crash", dice)
        return image

    def tape(self) -> list[Op]:
        """What has happened since `restart`, in order."""
        tape: list[Op] = self._ask("tape")
        return tape

    def _ask(self, *request: object) -> Any:
        self._pipe.send(request)
        assert self._pipe.poll(WAIT_S), "the disk's process is silent"
        return self._pipe.recv()

    def _is_mounted(self) -> bool:
        assert self._process.poll() is None, "the disk's process has ended"
        return os.path.ismount(self.folder)


class _Server:
    """The disk between the kernel and the test. Each side has a thread."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.disk = Disk()
        self._tape: list[Op] = []
        self._left: int | None = None  # changes until it goes off

    def do(self, *op: Any) -> Any:
        """A change, which is taped. Raises OSError when the power is off."""
        with self.lock:
            self.check()
            if self._left is not None:
                self._left -= 1
            self._tape.append(op)
            return self.disk.do(op)

    def check(self) -> None:
        if self._left == 0:
            raise OSError(errno.EIO, "the power is off")

    def serve(self, pipe: Connection, folder: str) -> None:
        """Answer the test until it closes its end."""
        with suppress(EOFError):
            while True:
                name, *arguments = pipe.recv()
                with self.lock:
                    pipe.send(getattr(self, f"on_{name}")(*arguments))
        subprocess.run(["fusermount3", "-u", "-z", folder], check=True)

    def on_restart(self, image: Image, is_strict: bool, freeze_after: int | None) -> None:
        self.disk = Disk(image, is_strict=is_strict)
        self._tape, self._left = [], freeze_after

    def on_freeze(self) -> None:
        self._left = 0

    def on_crash(self, dice: Random) -> Image:
        return self.disk.crash(dice)

    def on_tape(self) -> list[Op]:
        return self._tape


def _main(folder: str, handle: int) -> None:
    import mfusepy  # it cannot be imported everywhere

    server = _Server()

    class Files(mfusepy.Operations):  # type: ignore[misc]
        """What the kernel asks for. A file's handle is its inode."""

        use_ns = True

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            if path == "/":
                return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2} | owner
            size = len(server.disk.content(fh or inode(path)))
            return {"st_mode": stat.S_IFREG | _MODE, "st_nlink": 1, "st_size": size} | owner

        def readdir(self, path: str, fh: int) -> list[str]:
            return [".", "..", *server.disk.names]

        def open(self, path: str, flags: int) -> int:
            return inode(path)

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            server.check()
            return bytes(server.disk.content(fh)[offset : offset + size])

        def create(self, path: str, mode: int, fi: object = None) -> int:
            return int(server.do("create", path[1:]))

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            server.do("write", fh, offset, data)
            return len(data)

        def truncate(self, path: str, length: int, fh: int | None = None) -> int:
            server.do("resize", fh or inode(path), length)
            return 0

        def unlink(self, path: str) -> int:
            inode(path)
            server.do("unlink", path[1:])
            return 0

        def rename(self, old: str, new: str) -> int:
            inode(old)
            server.do("rename", old[1:], new[1:])
            return 0

        def fsync(self, path: str, datasync: int, fh: int) -> int:
            server.do("sync", fh)
            return 0

        def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
            server.do("sync_folder")
            return 0

        def setxattr(
            self, path: str, name: str, value: bytes, options: int, position: int = 0
        ) -> int:
            if name != TOLD:
                raise OSError(errno.ENOTSUP, name)
            server.do("tell", bytes(value).decode())
            return 0

        def statfs(self, path: str) -> dict[str, int]:
            free = 1 << 20
            return {"f_bsize": 4096, "f_frsize": 4096} | dict.fromkeys(
                ("f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail"), free
            )

        def chmod(self, path: str, mode: int) -> int:
            return 0

        def utimens(self, path: str, times: object = None) -> int:
            return 0

    owner = {"st_uid": os.getuid(), "st_gid": os.getgid()}

    def inode(path: str) -> int:
        server.check()
        try:
            return server.disk.names[path[1:]]
        except KeyError:
            raise OSError(errno.ENOENT, path) from None

    pipe = Connection(handle)
    threading.Thread(target=server.serve, args=(pipe, folder), daemon=True).start()
    # No answer is kept beyond the question: the disk changes under the kernel at a cut.
    # hard_remove: a file that is unlinked while open is not renamed instead.
    mfusepy.FUSE(
        Files(), folder, foreground=True, nothreads=True, fsname="weak_disk", hard_remove=True,
        attr_timeout=0, entry_timeout=0, negative_timeout=0,
    )  # fmt: skip


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
