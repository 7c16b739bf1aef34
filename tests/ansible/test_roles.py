"""The roles without a box: their variables, what they make of the example, what they refuse."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from appliance.cli import main
from appliance.counter import config_schema as schema
from tests.ansible import table
from tests.image import needs
from tests.image.test_credentials import WITH_SECRETS

ROOT = Path(__file__).parents[2]
ANSIBLE = ROOT / "ansible"
ROLES = sorted(path.name for path in (ANSIBLE / "roles").iterdir())
KIOSKS = ["hafen-1", "hafen-2", "linden-1", "linden-2", "markt-1"]

WITHOUT_VARIABLE = {
    *(("counter", "data_dir"), ("web", "host"), ("web", "port")),  # the image's own
    # Secrets and certificates are files, which have variables of their own.
    *(("shop", "token"), ("shop", "token_file"), ("shop", "token_credential"), ("shop", "ca_file")),
    *(("terminal", "password"), ("terminal", "password_credential")),
    *(("links", "keys"), ("links", "keys_file"), ("links", "keys_credential")),
}

PUBLIC_KEY = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""


def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


def options(role: str) -> dict[str, Any]:
    specs = read(ANSIBLE / "roles" / role / "meta/argument_specs.yml")
    return dict(specs["argument_specs"]["main"]["options"])


def ansible(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    needs.program("ansible-playbook", "ansible-core")
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    env |= {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg")}
    return subprocess.run(
        words, cwd=ANSIBLE, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=100, check=False,
    )  # fmt: skip


# --- variables ------------------------------------------------------------------------------------


def test_every_key_of_the_settings_has_a_variable_with_a_specification() -> None:
    keys = {(section, key) for section in schema.SECTIONS for key in schema.keys(section)}
    listed = read(ANSIBLE / "roles/kassa/vars/main.yml")["kassa__keys"]
    assert {(section, key) for section, names in listed.items() for key in names} == (
        keys - WITHOUT_VARIABLE
    )
    specified = options("kassa")
    for section, key in keys - WITHOUT_VARIABLE:
        assert f"kassa_{section}_{key}" in specified


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_specification_say_the_same(role: str) -> None:
    file = ANSIBLE / "roles" / role / "defaults/main.yml"
    defaults = read(file) if file.exists() else {}
    specified = options(role)
    assert {
        name: spec["default"] for name, spec in specified.items() if "default" in spec
    } == defaults
    for name, spec in specified.items():
        assert name.startswith(f"{role}_")
        assert spec["description"].endswith("."), name
        assert spec["type"]


def test_the_documentation_has_every_variable() -> None:
    text = (ROOT / "docs/ansible.md").read_text()
    begin, end = table.MARKS
    assert text.partition(begin)[2].partition(end)[0].strip() == table.variables(ANSIBLE).strip()


@pytest.mark.parametrize("role", ROLES)
def test_what_touches_a_secret_is_not_logged(role: str) -> None:
    secrets = {name for name, spec in options(role).items() if spec.get("no_log")}
    file = ANSIBLE / "roles" / role / "vars/main.yml"
    more = read(file) if file.exists() else {}
    secrets |= {name for name, value in more.items() if has(secrets, value)}
    for file in (ANSIBLE / "roles" / role / "tasks").glob("*.yml"):
        for task in flat(read(file)):
            if has(secrets, {key: value for key, value in task.items() if key != "when"}):
                assert task.get("no_log"), f"{file.name}: {task['name']}"


def has(names: set[str], value: Any) -> bool:
    """Whether one of these variables is in there."""
    words = yaml.safe_dump(value)
    return any(re.search(rf"\b{name}\b", words) for name in names)


def flat(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tasks, those of blocks among them."""
    found = []
    for task in tasks:
        inner = [*task.get("block", []), *task.get("rescue", []), *task.get("always", [])]
        found += flat(inner) if inner else [task]
    return found


