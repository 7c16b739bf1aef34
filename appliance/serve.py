"""The kiosk's process: gunicorn with one threaded worker that holds the counter.

One worker, because the counter is one; threads, because each event stream holds one. No preload
(threads do not survive a fork), no max-requests, no reload: each would run two counters side by
side for a moment. The arbiter imports next to nothing: what the counter needs is imported in the
worker, after the fork, as shared pages do not stay shared in Python.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, Protocol

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker

from appliance.domain.errors import Code, ConfigTrouble

if TYPE_CHECKING:
    from flask import Flask

    from appliance.counter.config_schema import Config, Web
    from appliance.counter.enrolling import Places
    from web.counter_port import Counter
    from web.settings import WebSettings

    class Served(Counter, Protocol):
        """What this process holds: a counter, or what stands in for one."""

        def start(self) -> None: ...

        def stop(self, wait_s: float) -> bool: ...


# What structlog and httpx load when they happen to find it, for colours, for a command line and for
# another kind of threads, that a kiosk has no use for: 8 MiB, and a tenth of a second of the start
# (0.5 s on a Raspberry Pi).
NEEDLESS: Final = ("rich", "httpx._main", "greenlet")
THREADS: Final = 16
CHARGE_WAIT_S: Final = 240  # a stop in mid-charge waits for the terminal: T4 and a little
STOP_WAIT_S: Final = CHARGE_WAIT_S + 40
BEAT_S: Final = 5.0


class KioskWorker(ThreadWorker):
    """Ends its event streams as soon as it is asked to stop; gunicorn alone would wait for them
    as long as for a real answer."""

    counter: Served | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.signals: SimpleQueue[int] = SimpleQueue()

    def watch(self, counter: Served) -> None:
        """Pass a stop on to the counter, from a thread of its own."""

        def wait() -> None:
            self.signals.get()
            counter.stopping.set()

        self.counter = counter
        threading.Thread(target=wait, name="signals", daemon=True).start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # A signal handler must not take a lock that the interrupted thread may hold; this queue
        # is made for it (queue.SimpleQueue: "put is reentrant").
        self.signals.put(sig)
        super().handle_exit(sig, frame)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        # Ctrl-C is a polite stop as well: a charge may be under way.
        self.handle_exit(sig, frame)


class KioskArbiter(Arbiter):
    """There is one counter, so no signal may start a second worker beside the first: a reload
    does, and a closing terminal sends the signal for it."""

    def handle_hup(self) -> None:
        """A polite stop, like SIGTERM."""
        self.handle_term()

    def handle_ttin(self) -> None:
        """One worker more: refused."""

    def handle_ttou(self) -> None:
        """One worker less: refused."""

    def handle_usr2(self) -> None:
        """A second arbiter beside this one: refused."""


def _freeze(_arbiter: object, _worker: object) -> None:
    """Before the fork: the garbage collector writes to each object that it looks at, so that the
    worker's would take a copy of all that the two processes share."""
    gc.freeze()


