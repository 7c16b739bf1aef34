"""A name below /dev may lead to another device than it did when it was opened.

udev gives the names of roles (docs/devices.md), and takes them away: from a device that somebody
confirmed another one for, or that an administrator named another one for. Whoever keeps a device
open goes on with the old one, unless it looks.
"""

from __future__ import annotations

import os


def leads_elsewhere(path: str, descriptor: int) -> bool:
    """Whether the name is nobody's now, or another device's than the open one."""
    try:
        named = os.stat(path)
    except OSError:
        return True
    return not os.path.samestat(named, os.fstat(descriptor))
