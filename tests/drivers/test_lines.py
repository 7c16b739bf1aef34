"""Lines: deadlines, loss, waking, over a real pty and real TCP."""

import contextlib
import os
import pty
import socket
import threading
import time
import tty

import pytest

from appliance.domain.errors import ConfigTrouble
from appliance.drivers.lines import LineLost, SerialSettings, check_address, open_line

WAIT_S = 10.0


class PtyEnd:
    def __init__(self):
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.address = f"serial:{os.ttyname(self.slave)}"

    def accept(self):
        pass

    def send(self, data):
        os.write(self.master, data)

    def receive(self):
        return os.read(self.master, 65536)

    def hang_up(self):
        os.close(self.slave)
        os.close(self.master)
        self.master = -1

    def close(self):
        if self.master >= 0:
            self.hang_up()


class TcpEnd:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.peer: socket.socket
        self.address = f"tcp:127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self):
        self.peer, _ = self.listener.accept()

    def send(self, data):
        self.peer.sendall(data)

    def receive(self):
        return self.peer.recv(65536)

    def hang_up(self):
        self.peer.close()

    def close(self):
        self.listener.close()
        self.peer.close()


@pytest.fixture(params=[PtyEnd, TcpEnd])
def far(request):
    end = request.param()
    yield end
    end.close()


@pytest.fixture
def line(far):
    line = open_line(far.address, time.monotonic() + WAIT_S)
    far.accept()
    yield line
    line.close()


def soon():
    return time.monotonic() + WAIT_S


def test_bytes_go_both_ways(far, line):
    line.write(b"\x10\x02\x06\x15\x0d\x0a\x03", soon())
    assert far.receive() == b"\x10\x02\x06\x15\x0d\x0a\x03"
    far.send(bytes(range(256)))
    got = b""
    while len(got) < 256:
        got += line.read(soon())
    assert got == bytes(range(256))


def test_nothing_comes_and_the_read_ends(line):
    until = time.monotonic() + 0.02
    assert line.read(until) == b""
    assert time.monotonic() >= until


def test_a_deadline_that_has_passed_still_looks_once(far, line):
    far.send(b"x")
    end = soon()
    got = b""
    while not got and time.monotonic() < end:
        got = line.read(0.0)
    assert got == b"x"


def test_waking_ends_a_read_from_another_thread(line):
    read = []
    reader = threading.Thread(target=lambda: read.append(line.read(soon())))
    reader.start()
    line.wake()
    reader.join(WAIT_S)
    assert read == [b""]
    line.wake()
    line.wake()
    assert line.read(soon()) == b""  # once, however often it was woken


def test_a_far_end_that_hangs_up_is_a_lost_line(far, line):
    far.hang_up()
    with pytest.raises(LineLost):
        line.read(soon())


def test_writing_to_a_lost_line(far, line):
    far.hang_up()
    end = soon()

    def write_on():
        while time.monotonic() < end:  # TCP learns of it by the answer to what it sent
            line.write(b"x", end)

    with pytest.raises(LineLost) as caught:
        write_on()
    assert caught.value.written == 0


def test_a_far_end_that_takes_nothing_ends_the_write(line):
    with pytest.raises(LineLost, match="takes no bytes") as caught:
        line.write(bytes(64 * 1024 * 1024), time.monotonic() + 0.1)
    assert caught.value.written > 0


def test_close_and_wake_in_any_order(line):
    line.close()
    line.wake()
    line.close()


def test_what_came_before_is_thrown_away_on_a_serial_line():
    end = PtyEnd()
    end.send(b"old")
    line = open_line(end.address, soon(), settings=SerialSettings(115_200, stopbits=2))
    end.send(b"new")
    assert line.read(soon()) == b"new"
    with pytest.raises(LineLost):  # one program at a time
        open_line(end.address, soon())
    line.close()
    end.close()


def test_addresses():
    for good in ("serial:/dev/x", "/dev/x", "tcp:host:1", "tcp:10.0.0.1:20007", "tcp:[::1]:20007"):
        check_address(good)
    for bad in ("", "usb", "serial:x", "tcp:host", "tcp::1", "tcp:host:x", "tcp:[::1:1", "udp:h:1"):
        with pytest.raises(ConfigTrouble):
            check_address(bad)


def test_lines_that_cannot_be_opened(tmp_path):
    file = tmp_path / "file"
    file.touch()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    for address in (
        f"serial:{tmp_path}/absent",
        f"serial:{file}",
        f"tcp:127.0.0.1:{port}",
        "tcp:127.0.0.1:99999",
    ):
        with pytest.raises(LineLost):
            open_line(address, time.monotonic() + 1.0)


@pytest.mark.parametrize("far", [TcpEnd], indirect=True)
def test_what_was_not_taken_is_not_delivered_after_the_line_is_given_up(far):
    """A charge that was stuck on its way must not start when nobody listens any more."""
    line = open_line(far.address, time.monotonic() + WAIT_S)
    far.accept()
    with pytest.raises(LineLost) as caught:
        line.write(bytes(16 * 1024 * 1024), time.monotonic() + 0.2)
    line.close()
    far.peer.settimeout(WAIT_S)
    received = 0
    with contextlib.suppress(ConnectionError):
        while data := far.receive():
            received += len(data)
    assert received < caught.value.written


def test_a_name_that_leads_elsewhere_is_told(tmp_path):
    name = tmp_path / "terminal"
    first, second = PtyEnd(), PtyEnd()
    with contextlib.closing(first), contextlib.closing(second):
        name.symlink_to(os.ttyname(first.slave))
        with contextlib.closing(open_line(f"serial:{name}", time.monotonic() + WAIT_S)) as line:
            assert not line.has_moved()
            name.unlink()
            assert line.has_moved()
            name.symlink_to(os.ttyname(second.slave))
            assert line.has_moved()
            name.unlink()
            name.symlink_to(os.ttyname(first.slave))
            assert not line.has_moved()


def test_a_connection_is_where_it_is(line, far):
    if isinstance(far, TcpEnd):
        far.listener.close()
    assert not line.has_moved()
