"""The harness with a real Linux in it: what its kernel makes of the devices, and what is left of
its files after a power cut."""

from __future__ import annotations

import random
import re
import struct
import subprocess
import time

import pytest

from appliance.simulators.printer_faults import Fault
from tests.image import needs
from tests.image.hardware import Hardware
from tests.image.initramfs import READY, build_initramfs
from tests.image.nbd import NbdServer
from tests.image.qemu import Machine
from tests.image.screens import flat_colour
from tests.image.usb_keyboard import SCANNER, UsbKeyboard
from tests.image.usb_printer import usb_printer
from tests.image.volatile_disk import Cut, Landed, VolatileDisk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

BOOT_WAIT_S = 300.0
WAIT_S = 60.0
MODULES = (
    "virtio_pci", "virtio_blk", "virtio_net", "virtio_console", "virtio_gpu", "ext4", "xhci_pci",
    "usbhid", "hid_generic", "evdev", "usblp", "ftdi_sio", "i6300esb",
)  # fmt: skip
CONSOLES = {"amd64": "ttyS0", "arm64": "ttyAMA0"}
KEY_RECORD = struct.Struct("<qqHHi")  # struct input_event of a 64-bit kernel
EV_KEY, DOWN = 1, 1


@pytest.fixture(scope="module")
def parts():
    return needs.guest()


@pytest.fixture(scope="module")
def initrd(parts, tmp_path_factory):
    path = tmp_path_factory.mktemp("initramfs") / "initrd"
    build_initramfs(
        parts, path, MODULES, if_there=["crc32c_generic"]
    )  # ext4 asks for it by an alias
    return path


def booted(folder, parts, initrd, **more):
    """Not powered on yet."""
    hardware = Hardware(
        arch=parts.arch,
        kernel=parts.kernel,
        initrd=initrd,
        append=f"console=tty0 console={CONSOLES[parts.arch]} panic=-1",
        memory_mib=1024,
        has_shell=True,
        **more,
    )
    return Machine(folder, hardware)


def await_guest(machine):
    machine.wait_for(READY, BOOT_WAIT_S)
    machine.wait_shell(WAIT_S)


def told(machine, command):
    """What a command that has to succeed says."""
    status, output = machine.run(command, WAIT_S)
    assert status == 0, output
    return output.strip()


def wait_for(condition):
    until = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.2)


# --- devices -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def printer_and_cable(tmp_path_factory):
    with usb_printer(tmp_path_factory.mktemp("usb") / "printer") as both:
        yield both


@pytest.fixture(scope="module")
def keyboard(tmp_path_factory):
    with UsbKeyboard(tmp_path_factory.mktemp("usb") / "keyboard", SCANNER) as keyboard:
        yield keyboard


@pytest.fixture(scope="module")
def machine(parts, initrd, tmp_path_factory, printer_and_cable, keyboard):
    _, cable = printer_and_cable
    keyboards = {"first": "KBD01", "second": "KBD02"}
    extra = cable.words("printer") + keyboard.words("keyboard")
    folder = tmp_path_factory.mktemp("machine")
    with booted(folder, parts, initrd, keyboards=keyboards, extra=extra) as machine:
        await_guest(machine)
        yield machine
    assert cable.defects == keyboard.defects == []


@pytest.fixture
def printer(printer_and_cable):
    return printer_and_cable[0]


def test_the_printer_prints_answers_and_goes(machine, printer):
    wait_for(lambda: machine.run("test -c /dev/usb/lp0")[0] == 0)
    assert told(machine, "cat /sys/bus/usb/drivers/usblp/*/../serial") == "PRN00001"
    assert "MDL:TM-T20III" in told(machine, "cat /sys/class/usbmisc/lp0/device/ieee1284_id")
    told(machine, r"printf 'Hello\n\035V\102\000' >/dev/usb/lp0")
    wait_for(lambda: len(printer.papers) == 1)
    assert printer.papers[0].text().startswith("Hello\n")
    answer = "dd bs=64 count=1 <&3 2>/dev/null | hexdump -e '1/1 \"%x\"'"
    ask = rf"{{ printf '\020\004\001' >&3 && {answer}; }} 3<>/dev/usb/lp0"
    assert told(machine, ask) == "12"
    printer.set_fault(Fault.CABLE_OUT)
    wait_for(lambda: machine.run("test -e /dev/usb/lp0")[0] != 0)
    printer.set_fault(Fault.CABLE_OUT, is_on=False)
    wait_for(lambda: machine.run("test -c /dev/usb/lp0")[0] == 0)


