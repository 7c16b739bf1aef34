"""kassa.toml as a file, and the secrets that it names: read, and told to nobody."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.counter.config import CREDENTIALS, LARGEST_FILE, SecretsMissing, load
from appliance.domain.errors import ConfigTrouble
from tests.counter.config_texts import NAMES, SMALLEST, TOKEN, mistakes, read, with_line

# --- secrets ------------------------------------------------------------------------------------


def token_from(key, value):
    return re.sub("(?m)^token.*$", f'{key} = "{value}"', SMALLEST)


def test_the_token_comes_from_a_file_or_a_credential(tmp_path):
    (tmp_path / "shop-token").write_text(f"{TOKEN}\n")
    from_file = read(token_from("token_file", tmp_path / "shop-token"))
    from_systemd = read(
        token_from("token_credential", "shop-token"), **{CREDENTIALS: str(tmp_path)}
    )
    assert from_file.shop.token.reveal() == from_systemd.shop.token.reveal() == TOKEN


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"", ""),  # of a credential it says more, see below
        (b"two words", "holds no token; put it there as one line of printable ASCII"),
        (TOKEN.encode() + b"\nsecond line\n", "holds no token"),
        (b"\xff\xfe", "holds no token"),
        (b"x" * 4097, "holds no token"),
    ],
)
@pytest.mark.parametrize("key", ["token_file", "token_credential"])
def test_a_token_that_cannot_be_had(tmp_path, key, content, said):
    if content is not None:
        (tmp_path / "t").write_bytes(content)
    value = tmp_path / "t" if key == "token_file" else "t"
    (mistake,) = mistakes(token_from(key, value), **{CREDENTIALS: str(tmp_path)})
    assert mistake.startswith(f"kassa.toml:6: [shop] {key}: ")
    assert said in mistake
    assert TOKEN not in mistake


KEY = f"counter-1 hmac-sha256 {'a2tr' * 11}"
SECRETS = [
    ("shop", "token_credential", TOKEN, lambda config: config.shop.token.reveal()),
    ("terminal", "password_credential", "987654", lambda config: config.terminal.password.reveal()),
    ("links", "keys_credential", KEY, lambda config: "".join(config.links.keys)),
]
"""Section, key, what is in the credential, and how the configuration has it."""


def naming(section, key):
    return token_from(key, "c") if section == "shop" else with_line(section, f'{key} = "c"')


@pytest.mark.parametrize(("section", "key", "secret", "had"), SECRETS)
def test_each_secret_may_be_a_credential(tmp_path, section, key, secret, had):
    (tmp_path / "c").write_text(f"{secret}\n")
    assert had(read(naming(section, key), **{CREDENTIALS: str(tmp_path)})) in secret


@pytest.mark.parametrize(("section", "key", "secret", "had"), SECRETS)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read (No such file or directory); start by systemd with LoadCredential="),
        (" ", "the credential c is empty; put "),  # as our units hand over what is not there
        ("not to be told", ""),
    ],
)
def test_a_credential_that_is_none_is_the_only_mistake(
    tmp_path, section, key, secret, had, content, said
):
    """And the settings, with a stand-in, are there for whoever only looks."""
    if content is not None:
        (tmp_path / "c").write_text(content)
    with pytest.raises(SecretsMissing) as caught:
        read(naming(section, key), **{CREDENTIALS: str(tmp_path)})
    (mistake,) = caught.value.mistakes
    assert f"[{section}] {key}: " in mistake
    assert said in mistake
    assert "not to be told" not in mistake
    assert list(caught.value.missing) == [section]
    assert had(caught.value.config) not in secret


@pytest.mark.parametrize(
    ("key", "instead"),
    [
        ("token_credential", "token_file"),
        ("password_credential", "password"),
        ("keys_credential", "keys_file"),
    ],
)
def test_a_credential_without_systemd(key, instead):
    section = next(section for section, name, *_ in SECRETS if name == key)
    (mistake,) = mistakes(naming(section, key))
    assert f"start by systemd with LoadCredential=c:/path, or use {instead}" in mistake


def test_another_mistake_beside_a_missing_secret_is_one():
    text = naming("terminal", "password_credential") + "baud = 1\n"
    with pytest.raises(ConfigTrouble) as caught:
        read(text)
    assert not isinstance(caught.value, SecretsMissing)
    assert ["_credential" in mistake for mistake in caught.value.mistakes] == [True, False]


def test_a_password_comes_from_one_place(tmp_path):
    (tmp_path / "c").write_text("987654")
    text = naming("terminal", "password_credential") + 'password = "123456"\n'
    (mistake,) = mistakes(text, **{CREDENTIALS: str(tmp_path)})
    assert "only one of password and password_credential may be given" in mistake


def test_links_are_looked_at_without_their_keys():
    """What signs, and whose answers count, is named; so is another mistake among them."""
    text = SMALLEST + (
        '[terminal]\nkind = "pay-api"\nanswer_key = "app"\n'
        '[links]\naccept = "signed"\nsign_with = "ours"\nkeys_credential = "c"\n'
    )
    with pytest.raises(SecretsMissing) as caught:
        read(text)
    assert set(caught.value.config.links.keys) == {"app", "ours"}
    found = mistakes(text + 'listen = "0.0.0.0:8143"\n')
    assert ["listen" in mistake for mistake in found] == [False, True]


def test_a_credential_cannot_leave_its_directory(tmp_path):
    (mistake,) = mistakes(token_from("token_credential", "../t"), **{CREDENTIALS: str(tmp_path)})
    assert "write a name" in mistake


def test_secrets_are_in_no_text_of_the_configuration():
    config = read(with_line("terminal", 'password = "987654"'))
    for text in (repr(config), str(config), f"{config.shop.token}", f"{config.shop.token!r:>40}"):
        assert TOKEN not in text
        assert "987654" not in text
    assert "Secret" in repr(config.shop)


SECRET_LINES = [("shop", "token"), ("terminal", "password")]


@given(
    st.sampled_from(SECRET_LINES),
    st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=8, max_size=8),
    st.sampled_from(['"{}x y"', "{}", '"{}', "[{}]", '["{} "]', '"{}"\nport = 1']),
)
def test_no_mistake_quotes_a_secret(where, secret, form):
    section, key = where
    secret = f"S{secret}"
    text = with_line(section, "@@").replace("@@", f"{key} = {form.format(secret)}")
    try:
        read(text)
    except ConfigTrouble as trouble:
        assert secret not in str(trouble)  # noqa: PT017 - it need not be refused at all


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, ": is not there; copy docs/kassa.example.toml to it and edit it"),
        (b"[counter]\nname = '\xff'\n", ":2: is not UTF-8; save the file as UTF-8"),
        (b"#" * (LARGEST_FILE + 1), ": is larger than 64 KiB; name a kassa.toml"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path, content, said):
    file = tmp_path / "kassa.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigTrouble) as caught:
        load(file, names=NAMES, environ={})
    assert caught.value.mistakes == [f"{file}{said}"]


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ConfigTrouble) as caught:
        load(tmp_path, names=NAMES, environ={})
    assert "cannot be read (Is a directory); name a kassa.toml" in caught.value.mistakes[0]


def test_a_file_is_read(tmp_path):
    file = tmp_path / "kassa.toml"
    file.write_text(SMALLEST.replace('"C"', '"Кассa 1"'), encoding="utf-8")
    assert load(file, names=NAMES, environ={}).counter.name == "Кассa 1"
