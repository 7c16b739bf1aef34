"""The process that fuzzes one target: `python -m tests.fuzz.child NAME [libFuzzer's options]`.

What is instrumented must be imported for the first time here, hence a process of its own. A
violation ends it with a traceback; libFuzzer writes the input down.
"""

from __future__ import annotations

import logging
import sys

import atheris
import structlog

from tests.fuzz.target import PLANTED, attempt, by_name


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    name = sys.argv.pop(1)
    # tomllib reads the configuration for us, in Python as well.
    ours = ["appliance", "web", "tomllib", *(["tests"] if name == PLANTED else [])]
    with atheris.instrument_imports(include=ours):
        target = by_name(name)

    sys.argv.append(f"-max_len={target.longest}")
    atheris.Setup(sys.argv, lambda data: attempt(target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
