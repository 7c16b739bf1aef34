"""An update, step by step. Each step is on disk before it begins, so that a machine that lost its
power knows where it was; each can be done again.

    installing --installed--> trying --healthy--> ok
        |                       |
        +--- it cannot be ------+-- not healthy in time --> going-back --> rolled-back
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from kassa_updater import files
from kassa_updater.box import Box, Broken, say
from kassa_updater.counter import Look
from kassa_updater.places import Places
from kassa_updater.plan import Plan, Release, Step, Told, load, remove, save, tell

MOST_TRIES: Final = 3
"""Installations that a power cut ended; starts without an end of the watch; ways back in one go."""
STEADY_LOOKS: Final = 3
LOOK_S: Final = 5.0
DRAWN_S: Final = 60.0
BACK_WAIT_S: Final = 600.0
"""How long a way back waits for a counter that works well enough to be busy."""


class Work:
    """What the two units do: `install` before the counter starts or instead of it, `watch` beside
    it."""

    def __init__(self, places: Places, box: Box) -> None:
        self._places, self._box = places, box

    def install(self) -> None:
        """Whatever the plan asks for; nothing without one. However it ends, the counter is told to
        start. Raises OSError, ValueError for a plan that cannot be read."""
        try:
            plan = load(self._places.plan)
            while plan is not None:
                say(f"{plan.step}, try {plan.tries + 1}")
                match plan.step:
                    case Step.INSTALLING:
                        plan = self._install(plan)
                    case Step.TRYING:
                        # A start of the machine: the watch did not come to its end.
                        if plan.tries < MOST_TRIES:
                            self._save(replace(plan, tries=plan.tries + 1))
                            return
                        plan = self._back(plan, f"{MOST_TRIES + 1} starts, and none was healthy")
                    case Step.GOING_BACK:
                        self._go_back(plan)
                        return
        finally:
            self._box.start()

    def _install(self, plan: Plan) -> Plan | None:
        if plan.tries == 0 and not self._box.idle(plan.wait_s):
            say("the counter was not idle in time; nothing was changed")
            remove(self._places.plan)
            return None
        if plan.tries >= MOST_TRIES:
            return self._back(plan, f"{plan.tries} power cuts during the installation")
        plan = replace(plan, tries=plan.tries + 1)
        self._save(plan)
        self._tell(plan, Told.INSTALLING)
        try:
            self._put(plan.target)
        except Broken as error:
            return self._back(plan, str(error))
        plan = replace(plan, step=Step.TRYING, tries=1)
        self._tell(plan, Told.TRYING)
        self._save(plan)
        return None  # the watch goes on from here

    def _go_back(self, plan: Plan) -> None:
        """Power cuts are not counted here: there is nothing else to go to."""
        self._wait_not_busy()
        why = ""
        for _ in range(MOST_TRIES):
            try:
                self._put(plan.kept)
            except Broken as error:
                why = str(error)
                say(why)
            else:
                self._end(plan, Told.ROLLED_BACK, plan.reason)
                return
        self._end(plan, Told.FAILED, f"{plan.reason}; and no way back: {why}")

    def _wait_not_busy(self) -> None:
        """For a counter that works well enough to say so: one that is silent is what is to be
        cured, and its stop waits for a running payment all the same."""
        end = self._box.monotonic() + BACK_WAIT_S
        while (seen := self._box.look()) and seen.is_busy and self._box.monotonic() < end:
            self._box.sleep(LOOK_S)

    def _put(self, release: Release) -> None:
        """Raises Broken."""
        package = self._places.releases / release.file
        try:
            if files.sha256(package) != release.sha256:
                raise Broken(f"{package}: changed since it was put there")
        except OSError as error:
            raise Broken(str(error)) from error
        self._box.stop()
        self._box.install(package, release.version)

    # --- watching ---------------------------------------------------------------------------------

    def watch(self) -> None:
        """Until the new release is healthy, or its time is over. Raises OSError, ValueError."""
        plan = load(self._places.plan)
        if plan is None or plan.step is not Step.TRYING:
            return
        end, steady, wrong = self._box.monotonic() + plan.healthy_s, 0, "it was not looked at"
        while self._box.monotonic() < end:
            wrong = self._wrong(plan, self._box.look())
            steady = 0 if wrong else steady + 1
            if steady >= STEADY_LOOKS:
                if not plan.before.has_journal or self._box.journal_holds():
                    self._end(plan, Told.OK, "")
                    return
                wrong = "the journal's chain does not hold"
                break
            self._box.sleep(LOOK_S)
        self._back(plan, wrong)
        self._box.go_back()

    @staticmethod
    def _wrong(plan: Plan, seen: Look | None) -> str:
        """Why the counter is not as well as it was before; "" when it is."""
        if seen is None:
            return "the counter does not answer"
        if seen.version != plan.target.version:
            return f"the counter that answers is {seen.version or 'another release'}"
        if seen.status == "failing" and plan.before.works:
            return f"the counter does not work: {seen.code}"
        for name in plan.before.devices:
            if (health := seen.devices.get(name)) != "ok":
                return f"{name}: {health or 'gone'}, and was well before"
        if plan.before.draws and (seen.browser_age_s is None or seen.browser_age_s > DRAWN_S):
            return "the screen does not draw"
        return ""

    # --- what is on disk ------------------------------------------------------------------------

    def _save(self, plan: Plan) -> None:
        save(self._places.plan, plan)

    def _back(self, plan: Plan, reason: str) -> Plan:
        say(f"going back: {reason}")
        plan = replace(plan, step=Step.GOING_BACK, tries=0, reason=reason)
        self._save(plan)
        return plan

    def _end(self, plan: Plan, told: Told, reason: str) -> None:
        """The word before the plan's removal: a cut between the two only says it again."""
        say(f"{told}: {reason}" if reason else f"{told}")
        self._tell(plan, told, reason)
        kept = {plan.kept.file} | ({plan.target.file} if told is Told.OK else set())
        for file in self._places.releases.iterdir():
            if file.name not in kept:
                file.unlink()
        remove(self._places.plan)

    def _tell(self, plan: Plan, told: Told, reason: str = "") -> None:
        """What nobody can be told is no reason to leave a box without its counter."""
        try:
            tell(self._places.told, told, plan, self._box.now(), reason)
        except OSError as error:
            say(f"state.json: {error}")
