"""Starts kassa_updater: `start.py update|install|watch|maintenance …`. Of this program's own it
needs what is in this folder and nothing else, so that a copy elsewhere works as well."""

import sys
from pathlib import Path

# Python was started with -IS: only this folder, Python and Debian's packages are looked at.
sys.path[:0] = [str(Path(__file__).resolve().parent)]
sys.path += ["/usr/lib/python3/dist-packages"]

from kassa_updater.main import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
