"""Links on the box itself: the shop's page in the kiosk's browser, and devices in its network."""

from __future__ import annotations

import json
import secrets
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import zxingcpp

from appliance.protocols.links import kassa, signing
from appliance.protocols.links.codes import Name
from appliance.protocols.links.messages import Act, Callbacks, Link, Outcome
from appliance.protocols.links.signing import Stamp
from tests.e2e.test_link_chain import KEYS, KIOSK, SHOP, ShopPage
from tests.image.booted.kiosk import HOST, SOON_S, Kiosk, Outside, Parts
from tests.image.booted.tls import certificate
from tests.image.hardware import SCREEN_PIXELS, USB_BUS

pytestmark = [pytest.mark.timeout(1800)]

LISTENS = 8143
NAME = "counter.test"
RENDERERS = "pgrep -c -u kassa-screen -f '[-]-type=renderer'"
ABSOLUTE = 0x7FFF  # QEMU's axes end here, whatever the screen
SETTLE_S = 20.0
REFUSED_S = 5.0
SHOW = """python3 - <<'END'
import socket
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"{}", "/run/kassa-screen/kassa-show")
END"""


@pytest.fixture(scope="module")
def shop_page() -> Iterator[ShopPage]:
    page = ShopPage()
    yield page
    page.stop()


@pytest.fixture(scope="module")
def other_page() -> Iterator[ShopPage]:
    """Of somebody else, at another port."""
    page = ShopPage()
    yield page
    page.stop()


def origin(page: ShopPage) -> str:
    """As the guest knows it."""
    return f"http://{HOST}:{page.port}"


@pytest.fixture(scope="module")
def kiosk(
    parts: Parts, shop_page: ShopPage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kiosk]:
    links = (
        f'[links]\naccept = "signed"\nkeys = {json.dumps(KEYS)}\nsign_with = "kiosk"\n'
        f'return_to = ["{origin(shop_page)}"]\npages = ["{origin(shop_page)}"]\n'
        f'listen = "0.0.0.0:{LISTENS}"\npublic_url = "https://{NAME}:{LISTENS}"\n'
    )
    folder = tmp_path_factory.mktemp("links")
    with (
        Outside(folder, parts, links) as outside,
        Kiosk(outside, listens=(LISTENS,)) as found,
    ):
        found.wait_up()
        found.wait_well()
        found.wait_drawn()
        found.machine.plug("usb-tablet", "finger", bus=USB_BUS)
        time.sleep(SETTLE_S)  # until the compositor has it
        yield found


def link(outside: Outside, back: str, nonce: str) -> tuple[str, str]:
    """A signed one for a new order; its number."""
    number = outside.shop.store.add_random_order("mitte")
    callbacks = Callbacks(*[f"{back}?{{response}}"] * 3) if back else Callbacks()
    asked = Link(Name.KASSA, Act.SELL, number, "", callbacks=callbacks)
    return kassa.build(asked, Stamp(SHOP, nonce, int(time.time()) + 3600)), number


