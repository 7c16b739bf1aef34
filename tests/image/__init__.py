"""The disk image in a virtual machine, and what that takes."""
