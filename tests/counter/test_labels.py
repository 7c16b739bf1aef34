"""Order labels: what a scanner reads from the sheet and from the receipt printer."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from appliance.cli import main
from appliance.counter import labels
from appliance.counter.instance import lock
from appliance.domain.errors import Code, OrderTrouble
from appliance.domain.order import Order
from appliance.protocols.shopapi import order_from_json
from appliance.simulators import paper_drawing
from appliance.simulators.escpos_printer import papers_of
from appliance.simulators.woocommerce import FakeWoo
from appliance.simulators.woocommerce.samples import MITTE, fill
from tests.drivers.far_shop import ORDER
from tests.rig import Rig

DOTS_A_MM = 12


@pytest.fixture
def order() -> Order:
    return order_from_json(ORDER)


def drawn(data: bytes) -> list[Image.Image]:
    """The boxes of each page, by an interpreter of their one operator."""
    pages = []
    for stream in re.findall(rb"stream\n(.*?)\nendstream", data, re.S):
        image = Image.new("L", (210 * DOTS_A_MM, 297 * DOTS_A_MM), 255)
        canvas = ImageDraw.Draw(image)
        scale = DOTS_A_MM * 25.4 / 72
        for found in re.findall(
            rb"^([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) re f$", zlib.decompress(stream), re.M
        ):
            x, y, width, height = (float(number) * scale for number in found)
            top = image.height - y - height
            canvas.rectangle(
                (round(x), round(top), round(x + width) - 1, round(top + height) - 1), fill=0
            )
        pages.append(image)
    return pages


def read(image: Image.Image) -> list[tuple[str, str]]:
    found = [(each.text, each.format.name) for each in zxingcpp.read_barcodes(image)]
    return sorted(found)


def test_a_sheet_is_read_by_a_scanner(order: Order) -> None:
    orders = [replace(order, codes=(code,)) for code in ("NL-10001", "77", "заказ 5")]
    (page,) = drawn(labels.sheet(orders))
    assert read(page) == sorted(
        [
            ("NL-10001", "Code128"),
            ("NL-10001", "QRCode"),
            ("77", "Code128"),
            ("77", "QRCode"),
            ("заказ 5", "QRCode"),
        ]
    )


def test_a_code_that_is_too_long_for_bars_is_a_qr_code(order: Order) -> None:
    (page,) = drawn(labels.sheet([replace(order, codes=("X" * 40,))]))
    assert read(page) == [("X" * 40, "QRCode")]


def test_an_order_without_codes_has_its_number(order: Order) -> None:
    assert labels.code_of(replace(order, codes=(), number="4711")) == "4711"


def test_more_than_a_sheet(order: Order) -> None:
    pages = drawn(labels.sheet([replace(order, codes=(str(n),)) for n in range(100, 125)]))
    assert len(pages) == 2
    assert read(pages[1]) == [("124", "Code128"), ("124", "QRCode")]
    assert len(read(pages[0])) == 48


def test_no_orders_no_sheet() -> None:
    with pytest.raises(OrderTrouble):
        labels.sheet([])


# --- the command ------------------------------------------------------------------------------


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path) as made:
        made.data.mkdir()
        yield made


def run(rig: Rig, *words: str) -> int:
    return main(["shop", "labels", "--config", str(rig.config_file), *words])


def test_into_files(rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet, bytes_ = tmp_path / "labels.pdf", tmp_path / "labels.bin"
    assert run(rig, "--pdf", str(sheet), "--escpos", str(bytes_)) == 0
    count = int(capsys.readouterr().out.split()[0])
    assert count == 12
    (page,) = drawn(sheet.read_bytes())
    assert {text for text, _ in read(page)} >= {"NL-10001", "NL-10002"}
    papers, defects = papers_of(bytes_.read_bytes(), "epson-tm-80")
    assert defects == []
    assert len(papers) == count
    printed = Image.open(io.BytesIO(paper_drawing.png(papers[0])))
    assert ("NL-10001", "QRCode") in read(printed)
    assert ("NL-10001", "Code128") in read(printed)


def test_on_the_printer(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(rig, "10002") == 0
    assert capsys.readouterr().out == "1 labels\n"
    (paper,) = rig.printer.papers
    assert "10002" in paper.text()


def test_the_printer_is_the_kiosks_while_it_runs(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    with lock(rig.config()):
        assert run(rig) == 69
    assert Code.SECOND_INSTANCE in capsys.readouterr().err
    assert rig.printer.papers == []


def test_what_cannot_be(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(rig, "no-such") == 69
    assert Code.ORDER_UNKNOWN in capsys.readouterr().err
    assert run(rig, "--pdf", "/no/such/folder/x.pdf") == 66
    assert "/no/such/folder/x.pdf" in capsys.readouterr().err


def test_of_a_woocommerce_shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeWoo() as fake, Rig(tmp_path) as rig:
        text = rig.config_file.read_text()
        shop = (
            f'[shop]\nkind = "woocommerce"\nurl = "{fake.url}"\n'
            f'token = "ck_mitte1:cs_mitte1"\npickup_point = "{MITTE}"\n'
        )
        rig.config_file.write_text(re.sub(r"\[shop\]\n(?:[a-z].*\n)+", shop, text))
        assert run(rig, "--pdf", str(tmp_path / "x.pdf")) == 69, "nothing is open"
        fill(fake.store)
        assert run(rig, "--pdf", str(tmp_path / "x.pdf")) == 0
    assert "4 labels" in capsys.readouterr().out
    (page,) = drawn((tmp_path / "x.pdf").read_bytes())
    assert {text for text, _ in read(page)} == {"13", "14", "15", "16"}
