"""Puts one release in the place of another, and takes it back where it does not work.

It needs Python, python3-cryptography, dpkg and systemd, and nothing of the counter: a copy of it
is at work while the counter's own files are being replaced (docs/decisions/0014-updates.md).
"""
