"""Signs releases: the package and disk images, each with a file NAME.sig beside it. What it says
and how it is made: image/package/files/usr/lib/kassa/updater/kassa_updater/statement.py.

    python image/sign.py sign --key release.pem dist/kassa-kiosk_1.0_all.deb
    python image/sign.py verify --keys FOLDER dist/kassa-1.0-arm64.img.zst

release.pem: `openssl genpkey -algorithm ed25519 -out release.pem`; its public half, for FOLDER and
for /etc/kassa/release-keys: `openssl pkey -in release.pem -pubout -out release.pub`.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ROOT: Final = Path(__file__).resolve().parent
sys.path.append(str(ROOT / "package/files/usr/lib/kassa/updater"))

from kassa_updater import files, statement  # noqa: E402

NO_JOURNAL: Final = statement.Journal(0, frozenset(), frozenset())
_IMAGE: Final = re.compile(r"kassa-(?P<version>.+)-(?P<arch>amd64|arm64|[a-z0-9]+)\.img(\.zst)?")
_ABOUT: Final = "./usr/lib/kassa/release.json"


def state(file: Path) -> statement.Statement:
    """What is to be signed of it. Raises ValueError, CalledProcessError, OSError."""
    digest = files.sha256(file)
    if file.suffix == ".deb":
        name, version = (_of_package("--field", file, word) for word in ("Package", "Version"))
        with subprocess.Popen(
            ["/usr/bin/dpkg-deb", "--fsys-tarfile", file], stdout=subprocess.PIPE
        ) as tar:
            about = subprocess.run(
                ["/usr/bin/tar", "--extract", "--to-stdout", _ABOUT],
                stdin=tar.stdout, capture_output=True, check=True,
            ).stdout  # fmt: skip
        found = json.loads(about)
        if found["version"] != version:
            raise ValueError(f"{file}: its release.json is of {found['version']}")
        return statement.Statement(name, version, digest, statement.Journal.of(found["journal"]))
    if named := _IMAGE.fullmatch(file.name):
        return statement.Statement(
            f"kassa-image-{named['arch']}", named["version"], digest, NO_JOURNAL
        )
    raise ValueError(f"{file}: neither a package nor a disk image")


def checked(file: Path, keys: list[Ed25519PublicKey]) -> statement.Statement:
    """What was signed of it. Raises Refused, OSError."""
    said = statement.verify(_beside(file).read_bytes(), keys)
    if files.sha256(file) != said.sha256:
        raise statement.Refused(f"{file} is not what was signed")
    return said


def _of_package(word: str, file: Path, field: str) -> str:
    done = subprocess.run(
        ["/usr/bin/dpkg-deb", word, file, field], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    commands = parser.add_subparsers(dest="what", required=True)
    sign = commands.add_parser("sign", help="write NAME.sig beside each")
    sign.add_argument("--key", type=Path, required=True, help="PKCS #8 in PEM, no passphrase")
    verify = commands.add_parser("verify", help="see that each is what a key has signed")
    verify.add_argument("--keys", type=Path, required=True, help="a folder of *.pub")
    for command in (sign, verify):
        command.add_argument("files", nargs="+", type=Path)
    asked = parser.parse_args()
    try:
        if asked.what == "sign":
            key = statement.private_key(asked.key.read_bytes())
            for file in asked.files:
                files.write(_beside(file), statement.sign(state(file), key), 0o644)
                print(f"{file}: signed with {statement.key_id(key.public_key())}")
            return 0
        keys = statement.public_keys([asked.keys])
        for file in asked.files:
            said = checked(file, keys)
            print(f"{file}: {said.name} {said.version}")
    except (statement.Refused, OSError, TypeError, ValueError, KeyError) as error:
        print(f"sign: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"sign: {error}", file=sys.stderr)
        return 1
    return 0


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.sig")


if __name__ == "__main__":
    sys.exit(main())
