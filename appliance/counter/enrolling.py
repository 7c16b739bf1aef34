"""Stands in for the counter of a kiosk without settings: shows what to scan, and redeems it.

What it gets it leaves in a file of its own folder. Only root may write to /etc/kassa: there
kassa-enrol.service takes it from here (image/package), and the program starts anew with it. Each
step is on disk before the next, so that a power cut at any of them is made good at the next start.
"""

from __future__ import annotations

import os
import queue
import secrets
import stat
import threading
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import structlog

from appliance.counter.clock import Clock
from appliance.counter.enrol_settings import check
from appliance.counter.screen import Enrol, Page
from appliance.counter.stand_in import LINES_SHOWN, LOOK_S, StandIn, stamp
from appliance.counter.whole_file import write_whole
from appliance.domain.errors import Code, ConfigTrouble, EnrolTrouble, ScannerTrouble
from appliance.drivers.enrol_desk import redeem
from appliance.drivers.scanners import (
    EvdevOptions,
    EvdevScanner,
    SerialScanner,
    SerialScannerOptions,
)
from appliance.ports import Scanner
from appliance.protocols.enrolment import LONGEST, EnrolCode, EnrolmentError, Settings, read
from appliance.protocols.links.signing import Algorithm, Key, public
from appliance.protocols.shopapi import write_json

log = structlog.get_logger()

AGAIN_S: Final = 10.0
MOST_SCANNERS: Final = 4
MOST_WAITING: Final = 4
TAKEN_S: Final = 60.0
"""How long root's unit has for what we leave it; it needs a second."""
ANSWER: Final = "answer.json"
PENDING: Final = "pending"
KEY: Final = "key"
_MAY_PASS: Final = frozenset({Code.ENROL_UNREACHABLE, Code.ENROL_CLOCK})
_INPUT_MAJOR: Final = 13  # Documentation/admin-guide/devices.txt of the kernel
_MODELS: Final = ("firmware/devicetree/base/model", "class/dmi/id/product_name")
_SERIALS: Final = ("firmware/devicetree/base/serial-number",)


@dataclass(frozen=True, slots=True)
class Places:
    """config: there is none yet. state: a folder of our own. devices: where udev's names are. desk:
    the key of the only desk that counts, in hex, where one is known. card: a code that came with
    the boot partition. sys: the kernel's own tree."""

    config: Path = Path("/etc/kassa/kassa.toml")
    state: Path = Path("/var/lib/kassa/enrolment")
    devices: Path = Path("/dev/kassa")
    desk: Path = Path("/etc/kassa/enrolment-desk")
    card: Path = Path("/etc/kassa/enrol.txt")
    sys: Path = Path("/sys")


