"""docs/shop-api.yaml as validators: `schema("Order")` tells what is wrong with a value."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

PATH = Path(__file__).parents[2] / "docs" / "shop-api.yaml"


@cache
def document() -> dict[str, Any]:
    loaded = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


@cache
def schema(name: str) -> Draft202012Validator:
    root = {"$ref": f"#/components/schemas/{name}", "components": _ecma(document()["components"])}
    return Draft202012Validator(root)


def _ecma(node: Any) -> Any:
    """JSON Schema's patterns are ECMA-262's, where $ is the very end; Python's stops before a last
    line feed as well."""
    if isinstance(node, dict):
        return {
            key: value.removesuffix("$") + r"\Z" if key == "pattern" else _ecma(value)
            for key, value in node.items()
        }
    return [_ecma(item) for item in node] if isinstance(node, list) else node


def examples() -> list[tuple[str, Any]]:
    """(schema's name, value) of every example of a body in the document."""
    found: list[tuple[str, Any]] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            reference = node.get("schema", {}).get("$ref", "")
            for example in node.get("examples", {}).values() if reference else ():
                found.append((reference.rsplit("/", 1)[1], example["value"]))
            for member in node.values():
                walk(member)

    walk(document()["paths"])
    return found
