"""One thread that plays many, on time of its own: the order of what happens follows from a seed.

A task is a greenlet: real, unchanged code that runs until it waits. Who waits goes back to the
kernel, which lets time pass to whatever comes next. Every wake-up takes a little while, by lot, so
that each seed is another interleaving. Tasks belong to machines; a machine whose power goes takes
all of its tasks with it, wherever they are.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Final

from greenlet import getcurrent, greenlet

LOOK_S: Final = 1e-6
LATENCY_S: Final = 0.001
LONG_LATENCY_S: Final = 0.08  # a thread that the scheduler forgot for a while
LONG_ONE_IN: Final = 200
SPIN_MOST: Final = 50_000  # steps within one second: nobody has so much to do, something spins


class Killed(BaseException):
    """The machine that this code runs on has lost its power. Nothing may catch it for good."""


class Spinning(AssertionError):
    """Something waits for nothing: no time passes."""


class Machine:
    """What lives and dies together: the tasks of one kiosk's program."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.tasks: list[Task] = []


class Task:
    """One thread of control. error: what it ended with, where that was none of its business."""

    def __init__(
        self, name: str, machine: Machine | None, run: Callable[[], None], home: greenlet
    ) -> None:
        self.name, self.machine = name, machine
        self.turn = 0  # which wait it is in: a wake-up is for one of them
        self.is_woken = False
        self.is_over = False
        self.error: BaseException | None = None
        self._run = run
        # Else whoever made it would go on in its place when it ends.
        self.greenlet = greenlet(self._body, home)

    def _body(self) -> None:
        try:
            self._run()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - the kernel raises it again
            self.error = error
        finally:
            self.is_over = True


class Kernel:
    """seed: of the interleaving alone. start_s: the time that it begins with."""

    def __init__(self, seed: str, start_s: float = 0.0) -> None:
        self.now = start_s
        self.steps = 0
        self.current: Task | None = None
        self._dice = random.Random(seed)
        self._count = 0
        self._due: list[tuple[float, int, Task | Callable[[], object], int]] = []
        self._doomed: list[Machine] = []
        # Held here: a greenlet that is collected unwinds, at a moment that no seed knows of.
        self._alive: dict[Task, None] = {}
        self._is_closed = False
        self._second, self._in_second = -1, 0
        self._home = getcurrent()

    # --- for tasks ----------------------------------------------------------------------------

    def monotonic(self) -> float:
        """Looking at the clock takes time as well: nobody sees it stand still."""
        self.now += LOOK_S
        return self.now

    def sleep(self, seconds: float) -> None:
        until = self.now + max(0.0, seconds)
        while self.now < until or seconds <= 0:
            self.park(until)
            if seconds <= 0:
                return

    def park(self, until: float | None) -> bool:
        """Wait until somebody wakes this task, or until then; whether it was woken."""
        task = self.current
        if task is None:
            raise AssertionError("only a task can wait")
        self.check_alive()
        task.turn += 1
        task.is_woken = False
        if until is not None:
            self._push(max(until, self.now), task, task.turn)
        self._home.switch()
        self.check_alive()
        return task.is_woken

    def wake(self, task: Task) -> None:
        """Soon. Harmless for a task that does not wait."""
        if not task.is_woken and not task.is_over:
            task.is_woken = True
            self._push(self.now + self._latency(), task, task.turn)

    def check_alive(self) -> None:
        """Raises Killed in a task whose machine is dead."""
        task = self.current
        is_dead = task is not None and task.machine is not None and task.machine.is_dead
        if is_dead or (self._is_closed and task is not None):
            raise Killed

    # --- for whoever plays the world ------------------------------------------------------------

    def spawn(self, name: str, run: Callable[[], None], machine: Machine | None = None) -> Task:
        task = Task(name, machine, run, self._home)
        if machine is not None:
            machine.tasks = [each for each in machine.tasks if not each.is_over]
            machine.tasks.append(task)
        task.turn = 1
        self._alive[task] = None
        self._push(self.now + self._latency(), task, 1)
        return task

    def at(self, time_s: float, action: Callable[[], object]) -> None:
        """Let it happen then; it must not wait."""
        self._push(max(time_s, self.now), action, 0)

    def kill(self, machine: Machine) -> None:
        """Nothing of it happens any more. Its tasks unwind before time goes on."""
        machine.is_dead = True
        self._doomed.append(machine)

    def run(self, until: float) -> None:
        """Let everything happen up to this time. Raises what a task failed with."""
        while self._due and self._due[0][0] <= until:
            time_s, _, what, turn = heapq.heappop(self._due)
            self.now = max(self.now, time_s)
            if isinstance(what, Task):
                if what.turn == turn and not what.is_over:
                    what.turn += 1
                    self._resume(what)
            else:
                what()
            while self._doomed:
                self._unwind(self._doomed.pop())
        self.now = max(self.now, until)

    def _resume(self, task: Task) -> None:
        self.steps += 1
        if int(self.now) != self._second:
            self._second, self._in_second = int(self.now), 0
        self._in_second += 1
        if self._in_second > SPIN_MOST:
            who = task.machine.name if task.machine is not None else "the world"
            raise Spinning(f"{task.name} of {who} spins")
        self.current = task
        try:
            task.greenlet.switch()
        finally:
            self.current = None
        self._look_after(task)

    def _look_after(self, task: Task) -> None:
        if task.is_over:
            self._alive.pop(task, None)
        if task.error is not None:
            raise task.error

    def _unwind(self, machine: Machine) -> None:
        for task in machine.tasks:
            self._end(task)
        machine.tasks.clear()

    def _end(self, task: Task) -> None:
        if not task.greenlet:  # over, or not begun: what is thrown into it would come out here
            task.is_over = True
            self._alive.pop(task, None)
            return
        self.current = task
        try:
            task.greenlet.throw(Killed)
        finally:
            self.current = None
        self._look_after(task)
        # Cleaning up cannot wait: every primitive of what is dead raises Killed.
        if task in self._alive:
            raise AssertionError(f"{task.name} survives its end")

    def close(self) -> None:
        """Unwind whatever still waits."""
        self._is_closed = True
        for task in list(self._alive):
            self._end(task)

    def _push(self, time_s: float, what: Task | Callable[[], object], turn: int) -> None:
        self._count += 1
        heapq.heappush(self._due, (time_s, self._count, what, turn))

    def _latency(self) -> float:
        longest = LONG_LATENCY_S if self._dice.randrange(LONG_ONE_IN) == 0 else LATENCY_S
        return self._dice.random() * longest
