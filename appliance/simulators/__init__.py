"""The far end of each line: the same bytes, over pty, TCP and HTTP, with faults on demand."""
