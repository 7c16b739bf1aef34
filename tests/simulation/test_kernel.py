"""The kernel and its primitives: what the simulation's own threads are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.simulation.kernel import Kernel, Killed, Machine, Spinning
from tests.simulation.primitives import (
    Condition,
    Event,
    Lock,
    Pool,
    Threading,
    load_futures,
    load_queue,
)


def play(*runs: Callable[[Kernel], None], seed: str = "1", until: float = 100.0) -> Kernel:
    kernel = Kernel(seed)
    for number, run in enumerate(runs):
        kernel.spawn(str(number), lambda run=run: run(kernel))  # type: ignore[misc]
    kernel.run(until)
    return kernel


def test_time_passes_only_while_all_wait() -> None:
    seen: list[float] = []

    def sleeper(kernel: Kernel) -> None:
        for seconds in (1.0, 0.0, 30.0):
            kernel.sleep(seconds)
            seen.append(round(kernel.now, 1))

    play(sleeper)
    assert seen == [1.0, 1.0, 31.0]


def test_a_clock_that_is_looked_at_moves() -> None:
    kernel = Kernel("1")
    assert kernel.monotonic() < kernel.monotonic()


def test_who_spins_is_found_out() -> None:
    def spins(kernel: Kernel) -> None:
        while True:
            kernel.sleep(0)

    with pytest.raises(Spinning):
        play(spins)


def test_an_error_of_a_task_ends_the_run() -> None:
    def fails(kernel: Kernel) -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        play(fails)


def test_a_lock_has_one_owner_and_gives_up_waiting_in_time() -> None:
    inside: list[str] = []
    waited: list[bool] = []

    def run(name: str) -> Callable[[Kernel], None]:
        def body(kernel: Kernel) -> None:
            with lock:
                inside.append(name)
                assert inside == [name]
                kernel.sleep(10)
                inside.remove(name)

        return body

    def impatient(kernel: Kernel) -> None:
        kernel.sleep(1)
        waited.append(lock.acquire(timeout=2))
        waited.append(kernel.now < 4)

    kernel = Kernel("1")
    lock = Lock(kernel)
    for name, body in (("a", run("a")), ("b", run("b")), ("c", impatient)):
        kernel.spawn(name, lambda body=body: body(kernel))  # type: ignore[misc]
    kernel.run(100)
    assert waited == [False, True]
    assert not lock.locked()


def test_a_condition_and_an_event() -> None:
    kernel = Kernel("1")
    changed, event = Condition(kernel), Event(kernel)
    story: list[Any] = []

    def waits() -> None:
        with changed:
            story.append(changed.wait_for(lambda: len(story) > 0, 5))  # nothing comes
            story.append(changed.wait_for(lambda: "told" in story, 50))
        story.append(event.wait(1))
        event.wait()
        story.append("set")

    def tells() -> None:
        kernel.sleep(20)
        with changed:
            story.append("told")
            changed.notify_all()
        kernel.sleep(20)
        event.set()

    kernel.spawn("waits", waits)
    kernel.spawn("tells", tells)
    kernel.run(100)
    assert story == [False, "told", True, False, "set"]


def test_queues_and_futures_are_the_librarys_own_on_this_time() -> None:
    kernel = Kernel("1")
    threading = Threading(kernel)
    queue, futures = load_queue(threading), load_futures(threading)
    story: list[Any] = []
    jobs, future = queue.Queue(1), futures.Future()

    def gets() -> None:
        with pytest.raises(queue.Empty):
            jobs.get(timeout=5)
        story.append(round(kernel.now))
        kernel.sleep(10)
        story.append(jobs.get(timeout=5))
        future.set_result("done")

    def puts() -> None:
        kernel.sleep(8)
        jobs.put("a")
        jobs.put("b", timeout=60)  # waits until there is room
        story.append(future.result(timeout=5))

    kernel.spawn("gets", gets)
    kernel.spawn("puts", puts)
    kernel.run(100)
    assert story == [5, "a", "done"]


def test_a_pool_runs_no_more_at_once_than_it_has_hands() -> None:
    kernel = Kernel("1")
    pool, most, now = Pool(Threading(kernel), 2, "p"), 0, 0

    def work() -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        kernel.sleep(1)
        now -= 1

    def submits() -> None:
        for _ in range(6):
            pool.submit(work)
        pool.shutdown(wait=False)
        with pytest.raises(RuntimeError):
            pool.submit(work)

    kernel.spawn("submits", submits)
    kernel.run(100)
    assert (most, now) == (2, 0)


def test_a_dead_machine_does_nothing_more() -> None:
    kernel = Kernel("1")
    machine, story = Machine("m"), list[str]()
    lock = Lock(kernel)

    def run() -> None:
        try:
            with lock:
                kernel.sleep(1000)
        finally:
            story.append("unwound")
            with pytest.raises(Killed):
                kernel.sleep(1)
        story.append("survived")

    kernel.spawn("run", run, machine)
    kernel.spawn("never begins", lambda: story.append("began"), machine)
    kernel.run(0.0)
    kernel.at(10, lambda: kernel.kill(machine))
    kernel.run(100)
    assert "survived" not in story
    assert "unwound" in story
    assert not lock.locked()


def test_the_same_seed_is_the_same_interleaving_and_another_is_another() -> None:
    def order(seed: str) -> list[int]:
        kernel, done = Kernel(seed), list[int]()
        event = Event(kernel)

        def waits(number: int) -> None:
            event.wait()
            done.append(number)

        for number in range(8):
            kernel.spawn(str(number), lambda number=number: waits(number))  # type: ignore[misc]
        kernel.at(5, event.set)
        kernel.run(100)
        assert sorted(done) == list(range(8))
        return done

    assert order("1") == order("1")
    assert len({tuple(order(str(seed))) for seed in range(10)}) > 1
