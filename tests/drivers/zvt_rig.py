"""Driver and simulated terminal together, with times that a test can wait for."""

from contextlib import contextmanager

from appliance.drivers.zvt import ZvtOptions, ZvtTerminal
from appliance.drivers.zvt_session import Times
from appliance.ports import Charge
from appliance.simulators.zvt_machine import LineOptions
from appliance.simulators.zvt_payments import SimulatorOptions
from appliance.simulators.zvt_terminal import ZvtTerminalSimulator
from tests.contract.terminal import AMOUNT, Recorder

LINES = ("pty", "tcp")
COMMITS = ("auto-reverse", "keep")
TIMES = Times(t1_s=0.1, t2_s=1.0, t3_s=2.0, t4_s=1.2, connect_s=1.0, query_s=5.0)
QUICK = Times(t1_s=0.1, t2_s=0.3, t3_s=0.5, t4_s=0.5, connect_s=1.0, query_s=2.0)
"""For terminals that say nothing at all."""
SHORT_T3_S = 0.15
"""The simulated terminal's, where the till is known not to answer; elsewhere the standard's, so
that a busy computer is not taken for an absent till."""


@contextmanager
def rigged(tmp_path, line="pty", times=TIMES, trace="", idle_wait_s=15.0, t3_s=5.0, **options):
    """(driver, simulator), connected, after one approved payment: there is a baseline."""
    options.setdefault("auto", "approve")
    lines = LineOptions(line, path=str(tmp_path / "terminal"))
    with ZvtTerminalSimulator(SimulatorOptions(line=lines, **options)) as simulator:
        driver = ZvtTerminal(
            ZvtOptions(
                simulator.address,
                times=times,
                trace=trace,
                idle_wait_s=idle_wait_s,
                idle_poll_s=0.05,
            )
        )
        driver.connect()
        auto, simulator.auto = simulator.auto, "approve"
        driver.authorise(Charge("p-0", AMOUNT, driver.baseline()), Recorder())
        simulator.auto, simulator.t3_s = auto, t3_s
        try:
            yield driver, simulator
        finally:
            driver.close()


def held(simulator):
    """Bookings that the bank holds, beside the first one."""
    return len(simulator.bank.held()) - 1
