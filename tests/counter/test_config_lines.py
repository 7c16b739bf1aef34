"""The line finder: right for every text that tomllib takes, harmless for any other."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.counter.config_lines import Duplicate, find_lines

TRICKY = '''\
# [commented]
top = 1  # = 2

[ counter ]  # a comment with [brackets] and "quotes"
name = "a # b = c"
"quoted key" = 'x = [1'
'literal.dot' = 1
dotted . deep = 2
heading = [  # a list
    "one]", 'two = 3',
    [1, 2], # [
]
after_list = 1
text = """
[not.a.section]
fake = 1
escaped \\""" still
""" # end
after_text = 1
ends_in_quotes = """x"""""
after_quotes = 1
literal = \'\'\'
also = fake
back\\\'\'\'
after_literal = 1
inline = { a = 1, b = "}" }
empty = ""
"\\u0061scii" = 1

[a.b]
x = 1
[[points]]
n = 1
[[points]]
n = 2
[points.sub]
m = 3
'''


def line_of(text: str, mark: str) -> int:
    """The first line that begins with this mark."""
    return next(n for n, line in enumerate(text.splitlines(), 1) if line.startswith(mark))


@pytest.mark.parametrize(
    ("path", "mark"),
    [
        (("top",), "top"),
        (("counter",), "[ counter ]"),
        (("counter", "name"), "name"),
        (("counter", "quoted key"), '"quoted'),
        (("counter", "literal.dot"), "'literal"),
        (("counter", "dotted"), "dotted"),
        (("counter", "dotted", "deep"), "dotted"),
        (("counter", "heading"), "heading"),
        (("counter", "after_list"), "after_list"),
        (("counter", "text"), "text"),
        (("counter", "after_text"), "after_text"),
        (("counter", "after_quotes"), "after_quotes"),
        (("counter", "literal"), "literal"),
        (("counter", "after_literal"), "after_literal"),
        (("counter", "inline"), "inline"),
        (("counter", "inline", "b"), "inline"),  # inside a value: the value's line
        (("counter", "empty"), "empty"),
        (("counter", "ascii"), '"\\u0061'),
        (("counter", "absent"), "[ counter ]"),  # absent: the section's line
        (("a",), "[a.b]"),
        (("a", "b", "x"), "x"),
        (("points",), "[[points]]"),
        (("points", "1", "n"), "n = 2"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_kind_of_statement_has_its_line(path, mark, newline):
    tomllib.loads(TRICKY)  # or else the table proves nothing
    lines = find_lines(TRICKY.replace("\n", newline))
    assert lines.of(*path) == line_of(TRICKY, mark)


def test_what_is_nowhere_is_in_line_1():
    assert find_lines(TRICKY).of("absent", "key") == 1


def test_what_only_looks_like_a_statement_is_none():
    lines = find_lines(TRICKY)
    for path in [("commented",), ("not",), ("counter", "fake"), ("counter", "also")]:
        assert not lines.has(*path)
    assert lines.duplicates == []


def test_duplicates_are_told_with_both_lines():
    text = "[a]\nx = 1\ny = 2\nx = 3\n[b]\n[a]\n[[c]]\nz = 1\n[[c]]\nz = 1\n"
    assert find_lines(text).duplicates == [
        Duplicate(("a", "x"), 4, 2),
        Duplicate(("a",), 6, 1),
    ]


NAMES = st.text("abcXYZ09_-", min_size=1, max_size=8)
KEYS = NAMES | st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=8)
VALUES = st.recursive(
    st.integers() | st.booleans() | st.text(st.characters(codec="utf-8"), max_size=12),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


def written(value: object, spread: bool) -> str:
    """A value in TOML; spread: over as many lines as TOML allows."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            body = "".join(
                f"\\U{ord(c):08X}" if c in '\\"' or not c.isprintable() else c for c in value
            )
            return f'"""\n{body}"""' if spread else f'"{body}"'
        case list():
            gap = "\n  # ]\n  " if spread else " "
            return "[" + "".join(f"{gap}{written(v, spread)}," for v in value) + gap + "]"
        case _:
            return str(value)


def quoted(key: str) -> str:
    if key and key.isascii() and all(c.isalnum() or c in "_-" for c in key):
        return key
    return written(key, spread=False)


@given(
    st.dictionaries(KEYS, st.dictionaries(KEYS, st.tuples(VALUES, st.booleans()), max_size=5)),
    st.sampled_from(["", "\n", "# x = 1\n", "  \n\t# [y]\n"]),
)
def test_lines_agree_with_the_text_that_was_written(document, between):
    text = ""
    places: dict[tuple[str, ...], int] = {}
    for section, keys in document.items():
        text += between
        places[section,] = text.count("\n") + 1
        text += f"[{quoted(section)}] # ] [\n"
        for key, (value, spread) in keys.items():
            text += between
            places[section, key] = text.count("\n") + 1
            text += f'\t{quoted(key)} = {written(value, spread)} # = "\n'
    assert tomllib.loads(text) == {
        section: {key: value for key, (value, _) in keys.items()}
        for section, keys in document.items()
    }
    lines = find_lines(text)
    assert {path: lines.of(*path) for path in places} == places
    assert lines.duplicates == []


@given(st.text(st.sampled_from("ab=.[]{}\"'#\\\n\r\t ,1é\x00"), max_size=200))
def test_no_text_makes_it_fail(text):
    lines = find_lines(text)
    assert 1 <= lines.of("a") <= text.count("\n") + 1