def is_new(config: Path) -> bool:
    """Whether this kiosk belongs to no shop yet: it has no settings, or they name none. A file that
    cannot be read or has a mistake is not that: it is to be mended."""
    try:
        content = tomllib.loads(config.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return True
    except (OSError, ValueError, RecursionError):
        return False
    shop = content.get("shop", {})
    return isinstance(shop, dict) and "url" not in shop


class Enrolment(StandIn):
    """A counter for the web layer that waits for its code. over: called once when there are
    settings."""

    def __init__(self, places: Places, clock: Clock, over: Callable[[], None]) -> None:
        before = stamp(places.config)
        super().__init__(
            Code.ENROL_WAITING, [], clock, lambda: stamp(places.config) != before, over
        )
        self._places = places
        self._codes: queue.Queue[str] = queue.Queue(MOST_WAITING)
        self._changed = threading.Condition()
        self._scanners: dict[str, Scanner] = {}
        self._box = (_first(places.sys, _MODELS), _first(places.sys, _SERIALS))
        shown = Enrol(Code.ENROL_WAITING, "", _dots(*self._box), is_scanner_there=False)
        self._screen = replace(self._screen, page=Page.ENROL, body=shown)

    # --- what the web layer asks ------------------------------------------------------------------

    def start(self) -> None:
        super().start()
        for run in (self._work, self._look_for_scanners):
            threading.Thread(target=run, name=run.__name__.strip("_"), daemon=True).start()

    def stop(self, wait_s: float) -> bool:
        """There is nothing to wait for: what counts is on disk."""
        self.stopping.set()
        for scanner in list(self._scanners.values()):
            scanner.close()
        return True

    def wait(self, seq: int, timeout_s: float) -> int:
        with self._changed:
            self._changed.wait_for(
                lambda: self._screen.seq != seq or self.stopping.is_set(), timeout_s
            )
            return self._screen.seq

    def health(self) -> Mapping[str, object]:
        body = self._screen.body
        assert isinstance(body, Enrol)
        return {**super().health(), "code": str(body.code or Code.ENROL_WAITING)}

    def _show(self, **changes: object) -> None:
        with self._changed:
            body = self._screen.body
            assert isinstance(body, Enrol)
            body = replace(body, **changes)  # type: ignore[arg-type]
            if body != self._screen.body:
                self._screen = replace(self._screen, body=body, seq=self._screen.seq + 1)
                self._changed.notify_all()

    # --- scanners ---------------------------------------------------------------------------------

    def _look_for_scanners(self) -> None:
        while not self.stopping.is_set():
            for path in nodes(self._places.devices):
                if path not in self._scanners and len(self._scanners) < MOST_SCANNERS:
                    self._listen(path)
            self.stopping.wait(LOOK_S)

    def _listen(self, path: str) -> None:
        if is_input(path):
            scanner: Scanner = EvdevScanner(EvdevOptions(path, longest=LONGEST))
        else:
            scanner = SerialScanner(SerialScannerOptions(path, longest=LONGEST))
        self._scanners[path] = scanner

        def run() -> None:
            try:
                scanner.run(self.scanned, self._refused, lambda: self._show(is_scanner_there=True))
            except ScannerTrouble as trouble:
                log.info("scanner_gone", why=trouble.detail)
            except Exception:
                log.exception("scanner_failed")
            finally:
                del self._scanners[path]
                self._show(is_scanner_there=bool(self._scanners))

        threading.Thread(target=run, name="scanner", daemon=True).start()

    def scanned(self, text: str) -> None:
        """A code was scanned. Any thread. One too many is dropped: people scan again."""
        with suppress(queue.Full):
            self._codes.put_nowait(text)

    def _refused(self, why: str) -> None:
        log.info("enrol_refused", why=why)
        self.scanned("")

    # --- from a code to settings ------------------------------------------------------------------

    def _work(self) -> None:
        try:
            text = self._kept()
            again = bool(text) and self._try(text)
            while not self.stopping.is_set():
                try:
                    text = self._codes.get(timeout=AGAIN_S if again else 1.0)
                except queue.Empty:
                    if not again:
                        continue
                again = self._try(text)
        except Exception:
            log.exception("enrolment_failed")
            self._show(code=Code.INTERNAL, detail="")

    def _kept(self) -> str:
        """The code that was under way when the power went, else the one of the card."""
        if (self._places.state / ANSWER).exists():
            self._left()  # root's unit has it, or takes it now
        for file in (self._places.state / PENDING, self._places.card):
            try:
                with file.open(encoding="ascii", errors="replace") as stream:
                    return stream.read(4 * LONGEST)
            except FileNotFoundError:
                continue
            except OSError as error:
                log.warning("enrol_file_unreadable", why=str(error))
        return ""

    def _try(self, text: str) -> bool:
        """Redeem this code, if it is one. Whether it is worth trying again in a while."""
        try:
            code = read(text)
        except EnrolmentError as error:
            log.info("enrol_refused", why=str(error))
            self._show(code=Code.ENROL_UNREADABLE, detail="")
            return False
        try:
            settings = self._redeemed(code, text)
            self._leave(settings, code)
        except EnrolTrouble as trouble:
            log.warning("enrol_failed", code=str(trouble.code), why=trouble.detail, id=code.name)
            self._show(code=trouble.code, detail=trouble.detail)
            if trouble.code in _MAY_PASS:
                return True
            self._forget()
        except OSError as error:
            log.error("enrol_not_written", why=str(error))
            self._show(code=Code.DISK_FULL, detail=str(error))
            return True
        return False

    def _redeemed(self, code: EnrolCode, text: str) -> Settings:
        """Raises EnrolTrouble, OSError."""
        self._know(code)
        self._places.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self._places.state / PENDING, text.encode("ascii", "replace"), 0o600)
        kiosk = own_key(self._places.state)
        name = public(kiosk).material.hex()
        short = " ".join(name[at : at + 4] for at in range(0, 16, 4))
        self._show(code=None, detail="", box=_dots(*self._box, short))
        settings = redeem(code, kiosk, *self._box)
        try:
            check(settings)
        except ConfigTrouble as trouble:
            lines = "\n".join(trouble.mistakes[:LINES_SHOWN])
            raise EnrolTrouble(Code.ENROL_SETTINGS, lines) from None
        return settings

    def _know(self, code: EnrolCode) -> None:
        """Raises EnrolTrouble where only another desk counts."""
        try:
            known = self._places.desk.read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            return
        if known != code.key.hex():
            raise EnrolTrouble(Code.ENROL_STRANGER, "this kiosk is another desk's")

    def _leave(self, settings: Settings, code: EnrolCode) -> None:
        """Leave the settings for root's unit. Raises OSError; EnrolTrouble where it does not take
        them."""
        answer = {**asdict(settings), "desk": code.key.hex()}
        write_whole(self._places.state / ANSWER, write_json(answer), 0o600)
        self._forget()
        log.info("enrolled", id=code.name)
        self._left()

    def _left(self) -> None:
        """Wait for what root's unit makes of it. Raises EnrolTrouble where that is nothing."""
        self._show(code=None, detail="")
        end = self._clock.monotonic() + TAKEN_S
        while not self.stopping.wait(0.1) and self._clock.monotonic() < end:
            if not is_new(self._places.config):
                return  # the program is about to start anew
            if not (self._places.state / ANSWER).exists():
                break
        if self.stopping.is_set() or not is_new(self._places.config):
            return
        log.error("enrol_not_taken")
        self._show(code=Code.ENROL_SETTINGS, detail="kassa-enrol.service has not taken them")

    def _forget(self) -> None:
        (self._places.state / PENDING).unlink(missing_ok=True)


