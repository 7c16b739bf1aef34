"""Every state that can be reached, breadth first, so that each story found is a shortest one."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S", bound=Hashable)


class Step(NamedTuple, Generic[S]):
    """One move of one party, in a sentence. is_trouble: a fault, which nobody may wait for.
    wrong: the rule that it broke, or ""."""

    told: str
    after: S
    is_trouble: bool = False
    wrong: str = ""


@dataclass
class Explored(Generic[S]):
    """states: all, in the order in which they were found. violations: by rule, the first story."""

    states: list[S] = field(default_factory=list)
    moves: int = 0
    violations: dict[str, str] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)
    ends: list[int] = field(default_factory=list)
    _found: dict[S, int] = field(default_factory=dict)
    _from: list[tuple[int, str]] = field(default_factory=list)
    _sources: array[int] = field(default_factory=lambda: array("I"))
    _targets: array[int] = field(default_factory=lambda: array("I"))

    def story(self, number: int, *more: str) -> str:
        """How to get there, a sentence a line."""
        lines = list(more)
        while number >= 0:
            number, told = self._from[number]
            lines.insert(0, told)
        return "\n".join(lines)

    def without_end(self) -> list[int]:
        """The states from which no end can be reached without trouble, earliest first."""
        back: list[list[int]] = [[] for _ in self.states]
        for source, target in zip(self._sources, self._targets, strict=True):
            back[target].append(source)
        reached = set(self.ends)
        waiting = list(self.ends)
        while waiting:
            for source in back[waiting.pop()]:
                if source not in reached:
                    reached.add(source)
                    waiting.append(source)
        return [number for number in range(len(self.states)) if number not in reached]

    def _enter(self, state: S, source: int, told: str) -> int:
        number = self._found.get(state)
        if number is None:
            number = self._found[state] = len(self.states)
            self.states.append(state)
            self._from.append((source, told))
        return number

    def _wrong(self, rule: str, story: Callable[[], str]) -> None:
        if rule not in self.violations:
            self.violations[rule] = story()


def explore(
    starts: Iterable[tuple[str, S]],
    steps: Callable[[S], Iterator[Step[S]]],
    wrong: Callable[[S], Iterable[str]],
    is_end: Callable[[S], bool],
    *,
    at_first: bool = False,
) -> Explored[S]:
    """From these starts by these steps to closure. wrong: the rules that a state breaks.
    at_first: stop as soon as a rule is broken."""
    seen: Explored[S] = Explored()
    for told, state in starts:
        seen._enter(state, -1, told)
    number = 0
    while number < len(seen.states) and not (at_first and seen.violations):
        state = seen.states[number]
        for rule in wrong(state):
            seen._wrong(rule, lambda at=number: seen.story(at))  # type: ignore[misc]
        if is_end(state):
            seen.ends.append(number)
        for step in steps(state):
            seen.moves += 1
            seen.told[step.told] += 1
            target = seen._enter(step.after, number, step.told)
            if step.wrong:
                seen._wrong(step.wrong, lambda at=number, told=step.told: seen.story(at, told))  # type: ignore[misc]
            if not step.is_trouble:
                seen._sources.append(number)
                seen._targets.append(target)
        number += 1
    if not seen.violations:
        stuck = seen.without_end()
        if stuck:
            rule = "From here no end can be reached without trouble."
            seen._wrong(rule, lambda: seen.story(stuck[0]))
    return seen
