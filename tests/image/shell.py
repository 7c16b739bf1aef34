"""A shell in the guest, for what only the guest can tell. The image under test has none; the test's
overlay starts one on a port that the machine offers for it:

    exec sh <>/dev/virtio-ports/kassa.shell >&0 2>&0
"""

from __future__ import annotations

import itertools
import shlex
import socket
import time
from pathlib import Path
from typing import Final

from tests.image.transcript import Transcript

PORT_NAME: Final = "kassa.shell"
"""Of the virtio port; udev makes /dev/virtio-ports/kassa.shell of it."""
_AGAIN_S: Final = 2.0
_numbers = itertools.count(1)


class Shell:
    """Speaks with `sh` at the far end of a connected socket: a pipe-like port, or a terminal. What
    a terminal echoes is not taken for output, and no prompt either."""

    def __init__(self, stream: socket.socket, file: Path) -> None:
        self._transcript = Transcript(stream, file, "guest-shell")

    def close(self) -> None:
        """Idempotent."""
        self._transcript.close()

    def wait_ready(self, timeout_s: float) -> None:
        """Until the shell answers. Raises TimeoutError, or Ended when the far end goes first."""
        until = time.monotonic() + timeout_s
        while True:
            left_s = until - time.monotonic()
            try:
                # What was written before anybody listened may be lost: so it is asked again. Raw,
                # because a terminal takes no line longer than 4095 bytes otherwise.
                self._transcript.send(b"stty raw -echo 2>/dev/null; PS1= PS2=\n")
                self.run("true", max(0.0, min(_AGAIN_S, left_s)))
            except TimeoutError:
                if left_s <= _AGAIN_S:
                    raise
            else:
                return

    def run(self, command: str, timeout_s: float) -> tuple[int, str]:
        """The exit status, and what it wrote to both outputs, at most a million characters.

        Each command has a subshell of its own and no input: neither `cd` nor `exit` lasts. After a
        TimeoutError it is still running; the next begins when it has ended. Raises Ended when the
        far end goes first.
        """
        mark = f"kassa-{next(_numbers)}-{time.monotonic_ns()}"
        # Each mark is written in two pieces: the echo of this line does not contain it.
        line = (
            f"printf '<%s>\\n' {mark}; "
            f"(eval {shlex.quote(command)}) </dev/null 2>&1; "
            f"printf '</%s=%s>\\n' {mark} $?\n"
        )
        self._transcript.send(line.encode())
        found = self._transcript.wait_for(
            rf"<{mark}>\n(?P<output>(?s:.*?))</{mark}=(?P<status>\d+)>\n", timeout_s
        )
        return int(found["status"]), found["output"]
