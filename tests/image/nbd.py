"""A disk for QEMU: an NBD server on a Unix socket, for one client at a time.

Source: "The NBD protocol" (doc/proto.md of the NBD project): newstyle, fixed. One export, whose
name is ""; simple replies; no TLS, no TRIM (what is trimmed just stays), no WRITE_ZEROES (QEMU then
writes the zeros).
"""

from __future__ import annotations

import errno
import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol, Self

from tests.image.volatile_disk import SECTOR_BYTES, DiskFull, PowerCut

_MAGIC: Final = b"NBDMAGIC"
_OPTION_MAGIC: Final = b"IHAVEOPT"
_REPLY_MAGIC: Final = 0x0003E889045565A9
_REQUEST_MAGIC: Final = 0x25609513
_ANSWER_MAGIC: Final = 0x67446698
_FIXED_NEWSTYLE, _NO_ZEROES = 1, 2
_HAS_FLAGS, _SEND_FLUSH, _SEND_FUA = 1, 4, 8
_FLAGS: Final = _HAS_FLAGS | _SEND_FLUSH | _SEND_FUA
_EXPORT_NAME, _ABORT, _LIST, _INFO, _GO = 1, 2, 3, 6, 7
_ACK, _SERVER, _INFO_REPLY = 1, 2, 3
_UNSUPPORTED, _INVALID, _UNKNOWN = 0x80000001, 0x80000003, 0x80000006
_INFO_EXPORT, _INFO_BLOCK_SIZE = 0, 3
_READ, _WRITE, _DISCONNECT, _FLUSH = 0, 1, 2, 3
_FUA: Final = 1
MOST_DATA_BYTES: Final = 32 << 20
"""Of one request; the protocol's own bound for clients that have not asked."""
_MOST_OPTION_BYTES: Final = 8192
_PREFERRED_BYTES: Final = 4096
_CLIENT_WAIT_S: Final = 60.0


class Disk(Protocol):
    """What is served. Raises ValueError for what is no part of it, PowerCut when it has no power,
    DiskFull."""

    size_bytes: int

    def read(self, offset: int, size: int) -> bytes: ...

    def write(self, offset: int, data: bytes, is_fua: bool = False) -> None: ...

    def flush(self) -> None: ...


class _Over(Exception):
    """This connection has ended, or has to."""


class NbdServer:
    """Serves from `__enter__` to `__exit__`. path: of the socket. A disk without power hangs up on
    its client, and on each that comes."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self.path = path
        self._disk = disk
        self._lock = threading.Lock()  # of what follows
        self._client: socket.socket | None = None
        self._is_stopping = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._run, name="nbd", daemon=True)

    def __enter__(self) -> Self:
        """Raises OSError when it cannot listen there."""
        self.path.unlink(missing_ok=True)
        self._listener.bind(str(self.path))
        self._listener.listen(1)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_stopping = True
            ends = [self._listener] if self._client is None else [self._listener, self._client]
            for end in ends:
                with suppress(OSError):  # the client was quicker
                    end.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._thread.join()
        self._listener.close()
        self.path.unlink()

    @property
    def uri(self) -> str:
        """For `Hardware.disk`, and for qemu-img."""
        return f"nbd+unix:///?socket={self.path}"

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # shut down
            with client:
                with self._lock:
                    if self._is_stopping:
                        return
                    self._client = client
                # Killed clients and cut disks are what this is for.
                with suppress(_Over, PowerCut, OSError):
                    _Session(client, self._disk).serve()
                with self._lock:
                    self._client = None


class _Session:
    def __init__(self, client: socket.socket, disk: Disk) -> None:
        self._client = client
        self._disk = disk

    def serve(self) -> None:
        self._client.settimeout(_CLIENT_WAIT_S)
        self._negotiate()
        self._client.settimeout(None)  # a machine may write nothing for hours
        while True:
            self._request()

    def _receive(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = self._client.recv(size - len(data))
            if not piece:
                raise _Over
            data += piece
        return bytes(data)

    # --- which disk ------------------------------------------------------------------------------

    def _negotiate(self) -> None:
        self._client.sendall(
            _MAGIC + _OPTION_MAGIC + struct.pack(">H", _FIXED_NEWSTYLE | _NO_ZEROES)
        )
        (flags,) = struct.unpack(">I", self._receive(4))
        while True:
            magic, option, length = struct.unpack(">8sII", self._receive(16))
            if magic != _OPTION_MAGIC or length > _MOST_OPTION_BYTES:
                raise _Over
            data = self._receive(length)
            if option == _EXPORT_NAME:
                if data:
                    raise _Over  # there is no way to say that it is unknown
                padding = b"" if flags & _NO_ZEROES else bytes(124)
                self._client.sendall(struct.pack(">QH", self._disk.size_bytes, _FLAGS) + padding)
                return
            if option in (_INFO, _GO):
                if self._describe(option, data) and option == _GO:
                    return
            elif option == _LIST:
                self._reply(option, _SERVER, struct.pack(">I", 0))
                self._reply(option, _ACK)
            elif option == _ABORT:
                self._reply(option, _ACK)
                raise _Over
            else:
                self._reply(option, _UNSUPPORTED)

    def _describe(self, option: int, data: bytes) -> bool:
        """Whether it is the export that is meant."""
        try:
            (size,) = struct.unpack_from(">I", data)
            (count,) = struct.unpack_from(">H", data, 4 + size)
            wanted = struct.unpack_from(f">{count}H", data, 6 + size)
        except struct.error:
            self._reply(option, _INVALID)
            return False
        if size:
            self._reply(option, _UNKNOWN)
            return False
        export = struct.pack(">HQH", _INFO_EXPORT, self._disk.size_bytes, _FLAGS)
        self._reply(option, _INFO_REPLY, export)
        if _INFO_BLOCK_SIZE in wanted:
            sizes = (SECTOR_BYTES, _PREFERRED_BYTES, MOST_DATA_BYTES)
            self._reply(option, _INFO_REPLY, struct.pack(">HIII", _INFO_BLOCK_SIZE, *sizes))
        self._reply(option, _ACK)
        return True

    def _reply(self, option: int, kind: int, data: bytes = b"") -> None:
        head = struct.pack(">QIII", _REPLY_MAGIC, option, kind, len(data))
        self._client.sendall(head + data)

    # --- its sectors -----------------------------------------------------------------------------

    def _request(self) -> None:
        request = struct.unpack(">IHHQQI", self._receive(28))
        magic, flags, kind, cookie, offset, length = request
        if magic != _REQUEST_MAGIC or kind == _DISCONNECT or length > MOST_DATA_BYTES:
            raise _Over
        data = self._receive(length) if kind == _WRITE else b""
        error, result = 0, b""
        try:
            if kind == _READ:
                result = self._disk.read(offset, length)
            elif kind == _WRITE:
                self._disk.write(offset, data, bool(flags & _FUA))
            elif kind == _FLUSH:
                self._disk.flush()
            else:
                error = errno.EINVAL
        except ValueError:
            error = errno.EINVAL
        except DiskFull:
            error = errno.ENOSPC
        self._client.sendall(struct.pack(">IIQ", _ANSWER_MAGIC, error, cookie) + result)
