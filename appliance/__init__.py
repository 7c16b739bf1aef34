"""The counter: everything but HTML."""

__version__ = "0.1.0"
