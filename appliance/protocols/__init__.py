"""Sans-I/O protocols: bytes to messages and back. No clock, no device, no network."""
