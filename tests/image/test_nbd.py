"""What QEMU does not do, and somebody else may."""

from __future__ import annotations

import socket
import struct

import pytest

from tests.image.nbd import MOST_DATA_BYTES, NbdServer
from tests.image.volatile_disk import SECTOR_BYTES, VolatileDisk

WAIT_S = 20.0
SIZE = 8192
FLAGS = 13
REPLY = 0x0003E889045565A9


@pytest.fixture
def server(tmp_path):
    (tmp_path / "base.img").write_bytes(b"." * SIZE)
    with (
        VolatileDisk(tmp_path / "base.img") as disk,
        NbdServer(disk, tmp_path / "nbd") as server,
    ):
        yield server


class Client:
    def __init__(self, server, flags=3):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WAIT_S)
        self.socket.connect(str(server.path))
        assert self.receive(18) == b"NBDMAGICIHAVEOPT\0\3"
        self.socket.sendall(struct.pack(">I", flags))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def receive(self, size):
        return self.socket.recv(size, socket.MSG_WAITALL)

    def option(self, number, data=b""):
        self.socket.sendall(b"IHAVEOPT" + struct.pack(">II", number, len(data)) + data)

    def reply(self):
        magic, option, kind, length = struct.unpack(">QIII", self.receive(20))
        assert magic == REPLY
        return option, kind, self.receive(length) if length else b""

    def request(self, kind, offset=0, length=0, data=b"", flags=0):
        head = struct.pack(">IHHQQI", 0x25609513, flags, kind, 77, offset, length)
        self.socket.sendall(head + data)

    def answer(self):
        magic, error, cookie = struct.unpack(">IIQ", self.receive(16))
        assert (magic, cookie) == (0x67446698, 77)
        return error

    def expect_end(self):
        assert self.receive(1) == b""


@pytest.mark.parametrize(("flags", "padding"), [(3, 0), (1, 124)])
def test_the_old_way_in(server, flags, padding):
    with Client(server, flags) as client:
        client.option(1)
        head = struct.pack(">QH", SIZE, FLAGS)
        assert client.receive(10 + padding) == head + bytes(padding)
        client.request(0, 512, 512)
        assert client.answer() == 0
        assert client.receive(512) == b"." * 512
        client.request(2)
        client.expect_end()


def test_options(server):
    go = struct.pack(">IHH", 0, 1, 3)
    with Client(server) as client:
        client.option(8)  # structured replies
        assert client.reply() == (8, 0x80000001, b"")
        client.option(3)
        assert client.reply() == (3, 2, bytes(4))
        assert client.reply() == (3, 1, b"")
        client.option(7, struct.pack(">I", 5) + b"other\0\0")
        assert client.reply() == (7, 0x80000006, b"")
        client.option(7, b"\0\0\0\xff")
        assert client.reply() == (7, 0x80000003, b"")
        for option in (6, 7):
            client.option(option, go)
            assert client.reply() == (option, 3, struct.pack(">HQH", 0, SIZE, FLAGS))
            sizes = struct.pack(">HIII", 3, SECTOR_BYTES, 4096, MOST_DATA_BYTES)
            assert client.reply() == (option, 3, sizes)
            assert client.reply() == (option, 1, b"")
        client.request(3)
        assert client.answer() == 0
    with Client(server) as client:
        client.option(2)
        assert client.reply() == (2, 1, b"")
        client.expect_end()


def test_what_is_wrong_is_refused_and_the_connection_goes_on(server):
    with Client(server) as client:
        client.option(7, struct.pack(">IH", 0, 0))
        client.reply()
        client.reply()
        for kind, offset, length, data in (
            (0, SIZE, 512, b""),
            (0, 1, 512, b""),
            (1, 0, 100, bytes(100)),
            (4, 0, 512, b""),  # trim, which was not offered
        ):
            client.request(kind, offset, length, data)
            assert client.answer() == 22
        client.request(1, 0, 512, b"x" * 512, flags=1)
        assert client.answer() == 0


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"IHAVEOPT" + struct.pack(">II", 7, 1 << 30),
        b"IHAVEOPT" + struct.pack(">II", 1, 5) + b"other",
        b"IHAVEOPT" + struct.pack(">IIIH", 7, 6, 0, 0) + bytes(28),
        b"IHAVEOPT" + struct.pack(">IIIH", 7, 6, 0, 0)
        + struct.pack(">IHHQQI", 0x25609513, 0, 0, 1, 0, MOST_DATA_BYTES + 512),
    ],
)  # fmt: skip
def test_nonsense_is_hung_up_on_and_the_next_client_served(server, nonsense):
    with Client(server) as client:
        client.socket.sendall(nonsense)
        try:
            while client.socket.recv(4096):
                pass
        except ConnectionResetError:
            pass  # it did not read all of it
    with Client(server) as client:
        client.option(1)
        assert len(client.receive(10)) == 10


def test_the_end_does_not_wait_for_a_client(tmp_path):
    (tmp_path / "base.img").write_bytes(b"." * SIZE)
    with VolatileDisk(tmp_path / "base.img") as disk:
        with NbdServer(disk, tmp_path / "nbd") as server:
            client = Client(server)
            client.option(1)
            client.receive(10)
        client.expect_end()
        client.socket.close()
