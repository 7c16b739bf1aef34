"""What is asked of Vendure: GraphQL documents, and the message that carries one.

Only the fields that the counter needs. `%(pickup)s` and `%(shipping)s` are what says which pickup
point an order is for: a field that a shop does not have makes it refuse the whole document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from appliance.protocols.shopapi.strict import write_json

_FIELD: Final = re.compile(r"field:([A-Za-z][A-Za-z0-9_]{0,40})\Z")


@dataclass(frozen=True, slots=True)
class PickupBy:
    """How an order says which pickup point it is for: by a custom field of the order, or, where
    field is "", by the code of its shipping method."""

    field: str = ""

    @classmethod
    def parse(cls, text: str) -> PickupBy:
        """ "field:NAME" or "shipping-method". Raises ValueError for anything else."""
        if text == "shipping-method":
            return cls()
        if found := _FIELD.match(text):
            return cls(found[1])
        raise ValueError(text[:60])

    def __str__(self) -> str:
        return f"field:{self.field}" if self.field else "shipping-method"


@dataclass(frozen=True, slots=True)
class Document:
    """One operation. text: GraphQL; result: the member of `data` that is the answer."""

    text: str
    result: str

    def fields(self, by: PickupBy) -> str:
        """The text for a shop whose orders name their pickup point so."""
        custom = f"customFields {{ {by.field} }}" if by.field else ""
        shipping = "" if by.field else "shippingLines { shippingMethod { code } }"
        return self.text.replace("%(pickup)s", custom).replace("%(shipping)s", shipping)


def request_message(
    document: Document, variables: Mapping[str, Any], by: PickupBy | None = None
) -> bytes:
    """The body of a POST: GraphQL over HTTP, section "JSON encoding"."""
    return write_json({"query": document.fields(by or PickupBy()), "variables": dict(variables)})


_ORDER: Final = """
fragment KassaOrder on Order {
  id code state currencyCode orderPlacedAt total totalWithTax
  lines { id quantity unitPriceWithTax linePriceWithTax taxRate productVariant { sku name } }
  surcharges { sku description priceWithTax }
  shippingLines { priceWithTax shippingMethod { code name } }
  discounts { description amountWithTax }
  payments { id state amount transactionId metadata refunds { state total } }
  fulfillments { id state lines { orderLineId quantity } }
  customer { firstName lastName phoneNumber emailAddress }
  %(pickup)s
}"""
_NOTES: Final = (
    'history(options: {filter: {type: {eq: "ORDER_NOTE"}}, sort: {createdAt: ASC}, take: 1000})'
    " { totalItems items { id data } }"
)
_ERROR: Final = "... on ErrorResult { errorCode message }"

LOGIN: Final = Document(
    "mutation Login($user: String!, $password: String!) {"
    " login(username: $user, password: $password)"
    f" {{ __typename ... on CurrentUser {{ identifier }} {_ERROR} }} }}",
    "login",
)
SETTINGS: Final = Document(
    "query Settings { globalSettings { serverConfig { moneyStrategyPrecision } } }",
    "globalSettings",
)
INFO: Final = Document("query Info { kassa { version kiosk sellers } }", "kassa")
PROBE: Final = Document(
    "query Probe($options: OrderListOptions!) { orders(options: $options) { totalItems"
    " items { id state updatedAt totalWithTax %(shipping)s } } }",
    "orders",
)
READ: Final = Document(
    "query Read($options: OrderListOptions!) { orders(options: $options)"
    " { totalItems items { ...KassaOrder } } }" + _ORDER,
    "orders",
)
BY_CODE: Final = READ
BY_ID: Final = Document(
    f"query ById($id: ID!) {{ order(id: $id) {{ ...KassaOrder {_NOTES} }} }}" + _ORDER, "order"
)
ADD_NOTE: Final = Document(
    "mutation AddNote($id: ID!, $note: String!) {"
    " addNoteToOrder(input: {id: $id, note: $note, isPublic: false}) { id } }",
    "addNoteToOrder",
)
DELETE_NOTE: Final = Document(
    "mutation DeleteNote($id: ID!) { deleteOrderNote(id: $id) { result message } }",
    "deleteOrderNote",
)
CANCEL_PAYMENT: Final = Document(
    f"mutation CancelPayment($id: ID!) {{ cancelPayment(id: $id) {{ __typename {_ERROR} }} }}",
    "cancelPayment",
)
MOVE_ORDER: Final = Document(
    "mutation MoveOrder($id: ID!, $state: String!) { transitionOrderToState(id: $id, state: $state)"
    f" {{ __typename {_ERROR} ... on OrderStateTransitionError {{ transitionError }} }} }}",
    "transitionOrderToState",
)
ADD_PAYMENT: Final = Document(
    "mutation AddPayment($input: ManualPaymentInput!) { addManualPaymentToOrder(input: $input)"
    f" {{ __typename {_ERROR} }} }}",
    "addManualPaymentToOrder",
)
FULFIL: Final = Document(
    "mutation Fulfil($input: FulfillOrderInput!) { addFulfillmentToOrder(input: $input)"
    f" {{ __typename {_ERROR} }} }}",
    "addFulfillmentToOrder",
)
MOVE_FULFILMENT: Final = Document(
    "mutation MoveFulfilment($id: ID!, $state: String!)"
    f" {{ transitionFulfillmentToState(id: $id, state: $state) {{ __typename {_ERROR} }} }}",
    "transitionFulfillmentToState",
)

# --- of the Kassa plugin, docs/shops/vendure-plugin/schema.js -----------------------------------

LOOK: Final = Document(
    "query Look($pickupPoint: String!, $by: String!, $revision: String!) {"
    " kassaOpenOrders(pickupPoint: $pickupPoint, by: $by, revision: $revision)"
    " { revision orders { id mark } } }",
    "kassaOpenOrders",
)
CLAIM: Final = Document(
    "mutation Claim($orderId: ID!, $claimId: String!, $leaseS: Int!) {"
    " kassaClaim(orderId: $orderId, claimId: $claimId, leaseS: $leaseS)"
    " { granted renewed holder order { ...KassaOrder } } }" + _ORDER,
    "kassaClaim",
)
RELEASE: Final = Document(
    "mutation Release($orderId: ID!, $claimId: String!)"
    " { kassaRelease(orderId: $orderId, claimId: $claimId) }",
    "kassaRelease",
)
FACTS: Final = Document(
    "mutation Facts($facts: [KassaFactInput!]!, $after: String!)"
    " { kassaFacts(facts: $facts, after: $after) { accepted refused reason forgot } }",
    "kassaFacts",
)
HEALTH: Final = Document(
    "mutation Health($report: JSON!) { kassaHealth(report: $report) }", "kassaHealth"
)
