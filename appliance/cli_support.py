"""`kassa support-bundle`: its options, and what they lead to."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

EX_CANTCREAT = 73


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], default_config: Path
) -> None:
    """Give the command line this command."""
    parser = commands.add_parser(
        "support-bundle", help="one file to mail: how this box is, without secrets or customers"
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=default_config,
        metavar="FILE",
        help="the configuration (default: %(default)s)",
    )
    parser.add_argument("--port", type=int, default=8100, help="the counter's (default: 8100)")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="what to write (default: kassa-support-TIME.tar.gz, here)",
    )
    parser.set_defaults(run=_run)


def _run(parsed: argparse.Namespace) -> int:
    from appliance.counter.support import of_this_machine, write

    out = parsed.output or Path(time.strftime("kassa-support-%Y%m%d-%H%M%S.tar.gz"))
    try:
        left_out = write(of_this_machine(parsed.config, parsed.port), out)
    except OSError as error:
        print(f"{out}: {error.strerror}", file=sys.stderr)
        return EX_CANTCREAT
    for line in left_out:
        print(f"left out: {line}", file=sys.stderr)
    print(out)
    return 0
