"""The only real I/O: what stands behind the interfaces of ports.py.

The table of them, kind -> driver, is in counter/kinds.py, where each gets its options from the
configuration: drivers know no configuration, and are imported only when they are wanted.
"""
