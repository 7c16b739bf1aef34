"""A bill of materials of an image, as SPDX 2.3 JSON (ISO/IEC 5962), from dpkg's list of packages.

Lines: package, version, architecture, source package, source version; tab between them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote


def entry(line: str) -> dict[str, Any]:
    name, version, arch, source, source_version = line.split("\t")
    purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={arch}&distro=trixie"
    return {
        "SPDXID": f"SPDXRef-{name.replace('+', '-')}-{arch}",
        "name": name,
        "versionInfo": version,
        "sourceInfo": f"built from {source} {source_version}",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": purl,
            }
        ],
    }


def document(name: str, lines: list[str], created: datetime) -> dict[str, Any]:
    """The document; `created` is when the sources were committed, so that builds are alike."""
    packages = [entry(line) for line in sorted(lines) if line]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"https://kassa.invalid/spdx/{quote(name)}",
        "creationInfo": {
            "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": ["Tool: kassa-image"],
        },
        "packages": packages,
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": package["SPDXID"],
            }
            for package in packages
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--packages", type=Path, required=True)
    asked = parser.parse_args()
    created = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    made = document(asked.name, asked.packages.read_text().splitlines(), created)
    json.dump(made, sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
