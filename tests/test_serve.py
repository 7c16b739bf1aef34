"""What the kiosk's process does without."""

import subprocess
import sys

from appliance.serve import NEEDLESS


def test_what_is_kept_out_is_needed_by_nothing():
    """Libraries take it where it is there; with a name gone they must still load, and not load
    it by another way."""
    program = f"""
import sys
for name in {NEEDLESS!r}:
    sys.modules[name] = None
import appliance.counter.runtime, web, httpx, appliance.drivers.kassa_shop
assert "pygments" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
