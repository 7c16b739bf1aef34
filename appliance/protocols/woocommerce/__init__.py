"""WooCommerce's REST API, version 3: its JSON <-> orders, and what Kassa writes into them.

The contract is the platform's source (woocommerce/woocommerce, plugins/woocommerce/includes/
rest-api) and what docs/shops/woocommerce.md names as measured. Whatever the bytes, nothing but
WooError comes out.
"""

from appliance.protocols.woocommerce import books, oauth, paths, plugin
from appliance.protocols.woocommerce.marks import (
    ATTENTION,
    HANDED_OVER,
    ClaimMark,
    Marks,
    PaymentMark,
    claim_meta,
    is_id,
    marks_from,
    order_marks_from,
    payment_meta,
    reference,
    text_meta,
)
from appliance.protocols.woocommerce.orders import (
    BLOCKS,
    CLASSIC,
    PAGE,
    READY,
    Page,
    Pickup,
    Stamps,
    WooOrder,
    order_from,
    order_from_json,
    page_from,
    stamps_from,
)
from appliance.protocols.woocommerce.strict import (
    WooError,
    WooMalformed,
    notes_from,
    problem_from,
    read_json,
)

__all__ = [
    "ATTENTION",
    "BLOCKS",
    "CLASSIC",
    "HANDED_OVER",
    "PAGE",
    "READY",
    "ClaimMark",
    "Marks",
    "Page",
    "PaymentMark",
    "Pickup",
    "Stamps",
    "WooError",
    "WooMalformed",
    "WooOrder",
    "books",
    "claim_meta",
    "is_id",
    "marks_from",
    "notes_from",
    "oauth",
    "order_from",
    "order_from_json",
    "order_marks_from",
    "page_from",
    "paths",
    "payment_meta",
    "plugin",
    "problem_from",
    "read_json",
    "reference",
    "stamps_from",
    "text_meta",
]
