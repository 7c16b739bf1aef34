"""A machine with a USB device, played packet by packet as QEMU does it."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tests.image.usb_port import UsbPort
from tests.image.usb_printer_function import IN, OUT
from tests.image.usbredir import Bulk, Control, Kind, Message, Packet, Stream

WAIT_S: Final = 10.0


class FarEnd:
    """The machine."""

    def __init__(self, port: UsbPort[Any]) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WAIT_S)
        self.socket.connect(str(port.path))
        self.stream = Stream()
        self.socket.sendall(self.stream.hello())
        self.waiting: list[Message] = []
        self.number = 0

    def next(self):
        while not self.waiting:
            data = self.socket.recv(65536)
            assert data, "it hung up"
            self.waiting += self.stream.receive(data)
        return self.waiting.pop(0)

    def send(self, message):
        self.socket.sendall(self.stream.encode(message))

    def is_quiet(self):
        return not self.waiting and not select.select([self.socket], [], [], 0.1)[0]

    def expect_device(self):
        kinds = [self.next().kind for _ in range(3)]
        assert kinds == [Kind.INTERFACE_INFO, Kind.EP_INFO, Kind.DEVICE_CONNECT]

    def configure(self):
        self.send(Packet(Kind.RESET, 0))
        self.send(Packet(Kind.SET_CONFIGURATION, 5, b"\1"))
        assert self.next() == Packet(Kind.CONFIGURATION_STATUS, 5, b"\0\1")

    def control(self, request_type, request, value=0, index=0, length=255):
        self.number += 1
        # The status is what QEMU leaves there: anything.
        asked = Control(self.number, 0x80, request, request_type, 0xA5, value, index, length)
        self.send(asked)
        answer = self.next()
        assert (answer.number, answer.request) == (self.number, request)
        return answer.status, answer.data

    def write(self, data):
        self.number += 1
        self.send(Bulk(self.number, OUT, 0, len(data), 0, data))
        return self.number

    def want(self, length):
        self.number += 1
        self.send(Bulk(self.number, IN, 0, length))
        return self.number

    def expect_bulk(self, number, status, length, data=b""):
        answer = self.next()
        assert (answer.number, answer.status, answer.length, answer.data) == (
            number,
            status,
            length,
            data,
        )


@contextmanager
def machine_of(port: UsbPort[Any]) -> Iterator[FarEnd]:
    far = FarEnd(port)
    try:
        yield far
    finally:
        far.socket.close()
