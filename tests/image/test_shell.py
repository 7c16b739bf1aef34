"""A real `sh` at the far end: on a pipe-like socket as on a virtio port, and on a terminal, which
echoes, prompts and breaks lines, as on a serial port."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import threading
from contextlib import ExitStack

import pytest

from tests.image.shell import Shell
from tests.image.transcript import Ended

WAIT_S = 20.0


def pass_on(master, far):
    """What QEMU does between a terminal and our socket."""

    def out():
        try:
            while data := os.read(master, 4096):
                far.sendall(data)
        except OSError:
            far.shutdown(socket.SHUT_RDWR)

    def back():
        try:
            while data := far.recv(4096):
                while data:
                    data = data[os.write(master, data) :]
        except OSError:
            pass  # the other direction has ended, and this one with it

    threads = [threading.Thread(target=target) for target in (out, back)]
    for thread in threads:
        thread.start()
    return threads


@pytest.fixture(params=["port", "terminal"])
def shell(request, tmp_path):
    near, far = socket.socketpair()
    with ExitStack() as closing:
        closing.enter_context(far)
        if request.param == "port":
            end = far.fileno()
            process = subprocess.Popen(["sh"], stdin=end, stdout=end, stderr=end)
        else:
            master, slave = pty.openpty()
            closing.callback(os.close, master)
            process = subprocess.Popen(
                ["setsid", "--ctty", "sh", "-i"], stdin=slave, stdout=slave, stderr=slave
            )
            os.close(slave)
            for thread in pass_on(master, far):
                closing.callback(thread.join)
        closing.callback(process.wait)
        closing.callback(process.kill)
        if request.param == "port":
            far.close()  # the shell's alone, so that its end is seen
        shell = Shell(near, tmp_path / "shell.txt")
        closing.callback(shell.close)
        shell.wait_ready(WAIT_S)
        yield shell


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("true", (0, "")),
        ("echo one; echo two >&2", (0, "one\ntwo\n")),
        ("printf 'no end of line'; exit 7", (7, "no end of line")),
        ("cat", (0, "")),
        ("echo \"it's\" '$HOME' `echo back`", (0, "it's $HOME back\n")),
        ("for n in 1 2\ndo\n  echo $n\ndone", (0, "1\n2\n")),
        ("if syntax", None),
        (f"printf %s {'x' * 9000} | wc -c", (0, "9000\n")),
    ],
)
def test_status_and_output_and_nothing_else(shell, command, answer):
    status, output = shell.run(command, WAIT_S)
    if answer is None:
        assert status != 0
        assert "yntax" in output
    else:
        assert (status, output) == answer


def test_a_command_leaves_nothing_behind_for_the_next(shell):
    shell.run("cd /; x=1; exit 1", WAIT_S)
    assert shell.run('echo "${x-unset}"; [ "$PWD" = / ]', WAIT_S) == (1, "unset\n")


def test_a_command_that_hangs_is_waited_for_only_so_long(shell, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with pytest.raises(TimeoutError):
        shell.run(f"echo before; read line <{gate}; echo $line", 0.2)
    gate.write_text("after\n")
    assert shell.run("echo next", WAIT_S) == (0, "next\n")


def test_a_shell_that_goes_says_so(shell):
    with pytest.raises(Ended):
        shell.run("kill -9 $$", WAIT_S)
