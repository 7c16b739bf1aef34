"""The desk for devices that adopt themselves: what is plugged in, who may take it into service, and
what is wished of root then.

A confirmation is a fact first. From the facts follow the wishes, one for each role, which root's
program makes lines of /etc/kassa/devices of; udev does the rest: docs/devices.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

import structlog

from appliance.counter import adopt_rows
from appliance.counter.adopt_rows import TERMINAL
from appliance.counter.clock import iso
from appliance.counter.ledger import Ledger
from appliance.counter.screen import DeviceRow, DeviceState, Page
from appliance.counter.state import Place, adopted_from
from appliance.domain.errors import Code
from appliance.domain.facts import Draft, Json, Kind
from appliance.ports import Plugged
from appliance.protocols import role_lines

log = structlog.get_logger()

REPLACED_AFTER_S: Final = 10.0
"""How long an adopted device is gone before another one may go on for it: off and on again, or a
cable that is put into the next port, is not that."""


class AdoptingDesk:
    """wished: told of all wishes, whenever they may have changed; it returns at once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.wished: Callable[[tuple[str, ...]], None] = lambda lines: None
        self._away_since: dict[str, float] = {}
        self._beside: dict[str, frozenset[str]] = {}

    # --- what is known ----------------------------------------------------------------------------

    def start(self) -> None:
        """The state is replayed, and somebody listens: the wishes follow."""
        self._wish()

    def keep(self, lines: Mapping[str, str]) -> None:
        """What was wished before the journal was damaged and put away, role -> line: with it went
        the facts, and not a single device shall lose its role by that. Raises JournalTrouble."""
        if self._ledger.state.damaged_journal is None:
            return
        for role, line in lines.items():
            if role not in self._ledger.state.adopted:
                self._write(role, {"line": line, "name": line, "port": "", "who": "journal lost"})

    def seen(self, plugged: tuple[Plugged, ...], roles: str) -> None:
        """What is plugged in now, and what the file of roles says."""
        state = self._ledger.state
        state.plugged, state.given = plugged, role_lines.read(roles)

    def tick(self) -> None:
        """Once a second: where the policy is so, a replaced device goes on by itself."""
        state, settings = self._ledger.state, self._ledger.settings.devices
        if settings.adopt != "replace" or state.plugged is None:
            return
        found = adopt_rows.offers(state, settings)
        for role, adopted in list(state.adopted.items()):
            others = {each.port for _, each in found if each and each.model == adopted.model}
            if not any(row.role == role and row.state is DeviceState.AWAY for row, _ in found):
                self._away_since.pop(role, None)
                self._beside[role] = frozenset(others)
                continue
            now_s = self._ledger.clock.monotonic()
            # What was plugged in beside it is somebody's spare one, and not its replacement.
            fitting = [
                each
                for row, each in found
                if each is not None
                and row.role == role
                and row.may_adopt
                and each.model == adopted.model
                and each.port not in self._beside.get(role, ())
            ]
            is_long = now_s - self._away_since.setdefault(role, now_s) >= REPLACED_AFTER_S
            if is_long and len(fitting) == 1 and not self._ledger.is_behind:
                self._adopt(role, fitting[0], "policy")

    def carry(self) -> None:
        """At midnight. What is open keeps every later fact from retention, and a printer serves for
        years: what is half as old as facts become is written anew. Raises JournalTrouble."""
        ledger = self._ledger
        before = iso(ledger.clock.now() - timedelta(days=ledger.settings.keep_days // 2))
        for role, adopted in list(ledger.state.adopted.items()):
            if adopted.at < before:
                body: dict[str, Json] = {"line": adopted.line, "name": adopted.name}
                self._write(role, {**body, "port": adopted.port, "who": "carried over"})

    # --- what a person does -----------------------------------------------------------------------

    def show(self) -> None:
        """The page, with the first row marked that may be confirmed. One whose role nobody has
        comes before one that would take another's place: two scans shall not do that unseen."""
        found = self._rows()
        free = (row for row in found if row.may_adopt and not row.instead)
        may = (row for row in found if row.may_adopt)
        first = next(free, next(may, found[0] if found else None))
        self._ledger.go(Place(Page.DEVICES, about=first.id if first else ""))

    def next(self) -> None:
        """Mark the next row."""
        names = [row.id for row in self._rows()]
        about = self._ledger.state.place.about
        if names:
            at = names.index(about) + 1 if about in names else 0
            self._ledger.state.place.about = names[at % len(names)]

    def mark(self, name: str) -> None:
        """Mark this row."""
        if any(row.id == name for row in self._rows()):
            self._ledger.state.place.about = name

    def confirm(self, name: str) -> None:
        """Take the device of this row, or of the marked one, into service, if that is offered.
        Raises JournalTrouble."""
        name = name or self._ledger.state.place.about
        for row, each in adopt_rows.offers(self._ledger.state, self._ledger.settings.devices):
            if row.id == name and each is not None and self._may(row, is_offered=row.may_adopt):
                self._adopt(row.role, each, "seller")

    def release(self, name: str) -> None:
        """The device of this row, or of the marked one, gives its role back. Raises
        JournalTrouble."""
        name, state = name or self._ledger.state.place.about, self._ledger.state
        for row in self._rows():
            if row.id == name and self._may(row, is_offered=row.may_release):
                before = state.adopted[row.role]
                body: dict[str, Json] = {"role": row.role, "why": "asked"}
                self._ledger.write([Draft(Kind.DEVICE_RELEASED, before.id, body)])
                del state.adopted[row.role]
                self._changed(row.role)
                log.info("device_released", role=row.role, line=before.line)

    def _may(self, row: DeviceRow, *, is_offered: bool) -> bool:
        """Whether who is here may do this now; if not, the screen says why."""
        ledger = self._ledger
        sellers, seller = ledger.settings.devices.sellers, ledger.state.seller
        if row.is_locked or (row.role == TERMINAL and ledger.is_behind):
            ledger.notice(Code.TERMINAL_STAYS)
        elif seller is None and (sellers or ledger.needs_seller()):
            ledger.notice(Code.SIGN_IN_FIRST)
        elif seller is not None and sellers and seller.id not in sellers:
            ledger.notice(Code.NOT_ALLOWED)
        else:
            return is_offered
        return False

    def _rows(self) -> tuple[DeviceRow, ...]:
        return adopt_rows.rows(self._ledger.state, self._ledger.settings.devices)

    # --- facts, and what follows ------------------------------------------------------------------

    def _adopt(self, role: str, each: Plugged, who: str) -> None:
        line = adopt_rows.wish(role, each, self._ledger.state.plugged or ())
        self._write(role, {"line": line, "name": each.name, "port": each.port, "who": who})
        self._changed(role)
        log.info("device_adopted", role=role, line=line, name=each.name, who=who)

    def _write(self, role: str, body: dict[str, Json]) -> None:
        """In the place of an earlier adoption, if there is one."""
        ledger = self._ledger
        subject = f"A-{ledger.journal.new_name()}"
        drafts = [Draft(Kind.DEVICE_ADOPTED, subject, {"role": role, **body})]
        if before := ledger.state.adopted.get(role):
            gone: dict[str, Json] = {"role": role, "why": str(body["who"])}
            drafts.insert(0, Draft(Kind.DEVICE_RELEASED, before.id, gone))
        is_persons = body["who"] == "seller"
        facts = ledger.write(drafts) if is_persons else ledger.write_as(drafts, "")
        ledger.state.adopted[role] = adopted_from(facts[-1])

    def _changed(self, role: str) -> None:
        if role == TERMINAL:
            self._ledger.state.terminal_changed_at = self._ledger.clock.monotonic()
        self._away_since.pop(role, None)
        self._wish()

    def _wish(self) -> None:
        adopted = self._ledger.state.adopted
        self.wished(tuple(adopted[role].line for role in sorted(adopted)))
