"""A desk of the administrator's own: a folder with its key, its certificate, what it hands out,
and the book of its codes.

    desk.key, cert.pem      made once
    book.sqlite3            each code: whose, until when, and who has used it
    kiosks/NAME.toml        the settings, as they are to be in /etc/kassa/kassa.toml
    kiosks/NAME.token       the shop's token, a line
    kiosks/NAME.pem         where the shop has an authority of its own: its certificates
    kiosks/NAME.password    where the terminal has one of its own: the password, a line
    kiosks/NAME.keys        where it takes links: their keys
"""

from __future__ import annotations

import datetime
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.counter.enrol_settings import check
from appliance.counter.whole_file import write_whole
from appliance.domain.errors import ConfigTrouble
from appliance.protocols.enrolment import (
    Asked,
    EnrolCode,
    Entry,
    Settings,
    Trust,
    Verdict,
    judge,
    write,
)
from appliance.protocols.links.signing import Algorithm, Key, public

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
MOST_CODES: Final = 10_000
"""In the book; the oldest that are over go first."""
LARGEST_FILE: Final = 64 * 1024
BUSY_S: Final = 5.0
LIFE_DAYS: Final = 3650
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS code (
    id BLOB PRIMARY KEY, kiosk TEXT NOT NULL, secret BLOB NOT NULL,
    made_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    key BLOB NOT NULL DEFAULT x'', used_at INTEGER NOT NULL DEFAULT 0,
    model TEXT NOT NULL DEFAULT '', serial TEXT NOT NULL DEFAULT '',
    withdrawn INTEGER NOT NULL DEFAULT 0
) STRICT
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One code in the book. Times: seconds since 1970, UTC; used_at 0: not yet. key: of the kiosk
    that used it, in hex."""

    id: str
    kiosk: str
    made_at: int
    expires_at: int
    used_at: int
    key: str
    model: str
    serial: str
    is_withdrawn: bool

    def state(self, now: int) -> str:
        """ "open", "used", "expired" or "withdrawn"."""
        if self.is_withdrawn:
            return "withdrawn"
        if self.used_at:
            return "used"
        return "open" if now < self.expires_at else "expired"


class Desk:
    """now: wall time in seconds since 1970. Any thread: each call has a connection of its own.

    Raises ConfigTrouble for a folder that cannot be used, and OSError or sqlite3.Error where the
    disk refuses."""

    def __init__(self, folder: Path, now: Callable[[], float]) -> None:
        self._folder, self._now = folder, now
        (folder / "kiosks").mkdir(mode=0o700, parents=True, exist_ok=True)
        self.key = self._own_key()
        with self._book() as book:
            book.execute(_SCHEMA)

    # --- codes --------------------------------------------------------------------------------

    def make(self, kiosk: str, address: str, life_s: int) -> tuple[EnrolCode, str]:
        """A new code for this kiosk, and its digits; in the book before anyone sees it. life_s:
        for how many seconds it counts. Raises ConfigTrouble where the kiosk's settings cannot be
        used, EnrolmentError for an address that is none."""
        check(self.settings(kiosk))
        now = int(self._now())
        code = EnrolCode(
            Trust.PINNED,
            address,
            secrets.token_bytes(8),
            secrets.token_bytes(16),
            now + life_s,
            public(self.key).material,
        )
        with self._book() as book:
            book.execute(
                "DELETE FROM code WHERE id IN (SELECT id FROM code WHERE expires_at < ?"
                " ORDER BY made_at DESC LIMIT -1 OFFSET ?)",
                (now, MOST_CODES),
            )
            book.execute(
                "INSERT INTO code (id, kiosk, secret, made_at, expires_at) VALUES (?, ?, ?, ?, ?)",
                (code.id, kiosk, code.secret, now, code.expires_at),
            )
        return code, write(code, self.key)

    def redeem(self, asked: Asked) -> tuple[Verdict, Settings | None]:
        """The verdict, and the settings where it is GRANTED: the code is used then, on disk.
        Raises ConfigTrouble where the settings cannot be had; nothing is used then."""
        with self._book() as book:
            row = book.execute(
                "SELECT kiosk, secret, expires_at, key, used_at, withdrawn FROM code WHERE id = ?",
                (asked.id,),
            ).fetchone()
            entry = Entry(*(*row[1:5], bool(row[5]))) if row else None
            now = int(self._now())
            verdict = judge(entry, asked, now)
            if verdict is not Verdict.GRANTED:
                return verdict, None
            settings = self.settings(row[0])
            check(settings)
            book.execute(
                "UPDATE code SET key = ?, used_at = ?, model = ?, serial = ?"
                " WHERE id = ? AND key = x''",
                (asked.key, now, asked.model, asked.serial, asked.id),
            )
        return verdict, settings

    def withdraw(self, what: str) -> int:
        """Withdraw a code by its id, or all open ones of a kiosk. How many."""
        with self._book() as book:
            return book.execute(
                "UPDATE code SET withdrawn = 1 WHERE withdrawn = 0"
                " AND (lower(hex(id)) = ?1 OR (kiosk = ?1 AND key = x''))",
                (what,),
            ).rowcount

    def lines(self) -> list[Line]:
        """The book, oldest first."""
        with self._book() as book:
            rows = book.execute(
                "SELECT lower(hex(id)), kiosk, made_at, expires_at, used_at, lower(hex(key)),"
                " model, serial, withdrawn FROM code ORDER BY made_at, rowid"
            ).fetchall()
        return [Line(*(*row[:8], bool(row[8]))) for row in rows]

    @contextmanager
    def _book(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is on disk when this ends. One at a time holds it: two kiosks with
        one code are judged one after the other."""
        path = self._folder / "book.sqlite3"
        path.touch(mode=0o600)
        with closing(sqlite3.connect(path, BUSY_S, isolation_level=None)) as book:
            book.execute("PRAGMA synchronous = FULL")
            book.execute("BEGIN IMMEDIATE")
            try:
                yield book
            except BaseException:
                book.execute("ROLLBACK")
                raise
            book.execute("COMMIT")

    # --- what is handed out -------------------------------------------------------------------

    def settings(self, kiosk: str) -> Settings:
        """What this kiosk gets. Raises ConfigTrouble where a file is missing or is no text."""
        if not NAME.match(kiosk):
            raise ConfigTrouble([f"{kiosk!r} is no name of a kiosk: letters, digits, . _ -"])
        folder = self._folder / "kiosks"

        def given(ending: str) -> str:
            file = folder / f"{kiosk}.{ending}"
            return _text(file) if file.exists() else ""

        return Settings(
            _text(folder / f"{kiosk}.toml"),
            _text(folder / f"{kiosk}.token").strip(),
            shop_ca=given("pem"),
            terminal_password=given("password").strip(),
            link_keys=given("keys"),
        )

    # --- the desk's own key -------------------------------------------------------------------

    def _own_key(self) -> Key:
        file = self._folder / "desk.key"
        if not file.exists():
            write_whole(file, secrets.token_bytes(32).hex().encode() + b"\n", 0o600)
        try:
            material = bytes.fromhex(_text(file))
            return Key("desk", Algorithm.ED25519, material, can_sign=True)
        except ValueError:
            raise ConfigTrouble([f"{file}: is no key of a desk; all its codes are lost"]) from None

    def certificate(self) -> tuple[Path, Path]:
        """The files of certificate and key for TLS: the same key that signs the codes."""
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        private = Ed25519PrivateKey.from_private_bytes(self.key.material)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kassa enrolment desk")])
        made_at = datetime.datetime.fromtimestamp(self._now(), datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(made_at - datetime.timedelta(days=1))
            .not_valid_after(made_at + datetime.timedelta(days=LIFE_DAYS))
            .sign(private, None)
        )
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        cert, key = self._folder / "cert.pem", self._folder / "tls.key"
        write_whole(key, pem, 0o600)
        write_whole(cert, made.public_bytes(serialization.Encoding.PEM), 0o644)
        return cert, key


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise ConfigTrouble([f"{file}: is larger than 64 KiB"])
        return content.decode("utf-8")
    except OSError as error:
        raise ConfigTrouble([f"{file}: cannot be read ({error.strerror})"]) from None
    except UnicodeDecodeError:
        raise ConfigTrouble([f"{file}: is not UTF-8"]) from None
