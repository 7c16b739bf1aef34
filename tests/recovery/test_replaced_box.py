"""docs/runbook/replace-a-box.md: another box, and of the old one nothing but the journal."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from appliance.counter.leaving import unfinished
from appliance.domain.facts import Kind
from tests.recovery.test_sigkill import facts, play
from tests.rig import Kiosk, Rig, until


@pytest.mark.recovery
@pytest.mark.parametrize("step", [Kind.STARTED, Kind.ANSWERED])
def test_a_payment_under_way_is_found_again_by_the_new_box(tmp_path: Path, step: Kind) -> None:
    with Rig(tmp_path, customer_s=3.0) as rig, Kiosk(rig) as kiosk:
        play(kiosk, rig, step)
        kiosk.kill()  # the box is broken
        assert any(line.startswith("open: H-") for line in unfinished(rig.data))

        card = tmp_path / "card"
        rig.data.rename(card)
        rig.data.mkdir()
        for file in card.glob("journal.sqlite3*"):  # as the page says
            shutil.copy(file, rig.data)

        kiosk.start()
        until(lambda: kiosk.page() not in ("unknown", "charging", "asking"), "it knows", 90)
        # It says of the money what the bank says, or asks a person; and charges nothing by itself.
        # A terminal that was not told in time that its answer had come may have taken it back.
        held = len(rig.bank.held())
        assert kiosk.page() in ("attention_item", "hand_over" if held else "order")
        assert facts(rig).count(Kind.STARTED) == 1
