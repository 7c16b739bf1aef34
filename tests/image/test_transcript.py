"""The log of a console."""

from __future__ import annotations

import socket

import pytest

from tests.image import transcript
from tests.image.transcript import Ended, Transcript

WAIT_S = 20.0


@pytest.fixture
def ends(tmp_path):
    near, far = socket.socketpair()
    log = Transcript(near, tmp_path / "log.txt", "log")
    yield log, far
    log.close()
    far.close()


def test_each_match_is_waited_for_once(ends):
    log, far = ends
    far.sendall(b"login: root\r\nlogin: ")
    assert log.wait_for("^login: .*$", WAIT_S)[0] == "login: root"
    assert log.wait_for("^login: .*$", WAIT_S)[0] == "login: "
    with pytest.raises(TimeoutError, match="login"):
        log.wait_for("login", 0.01)


def test_a_character_may_come_in_pieces(ends):
    log, far = ends
    for byte in "größer\r\n".encode():
        far.sendall(bytes((byte,)))
    assert log.wait_for(".+\n", WAIT_S)[0] == "größer\n"


def test_its_end_ends_the_wait(ends):
    log, far = ends
    far.sendall(b"panic\n")
    far.close()
    with pytest.raises(Ended):
        log.wait_for("never", WAIT_S)
    assert log.wait_for("panic", WAIT_S)
    assert log.tail() == "panic\n"


def test_the_oldest_is_forgotten_but_stands_in_the_file(ends, tmp_path, monkeypatch):
    monkeypatch.setattr(transcript, "MOST_CHARACTERS", 10)
    log, far = ends
    far.sendall(b"0123456789")
    log.wait_for("9", WAIT_S)
    far.sendall(b"abcdefghijk")
    assert log.wait_for("[a-z]+k", WAIT_S)[0] == "bcdefghijk"
    assert (tmp_path / "log.txt").read_text() == "0123456789abcdefghijk"


def test_what_is_said_arrives(ends):
    log, far = ends
    log.send(b"root\n")
    assert far.recv(100) == b"root\n"
