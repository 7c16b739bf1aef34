"""The configuration as the doctor reads it: secrets that are not to be had yet are findings, so
that the devices can be looked at before the shop has given a token or keys; and where each secret
comes from."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from appliance.counter import config
from appliance.counter.config_schema import FACTORY_PASSWORD, Config
from appliance.counter.config_secrets import CREDENTIALS, DELIVERED
from appliance.counter.doctor_findings import Finding


def load(
    file: Path, *, names: Mapping[str, Collection[str]], environ: Mapping[str, str] = os.environ
) -> tuple[Config, dict[str, Finding]]:
    """As config.load; and where only secrets are missing, the findings that say so, by "shop",
    "terminal" and "links": none of these can be looked at then. Raises ConfigTrouble with every
    mistake otherwise."""
    try:
        return config.load(file, names=names, environ=environ), {}
    except config.SecretsMissing as trouble:
        missing: dict[str, Finding] = {}
        for section, mistake in trouble.missing.items():
            what, _, fix = mistake.partition("; ")
            missing[section] = Finding(section, False, f"{trouble.code}: {what}", fix)
        return trouble.config, missing


def with_credentials(environ: Mapping[str, str]) -> Mapping[str, str]:
    """This environment; for root, who can read them where systemd does, with the credentials."""
    if os.geteuid() != 0 or CREDENTIALS in environ:
        return environ
    return {**environ, CREDENTIALS: str(DELIVERED)}


def secrets(found: Config) -> Finding:
    """Where the counter has its secrets from. Nothing of them is said."""
    shop, terminal, links = found.shop, found.terminal, found.links
    said = [f"token: {_source(shop.token_credential, shop.token_file, 'in kassa.toml')}"]
    inside = "the factory's" if terminal.password == FACTORY_PASSWORD else "in kassa.toml"
    said.append(f"password: {_source(terminal.password_credential, None, inside)}")
    if links.keys:
        said.append(f"keys: {_source(links.keys_credential, links.keys_file, 'in kassa.toml')}")
    return Finding("secrets", True, "; ".join(said))


def _source(credential: str | None, file: Path | None, inside: str) -> str:
    if credential is not None:
        return f"credential {credential}"
    return inside if file is None else str(file)
