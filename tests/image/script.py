"""A program of the package, which is no module that could be imported, for the tests of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType


def load(script: Path) -> ModuleType:
    """What the file defines; its `main` is not run."""
    spec = importlib.util.spec_from_file_location(f"kassa_{script.stem}", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