def own_key(state: Path) -> Key:
    """This kiosk's private key, made where there is none. Raises OSError."""
    file = state / KEY
    try:
        material = bytes.fromhex(file.read_text(encoding="ascii", errors="replace"))
        return Key("kiosk", Algorithm.ED25519, material, can_sign=True)
    except (FileNotFoundError, ValueError):  # a damaged one is nobody's: it was used for this alone
        material = secrets.token_bytes(32)
        write_whole(file, material.hex().encode(), 0o600)
        return Key("kiosk", Algorithm.ED25519, material, can_sign=True)


def nodes(folder: Path) -> list[str]:
    """The device nodes that udev calls scanners, each once, the chosen one first."""
    names = [folder / "scanner"]
    for part in ("by-serial", "by-port"):
        names += sorted((folder / part).glob("scanner-*"))
    found = dict.fromkeys(os.path.realpath(name) for name in names if name.exists())
    return list(found)


def is_input(path: str) -> bool:
    """Whether this node is an event device; any other is a serial port."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    return stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) == _INPUT_MAJOR


def _first(root: Path, names: tuple[str, ...]) -> str:
    for name in names:
        try:
            text = (root / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if clean := "".join(c for c in text if c.isprintable()).strip():
            return clean[:80]
    return ""


def _dots(*parts: str) -> str:
    return " · ".join(part for part in parts if part)