def tap(kiosk: Kiosk, x: int, y: int) -> None:
    """A finger on the screen, in its pixels."""
    for axis, at, size in zip(("x", "y"), (x, y), SCREEN_PIXELS, strict=True):
        event = {"type": "abs", "data": {"axis": axis, "value": at * ABSOLUTE // size}}
        kiosk.machine.qmp("input-send-event", events=[event])
    for is_down in (True, False):
        event = {"type": "btn", "data": {"button": "left", "down": is_down}}
        kiosk.machine.qmp("input-send-event", events=[event])


def tap_page(kiosk: Kiosk, page: ShopPage, at: str) -> tuple[str, str]:
    """A person taps the link on the shop's page, which is at this origin: the number of the new
    order that is charged then, and the link's nonce."""
    nonce = secrets.token_urlsafe(16)
    address, number = link(kiosk.outside, f"{at}/paid", nonce)
    page.link = address.replace("&", "&amp;")
    kiosk.ssh(SHOW.format(f"{at}/"))
    kiosk.until(lambda: page.seen, "the shop's page is asked for")
    time.sleep(SETTLE_S)
    kiosk.screenshot("shop")
    tap(kiosk, *(pixels // 2 for pixels in SCREEN_PIXELS))
    kiosk.wait_page("charging")
    return number, nonce


def pay(kiosk: Kiosk) -> None:
    terminal = kiosk.outside.terminal
    terminal.wait_for(lambda state: state["waits_for"] == "card", SOON_S)
    terminal.tap()
    kiosk.wait_page("hand_over")
    kiosk.scan_to("KASSA-CONFIRM", "idle")


def only_one_page(kiosk: Kiosk) -> None:
    """The one before ends with its window, soon."""
    kiosk.until(lambda: kiosk.ssh(RENDERERS).strip() == "1", "one page")


def is_paid(query: str, number: str, nonce: str) -> None:
    result, reference, seal = kassa.parse_result(f"kassa-api://paymentResult?{query}")
    assert (result.outcome, result.order, reference) == (Outcome.PAID, number, nonce)
    assert seal is not None
    assert signing.verify(KIOSK, seal.text, seal.signature)


def test_the_policies_name_the_shops_page_and_no_other(kiosk: Kiosk, shop_page: ShopPage) -> None:
    policy = json.loads(kiosk.ssh("cat /etc/chromium/policies/managed/kassa.pages.json"))
    assert origin(shop_page) in policy["URLAllowlist"]
    assert not [each for each in policy["URLAllowlist"] if HOST in each][1:]


def test_from_the_shops_page_to_the_shops_result(kiosk: Kiosk, shop_page: ShopPage) -> None:
    """In the one browser of the kiosk: our handler is started without a question, and each page
    takes the place of the one before."""
    before = kiosk.outside.bank.balance()
    number, nonce = tap_page(kiosk, shop_page, origin(shop_page))
    kiosk.wait_drawn()
    kiosk.screenshot("charging")
    only_one_page(kiosk)
    pay(kiosk)
    kiosk.until(lambda: shop_page.results, "the browser is at the shop's page with the result")
    [query] = shop_page.results
    is_paid(query, number, nonce)
    [booked] = kiosk.outside.bank.bookings()
    assert kiosk.outside.bank.balance() - before == booked.amount
    only_one_page(kiosk)


def test_a_page_of_the_shops_that_crashes_gives_way_to_the_counters(kiosk: Kiosk) -> None:
    kiosk.until(lambda: kiosk.health().get("browser_page") == "elsewhere", "the shop's page")
    kiosk.ssh("pkill -9 -u kassa-screen -f '[-]-type=renderer'")
    kiosk.until(lambda: kiosk.health().get("browser_page") != "elsewhere", "the counter's page")
    kiosk.wait_drawn()


def test_no_other_page_is_shown(kiosk: Kiosk, other_page: ShopPage) -> None:
    """Even where the session is asked for it: its policies do not let the browser."""
    kiosk.ssh(SHOW.format(f"{origin(other_page)}/"))
    time.sleep(SETTLE_S)
    kiosk.screenshot("other")
    assert other_page.seen == []
    kiosk.ssh(SHOW.format("http://127.0.0.1:8100/"))
    kiosk.wait_drawn()
    kiosk.until(lambda: kiosk.health().get("browser_page") != "elsewhere", "the counter's page")


# --- devices in the shop's network ------------------------------------------------------------


def ask(
    kiosk: Kiosk, method: str, path: str, body: Any = None, token: str = ""
) -> tuple[int, bytes]:
    """As a program on a device does: the status, and what is told. The certificate is the kiosk's
    own."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = kiosk.ports[LISTENS]
    connection = HTTPSConnection("127.0.0.1", port, timeout=SOON_S, context=context)
    headers = {"Host": f"{NAME}:{LISTENS}", "Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    with closing(connection):
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_nobody_reaches_the_listener_whose_network_is_not_named(kiosk: Kiosk) -> None:
    listens = f"systemctl is-active kassa-links && ss -Hltn 'sport = {LISTENS}' | grep -q ."
    kiosk.until(lambda: kiosk.status(listens) == 0, "the listener listens")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = kiosk.ports[LISTENS]
    stranger = HTTPSConnection("127.0.0.1", port, timeout=REFUSED_S, context=context)
    with closing(stranger), pytest.raises(TimeoutError):  # dropped, not refused
        stranger.request("GET", "/")
    kiosk.ssh(
        f"echo 'add element inet kassa links_v4 {{ {HOST} }}' >/etc/kassa/firewall.d/links.nft"
        " && systemctl restart kassa-firewall"
    )
    kiosk.until(lambda: ask(kiosk, "GET", "/")[0] == 200, "the listener answers")


def test_a_device_is_paired_by_the_code_on_the_screen_and_sells(kiosk: Kiosk) -> None:
    assert ask(kiosk, "GET", "/me", token="x" * 43)[0] == 401
    kiosk.scan_to("KASSA-PAIR", "pairing")
    found = kiosk.until(
        lambda: zxingcpp.read_barcodes(kiosk.screenshot("pairing")), "a code on the screen"
    )
    address, _, code = found[0].text.partition("#")
    assert address == f"https://{NAME}:{LISTENS}/pair"
    status, told = ask(kiosk, "POST", "/pair", {"code": code, "name": "till", "bearer": True})
    assert status == 200
    token = json.loads(told)["token"]
    kiosk.wait_page("idle")
    nonce = secrets.token_urlsafe(16)
    text, number = link(kiosk.outside, "", nonce)
    status, told = ask(kiosk, "POST", "/link", {"link": text}, token)
    assert status == 200
    pay(kiosk)
    asked = json.loads(told)["id"]

    def outcome() -> Any:
        return json.loads(ask(kiosk, "GET", f"/link/{asked}", token=token)[1])["outcome"]

    assert kiosk.until(outcome, "the result") == "paid"
    assert number not in [row["number"] for row in kiosk.outside.open_orders()]


def test_what_listens_is_what_the_documentation_names(kiosk: Kiosk) -> None:
    lines = kiosk.ssh("ss -Hltn").splitlines()
    ports = {line.split()[3].rpartition(":")[2] for line in lines}
    assert ports == {"22", "8100", str(LISTENS)}
    documented = (Path(__file__).parents[3] / "docs/image.md").read_text()
    assert all(port in documented for port in ports)


def test_an_owners_certificate_is_what_devices_see(kiosk: Kiosk) -> None:
    """Last: the counter starts anew for it."""
    folder = kiosk.outside.folder / "owner"
    folder.mkdir()
    crt, key = certificate(folder, HOST)
    for file, name in ((crt, "links-cert"), (key, "links-key")):
        kiosk.put(file, f"/etc/kassa/credentials/{name}")
    given = "/run/credentials/kassa-links.service"
    files = f'cert_file = "{given}/links-cert"\\nkey_file = "{given}/links-key"'
    kiosk.ssh(
        "chmod 600 /etc/kassa/credentials/links-*"
        f" && sed -i 's|^\\[links\\]$|[links]\\n{files}|' /etc/kassa/kassa.toml"
        " && systemctl restart kassa kassa-links"
    )
    wanted = ssl.PEM_cert_to_DER_cert(crt.read_text())

    def is_it() -> bool:
        try:
            shown = ssl.get_server_certificate(("127.0.0.1", kiosk.ports[LISTENS]), timeout=SOON_S)
        except OSError:
            return False  # not yet
        return ssl.PEM_cert_to_DER_cert(shown) == wanted

    kiosk.until(is_it, "the owner's certificate is shown")
    assert ask(kiosk, "GET", "/")[0] == 200
