"""What `threading`, `queue`, `concurrent.futures` and `time` offer, on a kernel's time.

`Condition` and `Event` behave as the standard library's do; queues and futures are the standard
library's own source, loaded a second time on top of these.
"""

from __future__ import annotations

import concurrent.futures._base
import importlib.util
import itertools
import queue
from collections import deque
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from tests.simulation.kernel import Kernel, Killed, Machine, Task


class Lock:
    """A mutex. Re-entrant where `is_reentrant`."""

    def __init__(self, kernel: Kernel, *, is_reentrant: bool = False) -> None:
        self._kernel, self._is_reentrant = kernel, is_reentrant
        self._owner: object = None
        self._depth = 0
        self._waiting: deque[Task] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        kernel = self._kernel
        kernel.check_alive()
        me: object = kernel.current or kernel
        if self._depth and self._is_reentrant and self._owner is me:
            self._depth += 1
            return True
        until = None if timeout < 0 else kernel.now + timeout
        while self._depth:
            if not blocking or kernel.current is None:
                return False
            if until is not None and kernel.now >= until:
                return False
            self._waiting.append(kernel.current)
            kernel.park(until)
        self._owner, self._depth = me, 1
        return True

    def release(self) -> None:
        if not self._depth:
            raise RuntimeError("release unlocked lock")
        self._depth -= 1
        if not self._depth:
            self._owner = None
            while self._waiting:
                task = self._waiting.popleft()
                if not task.is_over:
                    self._kernel.wake(task)
                    break

    def locked(self) -> bool:
        return bool(self._depth)

    def free(self) -> int:
        """Give it up however often it is held; how often that was."""
        depth, self._depth = self._depth, 1
        self.release()
        return depth

    def retake(self, depth: int) -> None:
        self.acquire()
        self._depth = depth

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Condition:
    def __init__(self, kernel: Kernel, lock: Lock | None = None) -> None:
        self._kernel = kernel
        self._lock = lock or Lock(kernel, is_reentrant=True)
        self._waiting: deque[Task] = deque()
        self.acquire, self.release = self._lock.acquire, self._lock.release

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        kernel = self._kernel
        task = kernel.current
        assert task is not None, "only a task can wait"
        self._waiting.append(task)
        depth = self._lock.free()
        try:
            return kernel.park(None if timeout is None else kernel.now + timeout)
        finally:
            if task in self._waiting:
                self._waiting.remove(task)
            try:
                self._lock.retake(depth)
            except Killed:
                # `with` gives it up next; what it guards dies with the machine.
                self._lock._depth = max(self._lock._depth, 1)
                raise

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        until = None if timeout is None else self._kernel.now + timeout
        while not (found := predicate()):
            left_s = None if until is None else until - self._kernel.now
            if left_s is not None and left_s <= 0:
                break
            self.wait(left_s)
        return found

    def notify(self, n: int = 1) -> None:
        for _ in range(min(n, len(self._waiting))):
            self._kernel.wake(self._waiting.popleft())

    def notify_all(self) -> None:
        self.notify(len(self._waiting))


class Event:
    def __init__(self, kernel: Kernel) -> None:
        self._changed = Condition(kernel)
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        self._changed.notify_all()

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        with self._changed:
            return bool(self._changed.wait_for(self.is_set, timeout))


class Semaphore:
    def __init__(self, kernel: Kernel, value: int) -> None:
        self._changed = Condition(kernel)
        self._value = value

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        with self._changed:
            is_free = self._changed.wait_for(lambda: self._value > 0, timeout if blocking else 0)
            if is_free:
                self._value -= 1
            return bool(is_free)

    def release(self) -> None:
        self._value += 1
        self._changed.notify()


class Thread:
    """A task of the machine that makes it."""

    def __init__(
        self,
        target: Callable[..., object],
        name: str = "thread",
        args: tuple[object, ...] = (),
        daemon: bool = True,
    ) -> None:
        self.name, self._target, self._args = name, target, args
        self._task: Task | None = None
        self._ended: Event | None = None

    def begin(self, kernel: Kernel, machine: Machine | None) -> None:
        self._ended = Event(kernel)

        def run() -> None:
            try:
                self._target(*self._args)
            finally:
                assert self._ended is not None
                self._ended.set()

        self._task = kernel.spawn(self.name, run, machine)

    def is_alive(self) -> bool:
        return self._task is not None and not self._task.is_over

    def join(self, timeout: float | None = None) -> None:
        if self._ended is not None:
            self._ended.wait(timeout)


class Threading:
    """In place of the module `threading`. A thread is of the machine that starts it."""

    TIMEOUT_MAX: Final = 1e9

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

        class _Thread(Thread):
            def start(self) -> None:
                current = kernel.current
                self.begin(kernel, current.machine if current is not None else None)

        # The standard library's names, bound to this kernel.
        self.Thread = _Thread
        self.Lock = lambda: Lock(kernel)
        self.RLock = lambda: Lock(kernel, is_reentrant=True)
        self.Condition = lambda lock=None: Condition(kernel, lock)
        self.Event = lambda: Event(kernel)
        self.BoundedSemaphore = lambda value=1: Semaphore(kernel, value)
        self.current_thread = lambda: kernel.current


class Time:
    """In place of the module `time`."""

    def __init__(self, kernel: Kernel) -> None:
        self.monotonic, self.sleep = kernel.monotonic, kernel.sleep


def load_queue(threading: Threading) -> ModuleType:
    copy = _copy(queue)
    copy.threading = threading  # type: ignore[attr-defined]
    copy.time = threading.kernel.monotonic  # type: ignore[attr-defined]
    return copy


def load_futures(threading: Threading) -> ModuleType:
    copy = _copy(concurrent.futures._base)
    copy.threading = threading  # type: ignore[attr-defined]
    copy.time = Time(threading.kernel)  # type: ignore[attr-defined]
    return copy


def _copy(module: ModuleType) -> ModuleType:
    assert module.__file__ is not None
    spec = importlib.util.spec_from_file_location(f"simulated_{module.__name__}", module.__file__)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def pool_of(threading: Threading) -> Callable[..., Pool]:
    def make(max_workers: int = 1, thread_name_prefix: str = "pool") -> Pool:
        return Pool(threading, max_workers, thread_name_prefix)

    return make


class Pool:
    """In place of ThreadPoolExecutor, as far as our code uses it: nobody waits for results."""

    def __init__(self, threading: Threading, max_workers: int, prefix: str) -> None:
        self._threading, self._most, self._prefix = threading, max_workers, prefix
        self._work: deque[Callable[[], object]] = deque()
        self._running = 0
        self._is_closed = False
        self._numbers = itertools.count()

    def submit(self, work: Callable[[], object]) -> None:
        if self._is_closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        self._work.append(work)
        if self._running < self._most:
            self._running += 1
            self._threading.Thread(
                target=self._run, name=f"{self._prefix}_{next(self._numbers)}"
            ).start()

    def _run(self) -> None:
        try:
            while self._work:
                self._work.popleft()()
        finally:
            self._running -= 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._is_closed = True
        if cancel_futures:
            self._work.clear()
