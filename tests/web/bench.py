"""What the tests of the bench share."""

import random
import socket


def free_ports() -> int:
    """The first of two neighbours that are free now: for the kiosk and the bench."""
    for first in random.sample(range(20_000, 32_000, 2), 200):
        try:
            with (
                socket.create_server(("127.0.0.1", first)),
                socket.create_server(("127.0.0.1", first + 1)),
            ):
                return first
        except OSError:
            continue
    raise AssertionError("no two free ports in 200 tries")
