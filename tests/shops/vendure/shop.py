"""A real Vendure on loopback: installed once under build/, started in a temporary folder.

Orders are made through its own shop API, by customers, with its own promotions and taxes; what the
office does goes through its Admin API; and its database is the oracle.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import httpx

from appliance.protocols.shopapi import badge_hash
from tests.children import TIED, unmeasured
from tests.rig import free_port, until

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PLUGIN = ROOT / "docs/shops/vendure-plugin"
INSTALLED = ROOT / "build/vendure"
NODE_AT_LEAST = 18  # Debian 12 has it
INSTALL_S, START_S = 900, 180
SALT, ITERATIONS = "vendure-salt", 1000
BADGE = "KS-1001-7XQ2"
# Not UTC, and beyond any zone that shares UTC's day for most of it.
TIME_ZONE = "Pacific/Auckland"


def missing() -> str:
    """Why a real Vendure cannot be had here, or ""."""
    for name in ("node", "npm"):
        if not shutil.which(name):
            return f"{name} is not here; tools/setup.sh test installs it"
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(said.strip().removeprefix("v").split(".")[0]) < NODE_AT_LEAST:
        return f"node {said.strip()} is too old: Vendure needs {NODE_AT_LEAST}"
    return ""


def install() -> Path:
    """Vendure's packages by the lock file, unless they are there."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    stamp, lock = INSTALLED / "stamp", (HERE / "package-lock.json").read_text()
    with (INSTALLED / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # two test processes may want it
        for name in ("package.json", "package-lock.json", "server.js"):
            shutil.copy(HERE / name, INSTALLED / name)
        if not stamp.exists() or stamp.read_text() != lock:
            subprocess.run(
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
                cwd=INSTALLED, check=True, timeout=INSTALL_S, capture_output=True, text=True,
            )  # fmt: skip
            stamp.write_text(lock)
    return INSTALLED


class VendureShop:
    """Used as a context. plugin: with the Kassa plugin."""

    def __init__(self, folder: Path, *, plugin: bool, session: str = "1d") -> None:
        self.folder, self.plugin, self._session = folder, plugin, session
        self.url = f"http://127.0.0.1:{free_port()}"
        self._control = f"http://127.0.0.1:{free_port()}"
        self._client = httpx.Client(timeout=60, trust_env=False)
        self._admin = ""
        self._numbers: dict[str, str] = {}
        self.variants: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        installed = install()
        self.folder.mkdir(parents=True, exist_ok=True)
        row = {"id": "s-1001", "name": "Anna", "badge_hash": badge_hash(BADGE, SALT, ITERATIONS)}
        sellers = {"salt": SALT, "iterations": ITERATIONS, "sellers": [row]}
        (self.folder / "sellers.json").write_text(json.dumps(sellers))
        plugin = str(PLUGIN) if self.plugin else ""
        words = [*TIED, "node", "server.js", str(self.folder), plugin]
        words += [self.url.rpartition(":")[2], self._control.rpartition(":")[2]]
        environment = unmeasured() | {"TZ": TIME_ZONE, "SESSION_DURATION": self._session}
        with (self.folder / "shop.log").open("wb") as log:
            self.process = subprocess.Popen(
                words, cwd=installed, stdout=log, stderr=log, stdin=subprocess.PIPE,
                env=environment | {"NODE_ENV": "production"},
            )  # fmt: skip
        try:
            until(self._is_ready, "Vendure is ready", START_S)
            self._sign_in()
            self._seed()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        if self.process is not None:
            with self.process:
                self.process.kill()

    def _is_ready(self) -> bool:
        log = (self.folder / "shop.log").read_text()
        assert self.process is not None
        assert self.process.poll() is None, log[-4000:]
        return "\nready\n" in f"\n{log}"

    # --- the oracle -----------------------------------------------------------------------------

    def sql(self, query: str, *values: object) -> list[dict[str, Any]]:
        answer = self._client.post(self._control, json={"sql": query, "params": values})
        assert answer.status_code == 200, answer.text
        rows = answer.json()
        assert isinstance(rows, list)
        return rows

    def sql_many(self, statements: Sequence[tuple[str, Sequence[object]]]) -> None:
        answer = self._client.post(self._control, json={"many": statements}, timeout=600)
        assert answer.status_code == 200, answer.text

    def requests(self) -> int:
        """How many requests both APIs have answered."""
        answer = self._client.post(self._control, json={"count": True})
        return int(answer.json()["requests"])

    def payments(self, order_id: str) -> list[dict[str, Any]]:
        rows = self.sql("SELECT * FROM payment WHERE orderId = ? ORDER BY id", order_id)
        return [row | {"metadata": json.loads(row["metadata"])} for row in rows]

    def notes(self, order_id: str) -> list[str]:
        rows = self.sql(
            "SELECT data FROM history_entry WHERE orderId = ? AND type = 'ORDER_NOTE' ORDER BY id",
            order_id,
        )
        return [json.loads(row["data"])["note"] for row in rows]

    def state(self, order_id: str) -> str:
        (row,) = self.sql('SELECT state FROM "order" WHERE id = ?', order_id)
        return str(row["state"])

    def fulfilments(self, order_id: str) -> list[dict[str, Any]]:
        return self.sql(
            "SELECT f.* FROM fulfillment f JOIN order_fulfillments_fulfillment l"
            " ON l.fulfillmentId = f.id WHERE l.orderId = ?",
            order_id,
        )

    def advance(self, seconds: float) -> None:
        """All that is timed by the shop's clock becomes so much older."""
        if self.plugin:
            self.sql("UPDATE kassa_claim SET until = until - ?", int(seconds * 1000))
        rows = self.sql("SELECT id, data FROM history_entry WHERE data LIKE '%until_s%'")
        for row in rows:
            data = json.loads(row["data"])
            data["note"] = re.sub(
                r'"until_s":(\d+)',
                lambda found: f'"until_s":{int(found[1]) - int(seconds)}',
                data["note"],
            )
            self.sql("UPDATE history_entry SET data = ? WHERE id = ?", json.dumps(data), row["id"])

    def end_sessions(self) -> None:
        """Of the counters, as the time would."""
        self.sql("UPDATE session SET expires = datetime('now', '-1 day') WHERE userId != 1")
        time.sleep(1.1)  # for as long Vendure keeps sessions in memory here

    # --- GraphQL --------------------------------------------------------------------------------

    def ask(self, api: str, query: str, token: str = "", **variables: Any) -> tuple[Any, str]:
        """The data, and the session's token. Raises AssertionError for any error in it."""
        answer = self._client.post(
            f"{self.url}/{api}-api",
            json={"query": query, "variables": variables},
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )
        found = answer.json()
        assert not found.get("errors"), found
        for result in found["data"].values():
            assert not isinstance(result, dict) or "errorCode" not in result, result
        return found["data"], answer.headers.get("vendure-auth-token", token)

    def admin(self, query: str, **variables: Any) -> Any:
        return self.ask("admin", query, self._admin, **variables)[0]

    def _sign_in(self) -> None:
        login = 'mutation{login(username:"superadmin",password:"superadmin-of-a-test"){__typename}}'
        self._admin = self.ask("admin", login)[1]

    # --- the shop's own set-up ------------------------------------------------------------------

    def _seed(self) -> None:
        (channel,) = self.admin("{channels{items{id}}}")["channels"]["items"]
        self.admin(
            "mutation($i:UpdateChannelInput!){updateChannel(input:$i)"
            "{... on Channel{id} ... on ErrorResult{errorCode message}}}",
            i={
                "id": channel["id"], "defaultCurrencyCode": "EUR",
                "availableCurrencyCodes": ["EUR"],
            },
        )  # fmt: skip
        taxes = self.admin("{taxCategories{items{id name}}}")["taxCategories"]["items"]
        tax = {row["name"].split()[0]: row["id"] for row in taxes}
        for sku, name, price, category in [
            ("MUG", "Mug, blue", 333, "Standard"),
            ("TEA", "Tea, 100 g", 417, "Reduced"),
            ("KETTLE", "Kettle", 4201, "Standard"),
        ]:
            product = self.admin(
                "mutation($i: CreateProductInput!){createProduct(input:$i){id}}",
                i={"translations": [
                    {"languageCode": "en", "name": name, "slug": sku.lower(), "description": ""}
                ]},
            )["createProduct"]["id"]  # fmt: skip
            made = self.admin(
                "mutation($i: [CreateProductVariantInput!]!){createProductVariants(input:$i){id}}",
                i=[{
                    "productId": product, "sku": sku, "price": price, "stockOnHand": 100000,
                    "taxCategoryId": tax[category],
                    "translations": [{"languageCode": "en", "name": name}],
                }],
            )["createProductVariants"]  # fmt: skip
            self.variants[sku] = made[0]["id"]
        self.admin(
            "mutation($i: CreatePromotionInput!){createPromotion(input:$i)"
            "{... on Promotion {id} ... on ErrorResult {errorCode message}}}",
            i={
                "enabled": True,
                "translations": [
                    {"languageCode": "en", "name": "7 % off from 40", "description": ""}
                ],
                "conditions": [{"code": "minimum_order_amount", "arguments": [
                    {"name": "amount", "value": "4000"},
                    {"name": "taxInclusive", "value": "true"},
                ]}],
                "actions": [{"code": "order_percentage_discount", "arguments": [
                    {"name": "discount", "value": "7"},
                ]}],
            },
        )  # fmt: skip
        role = self.admin(
            "mutation($i: CreateRoleInput!){createRole(input:$i){id}}",
            i={
                "code": "counter", "description": "Kassa counter",
                "permissions": ["ReadOrder", "UpdateOrder"],
            },
        )["createRole"]["id"]  # fmt: skip
        for number in range(1, 11):
            self.admin(
                "mutation($i: CreateAdministratorInput!){createAdministrator(input:$i){id}}",
                i={
                    "firstName": "Counter", "lastName": str(number), "roleIds": [role],
                    "emailAddress": f"mitte-{number}", "password": f"secret-{number}",
                },
            )  # fmt: skip

    # --- customers ------------------------------------------------------------------------------

    def place(
        self,
        *,
        lines: Sequence[tuple[str, int]] = (("MUG", 3), ("TEA", 1)),
        pickup_point: str = "mitte",
        method: str = "pickup-mitte",
        payment: str = "pay-on-pickup",
        first_name: str = "Ada",
    ) -> str:
        """A customer orders through the shop API; the order's id."""
        token = ""

        def shop(query: str, **variables: Any) -> Any:
            nonlocal token
            data, token = self.ask("shop", query, token, **variables)
            return data

        errors = "... on ErrorResult{errorCode message}"
        for sku, quantity in lines:
            shop(
                "mutation($v:ID!,$q:Int!){addItemToOrder(productVariantId:$v,quantity:$q)"
                f"{{... on Order{{id}} {errors}}}}}",
                v=self.variants[sku], q=quantity,
            )  # fmt: skip
        shop(
            f"mutation($i:CreateCustomerInput!){{setCustomerForOrder(input:$i)"
            f"{{... on Order{{id}} {errors}}}}}",
            i={"firstName": first_name, "lastName": "L.", "emailAddress": "ada@example.org"},
        )
        shop(
            f"mutation($i:CreateAddressInput!){{setOrderShippingAddress(input:$i)"
            f"{{... on Order{{id}} {errors}}}}}",
            i={"streetLine1": "Lindenstrasse 20", "countryCode": "DE"},
        )
        methods = shop("{eligibleShippingMethods{id code}}")["eligibleShippingMethods"]
        (chosen,) = [row["id"] for row in methods if row["code"] == method]
        shop(
            f"mutation($m:[ID!]!){{setOrderShippingMethod(shippingMethodId:$m)"
            f"{{... on Order{{id}} {errors}}}}}",
            m=[chosen],
        )
        shop(
            f"mutation($i:UpdateOrderInput!){{setOrderCustomFields(input:$i)"
            f"{{... on Order{{id}} {errors}}}}}",
            i={"customFields": {"pickupPoint": pickup_point}},
        )
        shop(
            'mutation{transitionOrderToState(state:"ArrangingPayment")'
            f"{{... on Order{{id}} {errors}}}}}"
        )
        placed = shop(
            f"mutation($i:PaymentInput!){{addPaymentToOrder(input:$i)"
            f"{{... on Order{{id code}} {errors}}}}}",
            i={"method": payment, "metadata": {}},
        )["addPaymentToOrder"]
        self._numbers[placed["id"]] = placed["code"]
        return str(placed["id"])

    def number(self, order_id: str) -> str:
        return self._numbers[order_id]

    # --- the office -----------------------------------------------------------------------------

    def cancel(self, order_id: str) -> None:
        self.admin(
            "mutation($i:CancelOrderInput!){cancelOrder(input:$i)"
            "{... on Order{id} ... on ErrorResult{errorCode message}}}",
            i={"orderId": order_id, "cancelShipping": True, "reason": "asked"},
        )

    def move(self, order_id: str, state: str) -> None:
        self.admin(
            "mutation($id:ID!,$s:String!){transitionOrderToState(id:$id,state:$s)"
            "{... on Order{id} ... on ErrorResult{errorCode message}}}",
            id=order_id, s=state,
        )  # fmt: skip

    def add_item(self, order_id: str, sku: str = "MUG") -> None:
        """The order is modified: more is due than was promised."""
        self.move(order_id, "Modifying")
        self.admin(
            "mutation($i:ModifyOrderInput!){modifyOrder(input:$i)"
            "{... on Order{id} ... on ErrorResult{errorCode message}}}",
            i={
                "dryRun": False, "orderId": order_id,
                "addItems": [{"productVariantId": self.variants[sku], "quantity": 1}],
            },
        )  # fmt: skip
        self.move(order_id, "ArrangingAdditionalPayment")

    def settle(self, order_id: str) -> None:
        """What was promised is paid by another way, such as a transfer."""
        for row in self.payments(order_id):
            if row["state"] == "Authorized":
                self.admin(
                    "mutation($id:ID!){settlePayment(id:$id)"
                    "{... on Payment{id} ... on ErrorResult{errorCode message}}}",
                    id=str(row["id"]),
                )

    def refund(self, order_id: str, amount: int) -> str:
        """Pay back a part of what was settled; the error code, or ""."""
        (payment,) = [row for row in self.payments(order_id) if row["state"] == "Settled"]
        data = self._client.post(
            f"{self.url}/admin-api",
            headers={"Authorization": f"Bearer {self._admin}"},
            json={
                "query": "mutation($i:RefundOrderInput!){refundOrder(input:$i)"
                "{... on Refund{id state} ... on ErrorResult{errorCode message}}}",
                "variables": {"i": {
                    "amount": amount, "paymentId": str(payment["id"]),
                    "lines": [], "shipping": 0, "adjustment": 0,
                }},
            },
        ).json()["data"]["refundOrder"]  # fmt: skip
        return str(data.get("errorCode", ""))


def wait_for_second() -> None:
    """Return at the beginning of a second, so that two things done now happen in one."""
    time.sleep(1.0 - time.time() % 1.0)
