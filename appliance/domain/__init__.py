"""What a pickup counter is, without clock, device, disk or network.

Standard library only; every function here is pure. See docs/architecture.md.
"""