def test_a_new_credential_restarts_the_service_that_has_it() -> None:
    services = read(ANSIBLE / "roles/kassa/vars/main.yml")
    for unit, loaded in WITH_SECRETS.items():
        for path in loaded.values():
            told = [
                service["commands"]
                for service in services["kassa__services"]
                if path in service["paths"] or (path in services["kassa__paths"]
                and service["paths"] == "{{ kassa__paths }}")
            ]  # fmt: skip
            assert len(told) == 1, path
            assert ["systemctl", "restart", unit] in told[0], path
            assert ["systemctl", "restart", "kassa.service"] not in told[
                0
            ] or unit == "kassa.service"


# --- the example ----------------------------------------------------------------------------------


def test_the_doctor_finds_no_mistake_in_the_example_s_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    play = [
        {
            "hosts": "kassa_kiosks",
            "gather_facts": False,
            "connection": "local",
            "tasks": [
                {"ansible.builtin.include_vars": str(ANSIBLE / "roles/kassa/vars/main.yml")},
                {
                    "ansible.builtin.template": {
                        "src": str(ANSIBLE / "roles/kassa/templates/kassa.toml.j2"),
                        "dest": f"{tmp_path}/{{{{ inventory_hostname }}}}.toml",
                        "mode": "0600",
                    },
                },
            ],
        }
    ]
    file = tmp_path / "play.yml"
    file.write_text(yaml.safe_dump(play, sort_keys=False))
    # As in the role, what the inventory says comes before its defaults.
    defaults = tmp_path / "defaults.yml"
    defaults.write_text(
        yaml.safe_dump({"all": {"vars": read(ANSIBLE / "roles/kassa/defaults/main.yml")}})
    )
    local = (
        *("-i", str(defaults), "-i", "inventories/example"),
        *("-e", "ansible_python_interpreter=/usr/bin/python3"),
    )
    done = ansible("ansible-playbook", *local, str(file), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.stem for path in tmp_path.glob("*.toml")) == KIOSKS
    for name in KIOSKS:
        toml = tmp_path / f"{name}.toml"
        assert main(["doctor", "--only-config", "--config", str(toml)]) == 0, (
            capsys.readouterr().err
        )
        assert "invented" not in toml.read_text()  # a secret has no place there
        assert 'password_credential = "terminal-password"' in toml.read_text()
        assert 'keys_credential = "link-keys"' in toml.read_text()
    turned = (tmp_path / "linden-2.toml").read_text()
    assert "rotation = 90" in turned
    assert 'resolution = "1280x720"' in turned
    assert 'proxy = "http://proxy.shop.example:3128"' in (tmp_path / "hafen-1.toml").read_text()
    again = ansible("ansible-playbook", *local, str(file), folder=tmp_path)
    assert again.stdout.count("changed=0") == len(KIOSKS)


