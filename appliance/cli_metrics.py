"""`kassa metrics`: its options, and what they lead to."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], default_config: Path
) -> None:
    """Give the command line this command."""
    parser = commands.add_parser("metrics", help="serve figures to a Prometheus server")
    parser.add_argument(
        "--config",
        type=Path,
        default=default_config,
        metavar="FILE",
        help="the configuration, of which [metrics] and [web] are read (default: %(default)s)",
    )
    parser.add_argument(
        "--extract",
        type=Path,
        metavar="FILE",
        help="write those two sections there, for a user who may not read the rest, and end",
    )
    parser.set_defaults(run=_run)


def _run(parsed: argparse.Namespace) -> int:
    if parsed.extract is None:
        from appliance.serve_metrics import serve_metrics

        return serve_metrics(parsed.config, os.environ)
    from appliance.counter.metrics_settings import extract, read

    part = parsed.extract.with_name(parsed.extract.name + ".part")
    part.write_text(extract(read(parsed.config)), encoding="utf-8")
    part.chmod(0o644)
    part.replace(parsed.extract)
    return 0
