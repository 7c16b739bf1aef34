"""Devices that nobody has named are taken into service at the counter, and replaced there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from appliance.simulators.bank import Bank
from appliance.simulators.escpos_printer import EscposPrinterSimulator
from appliance.simulators.zvt_machine import LineOptions
from appliance.simulators.zvt_payments import SimulatorOptions
from appliance.simulators.zvt_terminal import ZvtTerminalSimulator
from tests.image.booted.kiosk import Kiosk, Outside, Parts
from tests.image.hardware import USB_BUS
from tests.image.usb_printer import UsbCable, usb_printer

pytestmark = [pytest.mark.timeout(3600)]

MARK = "# adopted at the counter"


@pytest.fixture(scope="module")
def outside(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    with Outside(tmp_path_factory.mktemp("outside"), parts) as found:
        found.write_card("devices", "printer ask\n")
        yield found


@pytest.fixture(scope="module")
def second(outside: Outside) -> Iterator[ZvtTerminalSimulator]:
    """Another terminal, of another acquirer, that lies in its box as yet."""
    line = LineOptions("pty", str(outside.folder / "second"))
    options = SimulatorOptions(line=line, terminal_id="22222222", receipt_no=7, trace_no=7)
    with ZvtTerminalSimulator(options, bank=Bank()) as found:
        yield found


@pytest.fixture(scope="module")
def spare(outside: Outside) -> Iterator[tuple[EscposPrinterSimulator, UsbCable]]:
    """Another printer, with its cable out."""
    with usb_printer(outside.folder / "spare", profile="epson-tm-80") as (printer, cable):
        cable.unplug()
        yield printer, cable


@pytest.fixture(scope="module")
def kiosk(
    outside: Outside,
    second: ZvtTerminalSimulator,
    spare: tuple[EscposPrinterSimulator, UsbCable],
) -> Iterator[Kiosk]:
    path = second.address.removeprefix("serial:")
    words = ("-chardev", f"serial,id=second,path={path}", *spare[1].words("spare"))
    with Kiosk(outside, devices=(*outside.usb(), *words)) as found:
        found.wait_up()
        yield found


def adopted(kiosk: Kiosk) -> list[str]:
    """The lines of the file of roles that root has made of confirmations."""
    lines = kiosk.ssh("cat /etc/kassa/devices").splitlines()
    return [line for line in lines if line.endswith(MARK)]


def is_signed_in(kiosk: Kiosk) -> bool:
    return "Anna K." in kiosk.get("/screen")


def marked(kiosk: Kiosk) -> str:
    """What the screen says of the marked row."""
    found = re.search(r'aria-current="true">(.*?)</(?:button|div)>', kiosk.get("/screen"), re.S)
    return found[1] if found else ""


def go_to_devices(kiosk: Kiosk) -> None:
    """As a seller who is signed in."""
    kiosk.scan_to("KASSA-DEVICES", "devices")
    if not is_signed_in(kiosk):  # a badge that is scanned again signs its seller out
        badge = kiosk.outside.shop.badges["Anna K."]
        kiosk.scan_until(badge, lambda: is_signed_in(kiosk), "the seller is signed in")


def confirm(kiosk: Kiosk, begin: str, place: str = "") -> None:
    """The first device that is offered, or the one at this place, is taken into service, which root
    then writes down. begin: of its line."""
    go_to_devices(kiosk)
    if place and place not in marked(kiosk):
        kiosk.scan_until("KASSA-NEXT", lambda: place in marked(kiosk), "it is marked")
    kiosk.screenshot("devices")
    kiosk.scan_until(
        "KASSA-CONFIRM",
        lambda: any(line.startswith(begin) for line in adopted(kiosk)),
        "root has written it down",
    )
    kiosk.scan_to("KASSA-CANCEL", "idle")


def pay(kiosk: Kiosk, number: str, terminal: ZvtTerminalSimulator) -> None:
    kiosk.scan_to(f"NL-{number}", "order")
    kiosk.scan_until(
        "KASSA-CONFIRM",
        lambda: terminal.wait_for(lambda state: state["waits_for"] == "card", 1),
        "the terminal waits for a card",
    )
    terminal.tap()
    kiosk.wait_page("hand_over")
    kiosk.scan_to("KASSA-CONFIRM", "idle")


# In this order: what is in service after one is what the next begins with.


def test_nothing_serves_that_nobody_has_confirmed(kiosk: Kiosk) -> None:
    found = kiosk.until(
        lambda: (it := kiosk.health()).get("devices", {}).get("shop") == "ok" and it,
        "the shop is there",
        600,
    )
    assert found["devices"]["terminal"] == "K-PAY-02"
    assert found["devices"]["printer"] == "K-PRN-01"
    assert found["devices"]["scanner"] == "ok"  # of a known model, and no line asks
    assert kiosk.status("test -e /dev/kassa/terminal") != 0
    assert kiosk.status("test -e /dev/kassa/printer") != 0
    kiosk.wait_page("idle")


def test_confirmed_they_serve(kiosk: Kiosk) -> None:
    confirm(kiosk, "terminal serial TERM01 0403:6001")
    confirm(kiosk, "printer serial PRN00001 04b8:0e28")
    kiosk.wait_well()
    pay(kiosk, "10001", kiosk.outside.terminal)
    kiosk.until(lambda: kiosk.outside.printer.papers, "the receipt")
    assert "in service as terminal, adopted at the counter" in kiosk.ssh("kassa usb")
    assert (
        kiosk.ssh("runuser -u kassa -- kassa journal export | grep -c device.adopted; true").strip()
        == "2"
    )


def test_after_a_restart_they_still_do(kiosk: Kiosk) -> None:
    before = kiosk.ssh("cat /proc/sys/kernel/random/boot_id")
    kiosk.status("systemctl reboot")
    kiosk.until(
        lambda: kiosk.ssh("cat /proc/sys/kernel/random/boot_id") != before, "it has restarted", 600
    )
    kiosk.wait_well()


def test_another_terminal_takes_over_and_the_first_is_not_charged_at(
    kiosk: Kiosk, second: ZvtTerminalSimulator
) -> None:
    """Both are plugged in, and the driver had the first one open."""
    first = kiosk.outside.terminal
    held = len(first.bank.held())
    kiosk.machine.plug("usb-serial", "second", chardev="second", serial="TERM02", bus=USB_BUS)
    kiosk.until(lambda: "TERM02" in kiosk.ssh("kassa usb"), "it is seen")
    confirm(kiosk, "terminal serial TERM02 0403:6001")
    kiosk.wait_well()
    pay(kiosk, "10008", second)
    assert len(first.bank.held()) == held
    assert len(second.bank.held()) == 1


def test_of_two_printers_alike_the_confirmed_one_prints(
    kiosk: Kiosk, spare: tuple[EscposPrinterSimulator, UsbCable], second: ZvtTerminalSimulator
) -> None:
    """Of one model, with one serial number: the port tells them apart."""
    printer, cable = spare
    cable.plug()
    kiosk.until(lambda: kiosk.ssh("kassa usb").count("TM-T20III") == 2, "it is seen")
    found = re.search(r"a printer, not chosen.*\n.*usb-0:([0-9]+):", kiosk.ssh("kassa usb"))
    assert found is not None
    confirm(kiosk, "printer port ", f"USB port {found[1]} ")
    kiosk.wait_well()
    printed = len(kiosk.outside.printer.papers)
    pay(kiosk, "10009", second)
    kiosk.until(lambda: printer.papers, "the receipt")
    assert len(kiosk.outside.printer.papers) == printed


def test_taken_out_of_service_it_is_not_printed_at_any_more(
    kiosk: Kiosk, spare: tuple[EscposPrinterSimulator, UsbCable]
) -> None:
    printed = len(spare[0].papers)
    go_to_devices(kiosk)
    kiosk.scan_until(
        "KASSA-NEXT",
        lambda: all(text in marked(kiosk) for text in ("Printer", "· in service")),
        "it is marked",
    )
    kiosk.screenshot("in-service")
    kiosk.scan_until(
        "KASSA-RELEASE",
        lambda: all(line.startswith("terminal ") for line in adopted(kiosk)),
        "root has taken the line out",
    )
    kiosk.scan_to("KASSA-CANCEL", "idle")
    kiosk.until(lambda: kiosk.health()["devices"]["printer"] == "K-PRN-01", "it is missed")
    assert len(spare[0].papers) == printed