@pytest.mark.parametrize(
    ("before", "devices", "after"),
    [
        ("", [], []),
        (
            "scanner ask\nprinter port usb-0:1.2 # adopted by hand\n",
            [{"role": "terminal", "by": "serial", "value": "X1"}, {"role": "printer", "by": "ask"}],
            ["terminal serial X1", "printer ask"],
        ),
        (
            "printer serial P1 04b8:0e28 # adopted at the counter\n"
            "terminal port usb-0:1.1 11ca:0220 # adopted at the counter\n",
            [{"role": "terminal", "by": "model", "value": "11ca:0220"}],
            [
                "terminal model 11ca:0220",
                "printer serial P1 04b8:0e28 # adopted at the counter",
            ],
        ),
        (
            "scanner ask\nscanner serial S1 0c2e:0b61 # adopted at the counter\n",
            [{"role": "scanner", "by": "ask"}],
            ["scanner ask", "scanner serial S1 0c2e:0b61 # adopted at the counter"],
        ),
    ],
)
def test_what_was_confirmed_at_the_counter_is_kept(
    tmp_path: Path, before: str, devices: list[dict[str, str]], after: list[str]
) -> None:
    file, play = tmp_path / "devices", tmp_path / "play.yml"
    file.write_text(before)
    template = {
        "src": str(ANSIBLE / "roles/kassa/templates/devices.j2"), "dest": str(file), "mode": "0644"
    }  # fmt: skip
    text = "{{ lookup('file', '" + str(file) + "') }}"
    # The file is read before it is written, as the role does it.
    facts = {"ansible.builtin.set_fact": {"kassa__devices_text": text}}
    hosts = {"hosts": "localhost", "gather_facts": False, "vars": {"kassa_devices": devices}}
    play.write_text(
        yaml.safe_dump([hosts | {"tasks": [facts, {"ansible.builtin.template": template}]}])
    )
    local = ("-c", "local", "-i", "localhost,", "-e", "ansible_python_interpreter=/usr/bin/python3")
    for changed in (1, 0):
        done = ansible("ansible-playbook", *local, str(play), folder=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"changed={changed}" in done.stdout
        assert file.read_text().splitlines()[1:] == after


def test_the_example_s_secrets_can_be_encrypted(tmp_path: Path) -> None:
    """And are read again with the password alone."""
    vault = ANSIBLE / "inventories/example/group_vars/kassa_kiosks/vault.yml"
    copy, password = tmp_path / "vault.yml", tmp_path / "password"
    copy.write_bytes(vault.read_bytes())
    password.write_text("invented for this test\n")
    words = ("--vault-password-file", str(password), str(copy))
    done = ansible("ansible-vault", "encrypt", *words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert copy.read_text().startswith("$ANSIBLE_VAULT;")
    assert ansible("ansible-vault", "view", *words, folder=tmp_path).stdout == vault.read_text()


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"kassa_terminal_baud": 1234}, "kassa_terminal_baud must be one of"),
        ({"kassa_display_rotation": 45}, "kassa_display_rotation must be one of"),
        ({"kassa_counter_require_seller": "perhaps"}, "kassa_counter_require_seller"),
        ({"kassa_devices": [{"role": "printer", "by": "port"}]}, "a value is a serial number"),
        ({"kassa_devices": [{"role": "mouse", "by": "port", "value": "1"}]}, "role must be one of"),
        ({"kassa_shop_token": ["a"], "kassa_gate_wait_s": "x"}, "kassa_gate_wait_s"),
        ({"kassa_release_keys": {"shop": "ssh-ed25519 AAAA"}}, "kassa_release_keys: shop"),
        ({"kassa_release_keys": {"../x": PUBLIC_KEY}}, "kassa_release_keys: ../x"),
        ({"kassa_release_keys": {"shop": PUBLIC_KEY}, "kassa_healthy_s": 0}, "kassa_healthy_s is"),
        ({"kassa_shop_token": "planted secret"}, "Look at"),
    ],
)
def test_a_wrong_value_is_refused_and_no_secret_is_said(
    tmp_path: Path, wrong: dict[str, Any], why: str
) -> None:
    play = [
        {
            "hosts": "linden-1",
            "gather_facts": False,
            "connection": "local",
            "tasks": [
                {"name": "Look at it", "ansible.builtin.include_role": {
                    "name": "kassa", "tasks_from": "preflight"}},
            ],
        }
    ]  # fmt: skip
    file, extra = tmp_path / "play.yml", tmp_path / "extra.yml"
    file.write_text(yaml.safe_dump(play, sort_keys=False))
    extra.write_text(yaml.safe_dump(wrong))
    words = ("-vvv", "-e", f"@{extra}", "-e", "ansible_python_interpreter=/usr/bin/python3")
    done = ansible("ansible-playbook", *words, str(file), folder=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert why in done.stdout
    assert "planted secret" not in done.stdout + done.stderr
    assert "invented-token" not in done.stdout + done.stderr
