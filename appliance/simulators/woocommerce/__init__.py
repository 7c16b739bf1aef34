"""A fake WooCommerce: the far end of its REST API, version 3, with the traps of the real one."""

from appliance.simulators.woocommerce.faults import Fault, WooFaults
from appliance.simulators.woocommerce.server import FakeWoo

__all__ = ["FakeWoo", "Fault", "WooFaults"]
