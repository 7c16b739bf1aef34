"""A whole counter as a process that is spoken to by lines: for tests with links between two.

Run as a script: kassa.toml, and how many seconds a link counts. Each line is a JSON array, a name
of `Spoken` and its arguments; the answer is a line of JSON.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from appliance.counter import config, runtime
from appliance.counter.commands import Command
from appliance.counter.counter import Counter, Followed
from appliance.counter.kinds import names
from appliance.counter.links import Source
from appliance.counter.screen import Action
from appliance.drivers import pay_link
from appliance.protocols.links.messages import LinkError

STOP_S: Final = 20.0


class Spoken:
    """What one may say to it."""

    def __init__(self, counter: Counter) -> None:
        self._counter, self._n = counter, itertools.count()

    def screen(self) -> dict[str, Any]:
        """As a page that draws itself sees it."""
        screen = self._counter.screen()
        self._counter.heartbeat(screen.page)
        leave, body = screen.leave, screen.body
        return {
            "page": screen.page,
            "leave": [leave.id, leave.address] if leave else None,
            "attention": screen.attention,
            "undelivered": screen.undelivered,
            "receipt": str(getattr(body, "receipt", "")),
            "fetched": getattr(body, "is_fetched", None),
            "devices": {d.name: str(d.health.code or "ok") for d in screen.devices},
            "actions": sorted(screen.actions),
        }

    def act(self, action: str, argument: str = "") -> str:
        name, seq = f"c{next(self._n)}", self._counter.screen().seq
        return str(self._counter.command(Command(name, Action(action), argument, seq)).answer)

    def link(self, text: str, source: str) -> dict[str, Any]:
        try:
            return _told(self._counter.link(text, Source(source)))
        except LinkError as error:
            return {"refused": error.reason}

    def followed(self, request: str) -> dict[str, Any]:
        found = self._counter.followed(request)
        return _told(found) if found else {}


def _told(found: Followed) -> dict[str, Any]:
    return {"id": found.id, "state": found.state, "address": found.address}


def main(file: Path) -> None:
    found = config.load(file, names=names())
    runtime.set_up_logs(found)
    counter = runtime.build(found)
    counter.start()
    spoken = Spoken(counter)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(getattr(spoken, name)(*arguments)), flush=True)
    counter.stop(STOP_S)


if __name__ == "__main__":
    # Nobody waits for two minutes until a link has expired.
    with patch.multiple(pay_link, LIFE_S=int(sys.argv[2]), SHORTEST_S=1):
        main(Path(sys.argv[1]))
