"""What docs/shops/woocommerce-plugin answers, in the fake. tests/contract/woocommerce_plugin.py
asks both the same."""

from __future__ import annotations

import re
from typing import Any, Final

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from appliance.simulators.woocommerce.store import WooStore

MOST_FACTS: Final = 50
LONGEST_LEASE_S: Final = 7200
_WORD: Final = re.compile(r"[^\x00-\x1f\x7f]{1,80}\Z")


class _Bad(Exception):
    """A request that cannot be read; its text names the parameter."""


def routes(store: WooStore) -> Blueprint:
    blueprint = Blueprint("kassa", __name__)

    @blueprint.errorhandler(_Bad)
    def bad(error: _Bad) -> ResponseReturnValue:
        return jsonify(code="kassa_invalid", message=str(error), data={"status": 400}), 400

    @blueprint.put("/orders/<int:order_id>/claim")
    def claim(order_id: int) -> ResponseReturnValue:
        kiosk, claim_id = _word("kiosk"), _word("claim_id")
        lease_s = _body().get("lease_s")
        if type(lease_s) is not int or not 1 <= lease_s <= LONGEST_LEASE_S:
            raise _Bad("lease_s")
        now = store.now()
        with store.db() as db:
            taken = db.execute(
                "INSERT INTO kassa_claims (order_id, claim_id, kiosk, until_s) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (order_id) DO UPDATE SET claim_id = excluded.claim_id,"
                " kiosk = excluded.kiosk, until_s = excluded.until_s"
                " WHERE claim_id = '' OR (claim_id = excluded.claim_id AND kiosk = excluded.kiosk)"
                " OR (until_s <= ? AND payment = '')",
                (order_id, claim_id, kiosk, now + lease_s, now),
            )
            row = db.execute(
                "SELECT kiosk FROM kassa_claims WHERE order_id = ?", (order_id,)
            ).fetchone()
        if not taken.rowcount:
            return jsonify(granted=False, lease_s=0, holder=row["kiosk"]), 409
        return jsonify(granted=True, lease_s=lease_s, holder=kiosk)

    @blueprint.delete("/orders/<int:order_id>/claim")
    def release(order_id: int) -> ResponseReturnValue:
        kiosk, claim_id = _word("kiosk", request.args), _word("claim_id", request.args)
        with store.db() as db:
            db.execute(
                "UPDATE kassa_claims SET claim_id = '', payment = ''"
                " WHERE order_id = ? AND claim_id = ? AND kiosk = ?",
                (order_id, claim_id, kiosk),
            )
        return jsonify(released=True)

    @blueprint.put("/orders/<int:order_id>/payment")
    def payment(order_id: int) -> ResponseReturnValue:
        kiosk, claim_id, name = _word("kiosk"), _word("claim_id"), _word("payment")
        is_open = _body().get("open")
        if not isinstance(is_open, bool):
            raise _Bad("open")
        with store.db() as db:
            if is_open:
                db.execute(
                    "INSERT INTO kassa_claims VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT (order_id) DO UPDATE SET payment = excluded.payment",
                    (order_id, claim_id, kiosk, store.now(), name),
                )
            else:
                db.execute(
                    "UPDATE kassa_claims SET payment = '' WHERE order_id = ? AND payment = ?",
                    (order_id, name),
                )
        return jsonify(open=is_open)

    @blueprint.get("/facts")
    def known() -> ResponseReturnValue:
        kiosk, after = _word("kiosk", request.args), request.args.get("after", "")
        ids = [each for each in request.args.get("ids", "").split(",") if each][: MOST_FACTS + 1]
        if len(ids) > MOST_FACTS:
            raise _Bad("ids")
        with store.db() as db:
            mine = "SELECT id FROM kassa_facts WHERE kiosk = ?"
            newest = db.execute(f"{mine} ORDER BY seq DESC LIMIT 1", (kiosk,)).fetchone()
            has_after = db.execute(f"{mine} AND id = ?", (kiosk, after)).fetchone()
            found = [
                each
                for each in ids
                if db.execute("SELECT 1 FROM kassa_facts WHERE id = ?", (each,)).fetchone()
            ]
        return jsonify(
            newest=newest["id"] if newest else "", has_after=has_after is not None, known=found
        )

    @blueprint.post("/facts")
    def keep() -> ResponseReturnValue:
        kiosk, facts = _word("kiosk"), _body().get("facts")
        if not isinstance(facts, list) or not 1 <= len(facts) <= MOST_FACTS:
            raise _Bad("facts")
        rows = []
        for fact in facts:
            if not isinstance(fact, dict):
                raise _Bad("facts")
            order = fact.get("order", "")
            if not isinstance(order, str) or len(order) > 80:
                raise _Bad("facts")
            rows.append((_word("id", fact), kiosk, _word("kind", fact), order))
        with store.db() as db:
            for row in rows:
                db.execute(
                    "INSERT OR IGNORE INTO kassa_facts (id, kiosk, kind, order_id)"
                    " VALUES (?, ?, ?, ?)",
                    row,
                )
        return jsonify(accepted=len(rows))

    return blueprint


def _body() -> dict[str, Any]:
    body = request.get_json(force=True, silent=True)
    return body if isinstance(body, dict) else {}


def _word(name: str, source: Any = None) -> str:
    value = (_body() if source is None else source).get(name)
    if not isinstance(value, str) or not _WORD.match(value):
        raise _Bad(name)
    return value