def test_a_printer_without_paper_makes_the_writer_wait(machine, printer):
    wait_for(lambda: machine.run("test -c /dev/usb/lp0")[0] == 0)
    printer.set_fault(Fault.NO_PAPER)
    printed = len(printer.papers)
    told(machine, "yes paper | head -n 2000 >/tmp/much; rm -f /tmp/done")
    told(machine, r"(cat /tmp/much >/dev/usb/lp0; printf '\035V\102\000' >/dev/usb/lp0; "
                  "touch /tmp/done) >/dev/null 2>&1 &")  # fmt: skip
    wait_for(lambda: printer.state()["buffered_bytes"] == 4096)
    assert machine.run("test -e /tmp/done")[0] != 0
    printer.load_paper()
    wait_for(lambda: machine.run("test -e /tmp/done")[0] == 0)
    wait_for(lambda: len(printer.papers) > printed)
    assert sum(paper.text().count("paper") for paper in printer.papers) == 2000


def keyboard_nodes(machine):
    """Serial number -> event device."""
    found = told(machine, "for e in /sys/class/input/event*; do "
                 "echo ${e##*/} $(cat $e/device/uniq); done")  # fmt: skip
    pairs = [line.split() for line in found.splitlines()]
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


def listen(machine, *serials):
    """Writes down what they send from now on."""
    wait_for(lambda: set(serials) <= keyboard_nodes(machine).keys())
    for serial in serials:
        node = keyboard_nodes(machine)[serial]
        # It is open before the shell answers, so nothing is missed.
        told(machine, f"{{ cat <&3 >/tmp/{serial} 2>/dev/null & }} 3</dev/input/{node}")


def expect_keys(machine, serial, codes):
    """codes: of input-event-codes.h."""

    def heard():
        data = bytes.fromhex(told(machine, f"hexdump -v -e '1/1 \"%02x\"' /tmp/{serial}"))
        records = [KEY_RECORD.unpack_from(data, at) for at in range(0, len(data) - 23, 24)]
        return [code for _, _, kind, code, value in records if (kind, value) == (EV_KEY, DOWN)]

    wait_for(lambda: len(heard()) >= len(codes))
    assert heard() == codes


def test_each_of_qemus_keyboards_is_its_own(machine):
    listen(machine, "KBD01", "KBD02")
    machine.type("1234567890\n", "first", pause_s=0.05)
    machine.type("qwe\n", "second", pause_s=0.05)
    expect_keys(machine, "KBD01", [*range(2, 12), 28])
    expect_keys(machine, "KBD02", [16, 17, 18, 28])
    machine.unplug("first")
    wait_for(lambda: "KBD01" not in keyboard_nodes(machine))
    machine.type("r", "second")
    expect_keys(machine, "KBD02", [16, 17, 18, 28, 19])
    machine.plug_keyboard("first")
    listen(machine, "KBD01")
    machine.type("7", "first")
    expect_keys(machine, "KBD01", [8])
    told(machine, "killall cat")


def test_our_keyboard_loses_nothing_in_a_guest_that_is_busy(machine, keyboard):
    listen(machine, "SCAN01")
    told(machine, "for n in 1 2 3 4; do (while :; do :; done) >/dev/null 2>&1 & echo $!; done "
                  ">/tmp/busy")  # fmt: skip
    for count in range(1, 6):
        keyboard.type("1234567890" * 4 + "\n")
        expect_keys(machine, "SCAN01", ([*range(2, 12)] * 4 + [28]) * count)
    told(machine, "kill $(cat /tmp/busy)")
    keyboard.unplug()
    wait_for(lambda: "SCAN01" not in keyboard_nodes(machine))
    keyboard.plug()
    listen(machine, "SCAN01")
    keyboard.type("A")
    expect_keys(machine, "SCAN01", [42, 30])


