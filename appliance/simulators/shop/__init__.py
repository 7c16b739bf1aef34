"""The shop as a simulator: the far end of the Kassa shop API, with staff pages and faults."""

from appliance.simulators.shop.faults import Fault, ShopFaults
from appliance.simulators.shop.server import DemoShop

__all__ = ["DemoShop", "Fault", "ShopFaults"]
