"""The import of python-escpos, without what it loads for work that we do not give it.

It reads a database of printers, which takes longer than all the rest of it, and leaves a copy in a
new folder of the temporary directory, every time. And it loads libraries that draw pictures, QR
codes and barcodes, which most printers draw themselves: 3 MiB. So others stand in their places
while it is imported, and the real ones are loaded when something of them is used.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final

_CAPABILITIES: Final = Path(__file__).with_name("escpos_capabilities.yaml")


class _Later(ModuleType):
    """Stands for a module of which nothing is used yet but `at_once`."""

    def __init__(self, name: str, **at_once: object) -> None:
        super().__init__(name)
        vars(self).update(at_once)

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:  # python-escpos is still being imported
            raise AttributeError(f"{self.__name__}.{name} is not among what stands in for it")
        return getattr(importlib.import_module(self.__name__), name)


def _later(module: str, name: str) -> Callable[..., Any]:
    """A class of a module that is loaded when the first object is made."""
    return lambda *values, **named: getattr(importlib.import_module(module), name)(*values, **named)


@contextmanager
def _stand_ins() -> Iterator[None]:
    """What escpos/escpos.py imports beside its own parts. It must draw no barcode itself: it is
    told that there are none that it could."""
    chosen = {
        module.__name__: module
        for module in (
            _Later("escpos.image", EscposImage=_later("escpos.image", "EscposImage")),
            _Later("barcode", PROVIDED_BARCODES=()),
            _Later("barcode.writer", ImageWriter=_later("barcode.writer", "ImageWriter")),
            _Later("qrcode"),
        )
        if module.__name__ not in sys.modules
    }
    sys.modules.update(chosen)
    try:
        yield
    finally:
        for name in chosen:
            del sys.modules[name]


def load() -> None:
    """Import it; what follows may use it as if it had been imported as usual."""
    os.environ.setdefault("ESCPOS_CAPABILITIES_FILE", str(_CAPABILITIES))
    with _stand_ins():
        import escpos.capabilities
        import escpos.printer
    if "ESCPOS_CAPABILITIES_PICKLE_DIR" not in os.environ:
        shutil.rmtree(escpos.capabilities.pickle_dir, ignore_errors=True)