class Server(BaseApplication):
    """Serves one counter on loopback until SIGTERM or SIGINT. make: called in the worker; from
    there on there are threads."""

    def __init__(
        self,
        web: Web,
        make: Callable[[], tuple[Served, WebSettings]],
        ready: Callable[[str], None],
    ) -> None:
        self._web, self._make, self._ready = web, make, ready
        self._counter: Served | None = None
        super().__init__()

    def load_config(self) -> None:
        options: dict[str, Any] = {
            "bind": [_authority(self._web)],
            "worker_class": KioskWorker,
            "workers": 1,
            "threads": THREADS,
            "timeout": 60,
            "graceful_timeout": STOP_WAIT_S,
            "keepalive": 75,
            "preload_app": False,
            "max_requests": 0,
            "control_socket_disable": True,
            "limit_request_line": 4094,
            "limit_request_fields": 50,
            "accesslog": None,
            "loglevel": "warning",
            "proc_name": "kassa",
            "pre_fork": _freeze,
            "post_worker_init": self._started,
            "worker_exit": self._exiting,
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def run(self) -> None:
        KioskArbiter(self).run()

    def load(self) -> Flask:  # type: ignore[override]
        """The application, in the worker."""
        for name in NEEDLESS:
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # "import" then fails
        from web import create_app

        counter, settings = self._make()
        self._counter = counter
        app = create_app(counter, settings)
        counter.start()
        return app

    def _started(self, worker: KioskWorker) -> None:
        assert self._counter is not None
        worker.watch(self._counter)
        self._ready(f"http://{self._web.host}:{self._web.port}/")

    def _exiting(self, _server: object, worker: KioskWorker) -> None:
        if worker.counter is None:
            return
        ended = threading.Event()

        def beat() -> None:
            # Asked to stop on its own, the worker still has an arbiter that ends the silent.
            while not ended.wait(BEAT_S):
                worker.notify()

        threading.Thread(target=beat, name="beat", daemon=True).start()
        worker.counter.stop(CHARGE_WAIT_S)
        ended.set()


def _authority(web: Web) -> str:
    host = f"[{web.host}]" if ":" in web.host else web.host
    return f"{host}:{web.port}"


def _hosts(web: Web) -> tuple[str, ...]:
    names = {_authority(web), f"localhost:{web.port}", f"127.0.0.1:{web.port}"}
    return tuple(sorted(names))


def web_settings(config: Config) -> WebSettings:
    """What the screen must know of the configuration."""
    from web.settings import Display, Listener, Theme, WebSettings

    web, display = config.web, config.display
    return WebSettings(
        hosts=_hosts(web),
        language=config.counter.language,
        frame_ancestors=web.frame_ancestors,
        theme=Theme(web.theme),
        display=Display(
            rotation=display.rotation,
            resolution=display.resolution,
            keyboard=display.keyboard,
            blank_from=display.blank_from,
            blank_until=display.blank_until,
        ),
        pages=config.links.pages,
        listener=Listener(
            config.links.listen,
            config.links.public_url,
            str(config.links.cert_file or ""),
            str(config.links.key_file or ""),
        ),
    )


def _check_port(web: Web) -> None:
    """gunicorn says "Connection in use" five times over, with no code and no cure."""
    host, port = web.host, web.port
    try:
        socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        ).close()
    except OSError as error:
        raise ConfigTrouble(
            [f"[web] port: {host}:{port} cannot be used ({os.strerror(error.errno or 0)}); "
             "end the program that has it, or write another port"]
        ) from None  # fmt: skip


def serve(config: Config, ready: Callable[[str], None]) -> None:
    """Serve until stopped. ready: called in the worker with the address when it answers. Raises
    ConfigTrouble for a port that is taken."""

    def make() -> tuple[Served, WebSettings]:
        from appliance.counter.runtime import build, set_up_logs

        set_up_logs(config)
        return build(config), web_settings(config)

    _run(config.web, make, ready)


def serve_stand_in(
    web: Web,
    trouble: tuple[Code, list[str]],
    is_over: Callable[[], bool],
    ready: Callable[[str], None],
) -> None:
    """Show why the counter cannot start, until stopped or until that may be over. trouble: its
    code, and lines of detail. is_over: asked every two seconds. Raises ConfigTrouble for a port
    that is taken."""

    def make() -> tuple[Served, WebSettings]:
        from appliance.counter.clock import SystemClock
        from appliance.counter.stand_in import StandIn
        from web.settings import WebSettings

        arbiter = os.getppid()
        counter = StandIn(
            *trouble, SystemClock(), is_over, lambda: os.kill(arbiter, signal.SIGTERM)
        )
        return counter, WebSettings(hosts=_hosts(web))

    _run(web, make, ready)


def serve_enrolment(web: Web, places: Places, ready: Callable[[str], None]) -> None:
    """Wait on the screen for an enrolment code, until stopped or until there are settings. Raises
    ConfigTrouble for a port that is taken."""

    def make() -> tuple[Served, WebSettings]:
        from appliance.counter.clock import SystemClock
        from appliance.counter.enrolling import Enrolment
        from web.settings import WebSettings

        arbiter = os.getppid()
        counter = Enrolment(places, SystemClock(), lambda: os.kill(arbiter, signal.SIGTERM))
        return counter, WebSettings(hosts=_hosts(web))

    _run(web, make, ready)


def _run(
    web: Web, make: Callable[[], tuple[Served, WebSettings]], ready: Callable[[str], None]
) -> None:
    _check_port(web)
    # The master may have been started with SIGINT ignored (a shell's background job).
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    Server(web, make, ready).run()
