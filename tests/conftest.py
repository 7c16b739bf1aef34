"""Settings for every test. Fixtures live beside the tests that use them."""

import logging
import os

import structlog
from hypothesis import HealthCheck, settings

# As in production: no local variables in a traceback, they may hold what no log may.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ],
    wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
)

# Deadlines measure the machine, not the code: a busy one would fail a sound test.
settings.register_profile("dev", deadline=None, max_examples=100)
# The same examples on every run: a failure there is the change's, not the dice's.
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, print_blob=True)
# For `make proof`: long, and with fresh dice on each run.
settings.register_profile(
    "proof",
    settings.get_profile("dev"),
    max_examples=20_000,
    stateful_step_count=200,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