def test_the_network_cable_and_the_screen(machine):
    told(machine, "ifconfig eth0 up")
    for is_up in (True, False, True):
        machine.set_network(is_up)
        wait_for(
            lambda is_up=is_up: told(machine, "cat /sys/class/net/eth0/carrier") == str(+is_up)
        )
    shot = machine.screenshot()
    assert shot.size == (1024, 768)
    assert flat_colour(shot) is None


def test_a_serial_adapter_is_plugged_in(machine):
    machine.qmp("chardev-add", id="wire", backend={"type": "ringbuf", "data": {"size": 4096}})
    machine.plug("usb-serial", "terminal", chardev="wire", serial="TERM01")
    wait_for(lambda: machine.run("test -c /dev/ttyUSB0")[0] == 0)
    told(machine, "stty -F /dev/ttyUSB0 raw -echo 9600 && echo hello >/dev/ttyUSB0")
    wait_for(lambda: "hello" in machine.qmp("ringbuf-read", device="wire", size=4096))
    machine.unplug("terminal")
    wait_for(lambda: machine.run("test -e /dev/ttyUSB0")[0] != 0)


def test_a_guest_that_hangs_is_reset_by_its_watchdog(parts, initrd, tmp_path):
    with booted(tmp_path / "machine", parts, initrd, has_watchdog=True) as machine:
        await_guest(machine)
        told(machine, "watchdog -T 4 -t 1 /dev/watchdog")
        told(machine, "killall -STOP watchdog")
        machine.wait_event("WATCHDOG", WAIT_S)
        machine.wait_event("RESET", WAIT_S)
        await_guest(machine)


# --- power ---------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path):
    needs.program("mke2fs", "e2fsprogs")
    image = tmp_path / "ext4.img"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", image], check=True, timeout=WAIT_S)
    with VolatileDisk(image) as disk:
        yield disk


@pytest.fixture
def boot(parts, initrd, tmp_path, disk):
    """Powers a machine on with what the disk has left."""

    def on(folder):
        disk.power_on()
        return booted(tmp_path / folder, parts, initrd, disk=server.uri)

    with NbdServer(disk, tmp_path / "nbd") as server:
        yield on


def test_a_cut_takes_what_was_not_synced(boot, disk):
    with boot("first") as machine:
        await_guest(machine)
        told(machine, "mount -t ext4 /dev/vda /mnt")
        told(machine, "echo safe >/mnt/safe; sync; dd if=/dev/zero of=/mnt/lost bs=64k count=9")
        disk.cut(random.Random(0), Landed.NOTHING)
        machine.power_off()
    with boot("second") as machine:
        await_guest(machine)
        told(machine, "mount -t ext4 /dev/vda /mnt")
        assert told(machine, "cat /mnt/safe") == "safe"
        assert machine.run("test -s /mnt/lost")[0] != 0


@pytest.mark.parametrize("landed", [Landed.ANY, Landed.TORN])
def test_a_cut_in_the_midst_of_writing_leaves_all_that_was_synced(boot, disk, landed):
    dice = random.Random(1)
    with boot("first") as machine:
        await_guest(machine)
        told(machine, "mount -t ext4 /dev/vda /mnt")
        goal = disk.traffic().writes + 150
        disk.plan(
            Cut(lambda traffic: traffic.writes >= goal, dice, landed, on_cut=machine.power_off)
        )
        console = f"/dev/{CONSOLES[machine.hardware.arch]}"
        synced_line = "dd of=/mnt/lines oflag=append conv=notrunc,fsync"
        told(
            machine,
            f"(n=0; while n=$((n + 1)); echo line $n | {synced_line}; do "
            f"echo synced $n. >{console}; done) >/dev/null 2>&1 &",
        )
        assert disk.wait_cut(WAIT_S)
        machine.wait_off(WAIT_S)
        synced = [int(n) for n in re.findall(r"synced (\d+)\.", machine.serial_tail(1 << 20))]
        assert synced
    with boot("second") as machine:
        await_guest(machine)
        told(machine, "mount -t ext4 /dev/vda /mnt")
        lines = told(machine, "cat /mnt/lines").splitlines()
    assert lines[: len(synced)] == [f"line {n}" for n in synced]
