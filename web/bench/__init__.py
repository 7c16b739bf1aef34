"""The bench: the whole counter on one screen, for a newcomer without hardware."""
