"""Every printer driver, on every line that can be had without a device."""

import pytest

from appliance.domain.errors import Code
from appliance.drivers.escpos_printer import EscposOptions, EscposPrinter
from appliance.drivers.print_link import PrintLink, PrintLinkOptions
from appliance.protocols.links.messages import Outcome
from appliance.simulators.escpos_printer import EscposPrinterSimulator, Fault
from tests.contract.printer import PrinterContract, PrinterRig
from tests.drivers.link_far_side import FarSide, TickingClock

FAULTS = {
    Code.PRINTER_GONE: Fault.CABLE_OUT,
    Code.NO_PAPER: Fault.NO_PAPER,
    Code.COVER_OPEN: Fault.COVER_OPEN,
    Code.PRINTER_FAULT: Fault.CUTTER,
}


class EscposRig(PrinterRig):
    def __init__(self, simulator: EscposPrinterSimulator, address: str) -> None:
        self.simulator = simulator
        self.printer = EscposPrinter(
            EscposOptions(
                address,
                simulator.profile.name,
                status_timeout_s=1.0,
                settle_s=0.0,
            )
        )

    def papers(self):
        return [paper.lines for paper in self.simulator.papers]

    def break_it(self, code):
        self.simulator.set_fault(FAULTS[code])

    def mend_it(self, code):
        self.simulator.set_fault(FAULTS[code], False)


@pytest.fixture(params=["epson-tm-80", "generic-80", "cyrillic-80"])
def profile(request):
    return request.param


@pytest.fixture(params=["serial", "usb", "tcp"])
def scheme(request):
    return request.param


@pytest.fixture
def simulator(scheme, profile, tmp_path):
    place = {"port": 0} if scheme == "tcp" else {"path": tmp_path / "printer"}
    with EscposPrinterSimulator(profile=profile, **place) as simulator:
        yield simulator
        assert simulator.defects == []


class TestEscpos(PrinterContract):
    @pytest.fixture
    def rig(self, simulator, scheme):
        # There is no usblp to be had; its driver's line is tried on the pseudo-terminal as well.
        rig = EscposRig(simulator, simulator.address.replace("serial:", f"{scheme}:"))
        yield rig
        rig.printer.close()


class PrintLinkRig(PrinterRig):
    """A foreign application that prints the number of the order at once."""

    def __init__(self):
        self.far = FarSide(TickingClock())
        self.printer = PrintLink(PrintLinkOptions(self.far.signer), self.far.door)
        self.lines = []
        self.far.door.listen(self.look)

    def look(self):
        before = len(self.far.links)
        self.far.look()
        for link in self.far.links[before:]:
            self.lines.append([link.order])
            self.far.answer(link, Outcome.PRINTED)

    def papers(self):
        return list(self.lines)

    def break_it(self, code):
        self.far.close_page()

    def mend_it(self, code):
        self.far.open_page()


class TestPrintLink(PrinterContract):
    troubles = (Code.PRINTER_GONE,)  # whatever else it has is told by the paper that fails

    @pytest.fixture
    def rig(self):
        rig = PrintLinkRig()
        yield rig
        rig.printer.close()
