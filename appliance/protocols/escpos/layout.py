"""Text to lines of a fixed number of columns. The text is printable already, a cell a character."""

from __future__ import annotations

_LEAST_LEFT = 8  # columns that a name needs beside an amount to be readable


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters, broken at spaces; a longer word is cut.

    Spaces inside a line stay as they are (terminals align their slips with them), and the
    indentation of a paragraph holds for all its lines.
    """
    text = text.rstrip()
    indent = " " * min(len(text) - len(text.lstrip()), width // 2)
    room = width - len(indent)
    rest = text.lstrip() if len(text) > width else text[len(indent) :]
    lines: list[str] = []
    while len(rest) > room:
        end = rest.rfind(" ", 1, room + 1)
        lines.append(indent + (rest[:room] if end < 0 else rest[:end].rstrip()))
        rest = rest[room if end < 0 else end :].lstrip()
    lines.append(indent + rest)
    return lines


def pair(left: str, right: str, width: int) -> list[str]:
    """Lines with `left` at the left, wrapped, and `right` at the end of the last one, whole.

    Where both have no room side by side, the right part has lines of its own; it is cut only
    where it is wider than the paper.
    """
    left, right = left.rstrip(), right.strip()
    if not right:
        return wrap(left, width)
    room = width - len(right) - 1
    if len(left) <= room:
        return [left + right.rjust(width - len(left))]
    if room >= min(_LEAST_LEFT, width // 2):
        lines = wrap(left, width)
        lines[-1:] = wrap(lines[-1], room)  # only the last one has to leave room for the amount
        return [*lines[:-1], lines[-1] + right.rjust(width - len(lines[-1]))]
    own = [line.rjust(width) for line in wrap(right, width)]
    return [*wrap(left, width), *own] if left else own
