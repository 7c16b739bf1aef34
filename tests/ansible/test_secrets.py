"""What the role makes of secrets, at work on folders of this machine: a box as an older release
left it, a second run, another certificate, and all of it taken away again."""

from __future__ import annotations

import getpass
import grp
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ansible.test_roles import ANSIBLE
from tests.image import needs
from tests.image.booted.tls import certificate
from tests.rig import free_port

PASSWORD, KEY = "471147", "c3RvbGVuLWtleS1zdG9sZW4ta2V5LXN0b2xlbi1rZXk"
LINE = f"shop hmac-sha256 {KEY}"
OLD = f"""# Written by Ansible.

[counter]
name = "Counter 1"

[shop]
url = "https://shop.example"
pickup_point = "p"
token_credential = "shop-token"

[terminal]
password = "{PASSWORD}"

[links]
keys_file = "/etc/kassa/link-keys"
"""
SETTINGS = {
    "kassa_counter_name": "Counter 1",
    "kassa_shop_url": "https://shop.example",
    "kassa_shop_pickup_point": "p",
    "kassa_shop_token": "planted-token",
}
CHANGED = re.compile(r"^localhost +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=0", re.MULTILINE)


class Box:
    """This machine as a box: the role's paths lead into a folder, its services are noted. said: all
    that any run said."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.etc, self.said = folder, folder / "etc", ""
        self.services = folder / "services"
        group = grp.getgrgid(os.getgid()).gr_name
        for file in shutil.copytree(ANSIBLE / "roles", folder / "roles").rglob("*.*"):
            text = file.read_text()
            for there, here in {
                "/etc/kassa": str(self.etc), "/run/kassa-ansible": str(folder / "run"),
                "owner: root": f"owner: {getpass.getuser()}", "group: root": f"group: {group}",
                "group: kassa": f"group: {group}", "127.0.0.1:8100": f"127.0.0.1:{free_port()}",
                "mktemp /run/": f"mktemp {folder}/",
                "/usr/lib/kassa/kassa-devices": "/bin/true",
            }.items():  # fmt: skip
                text = text.replace(there, here)
            file.write_text(text)
        self.etc.mkdir()
        (self.etc / "kassa.toml").write_text(OLD)
        (self.etc / "link-keys").write_text(f"{LINE}\n")
        ours = "import sys; from appliance.cli import main; sys.exit(main())"
        for name, script in {
            "systemctl": f'echo "$@" >>{self.services}',
            "kassa": f"exec {sys.executable} -c '{ours}' \"$@\"",
        }.items():
            program = folder / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)

    def play(self, tasks_from: str, *words: str, **variables: Any) -> subprocess.CompletedProcess:
        role = {"name": "kassa", "tasks_from": tasks_from}
        task = {"name": "Go", "ansible.builtin.include_role": role}
        play = {"hosts": "localhost", "gather_facts": False, "tasks": [task]}
        file, extra = self.folder / "play.yml", self.folder / "extra.yml"
        file.write_text(yaml.safe_dump([play]))
        extra.write_text(yaml.safe_dump(SETTINGS | variables))
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        env = {"PATH": path, "HOME": str(self.folder), "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"}
        env |= {"ANSIBLE_ROLES_PATH": str(self.folder / "roles")}
        python = "ansible_python_interpreter=/usr/bin/python3"
        self.services.write_text("")
        done = subprocess.run(
            ["ansible-playbook", "-vvv", "--diff", "-i", "localhost,", "-c", "local", "-e", python,
             "-e", f"@{extra}", *words, str(file)],
            cwd=self.folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
        self.said += done.stdout + done.stderr
        return done

    def changed(self, *words: str, **variables: Any) -> int:
        """How many tasks changed something."""
        done = self.play("configure", *words, **variables)
        found = CHANGED.search(done.stdout)
        assert found is not None, done.stdout[-5000:] + done.stderr
        return int(found[1])

    def files(self) -> dict[str, str]:
        return {
            str(file.relative_to(self.etc)): file.read_text()
            for file in self.etc.rglob("*")
            if file.is_file() and file.name != "devices"
        }

    def restarted(self) -> set[str]:
        return set(re.findall(r"^restart (\S+)$", self.services.read_text(), re.MULTILINE))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    needs.program("ansible-playbook", "ansible-core")
    return Box(tmp_path)


def pair(folder: Path) -> dict[str, str]:
    folder.mkdir()
    crt, key = certificate(folder, "127.0.0.1")
    return {"kassa_links_cert": crt.read_text(), "kassa_links_key": key.read_text()}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_secrets_become_credentials_and_none_is_said(box: Box, tmp_path: Path) -> None:
    first, second = pair(tmp_path / "first"), pair(tmp_path / "second")
    secret = {"kassa_terminal_password": PASSWORD, "kassa_link_keys": [LINE]}
    before = box.files()

    # A check says what would change, file by file, and changes nothing.
    assert box.changed("--check", **secret, **first) > 0
    assert box.files() == before
    delivered = re.findall(r"^TASK \[kassa : (Deliver [a-z-]+)\]", box.said, re.MULTILINE)
    names = ("shop-token", "terminal-password", "link-keys", "links-cert", "links-key")
    assert set(delivered) >= {f"Deliver {name}" for name in names}

    # The settings and the keys that an older release left are changed over.
    assert box.changed(**secret, **first) > 0
    found = box.files()
    settings = found.pop("kassa.toml")
    assert found == {
        "credentials/shop-token": "planted-token\n",
        "credentials/terminal-password": f"{PASSWORD}\n",
        "credentials/link-keys": f"{LINE}\n",
        "credentials/links-cert": first["kassa_links_cert"].strip() + "\n",
        "credentials/links-key": first["kassa_links_key"].strip() + "\n",
    }
    for line in ('password_credential = "terminal-password"', 'keys_credential = "link-keys"',
                 'key_file = "/run/credentials/kassa-links.service/links-key"'):  # fmt: skip
        assert f"\n{line}\n" in settings
    modes = {file.stat().st_mode & 0o777 for file in (box.etc / "credentials").iterdir()}
    assert modes == {0o600}
    assert "kassa.service" in box.restarted()

    # Then nothing is to do; and another certificate is the listener's business alone.
    assert box.changed(**secret, **first) == 0
    assert box.restarted() == set()
    assert box.changed("--check", **secret, **second) > 0
    assert box.changed(**secret, **second) > 0
    assert box.restarted() == {"kassa-links.service"}

    # What the inventory has no more is gone. Of settings without secrets the change is shown.
    assert box.changed() > 0
    assert [name for name in box.files() if name.startswith("credentials/")] == [
        "credentials/shop-token"
    ]
    assert '\n-password_credential = "terminal-password"' in box.said
    assert box.changed() == 0

    for words in (PASSWORD, KEY, "planted-token"):
        assert words not in box.said
    for lines in (first, second):
        assert lines["kassa_links_key"].splitlines()[1] not in box.said


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_credential_that_somebody_else_put_there_stays(box: Box) -> None:
    """As it was before there were variables for it: the inventory names the file alone."""
    (box.etc / "credentials").mkdir()
    named = {}
    for name, variable in {
        "links-cert": "kassa_links_cert_file",
        "links-key": "kassa_links_key_file",
    }.items():
        (box.etc / "credentials" / name).write_text("by hand")
        named[variable] = f"/run/credentials/kassa-links.service/{name}"
    (box.etc / "credentials/metrics-token").write_text("by hand")
    assert box.changed(kassa_metrics_token_credential="metrics-token", **named) > 0
    for name in ("links-cert", "links-key", "metrics-token"):
        assert (box.etc / "credentials" / name).read_text() == "by hand"


def test_an_old_secret_in_a_comment_is_not_shown_either(box: Box) -> None:
    file = box.etc / "kassa.toml"
    for text in (f"# password = '{PASSWORD}'\n", f"terminal = {{ \"password\" = '{PASSWORD}' }}\n"):
        file.write_text(text)
        assert box.changed("--check") > 0
    assert PASSWORD not in box.said


@pytest.mark.parametrize(
    "change",
    [
        lambda given: given | {"kassa_links_key": ""},
        lambda given: given | {"kassa_links_cert": given["kassa_links_key"]},
        lambda given: given | {"kassa_links_cert_file": "/x"},
    ],
)
def test_a_certificate_that_is_none_is_refused_and_no_key_is_said(
    box: Box, tmp_path: Path, change: Any
) -> None:
    given = pair(tmp_path / "pair")
    done = box.play("preflight", **change(given))
    assert done.returncode == 2, done.stdout + done.stderr
    *_, last = re.findall(r"^TASK \[kassa : (.*)\]", done.stdout, re.MULTILINE)
    assert last.startswith("See that kassa_links_cert and kassa_links_key are both PEM")
    assert given["kassa_links_key"].splitlines()[1] not in box.said


def test_a_key_of_another_certificate_is_refused(box: Box, tmp_path: Path) -> None:
    first, second = pair(tmp_path / "first"), pair(tmp_path / "second")
    (box.folder / "bin/dpkg-query").write_text("#!/bin/sh\necho 1.0\n")
    (box.folder / "bin/dpkg-query").chmod(0o755)
    done = box.play("preflight", **first | {"kassa_links_key": second["kassa_links_key"]})
    assert done.returncode == 2, done.stdout + done.stderr
    assert "The listener's certificate and its key: KEY_VALUES_MISMATCH" in done.stdout
    assert second["kassa_links_key"].splitlines()[1] not in box.said
    done = box.play("preflight", **first)
    assert done.returncode == 0, done.stdout + done.stderr
