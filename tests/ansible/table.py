"""The table of variables in docs/ansible.md: `python -m tests.ansible.table` writes it anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

MARKS: Final = ("<!-- variables, made by python -m tests.ansible.table -->", "<!-- end -->")


def variables(ansible: Path) -> str:
    """All roles' variables, from their argument specifications."""
    lines = []
    for file in sorted(ansible.glob("roles/*/meta/argument_specs.yml")):
        main = yaml.safe_load(file.read_text())["argument_specs"]["main"]
        role = file.parts[-3]
        lines += [f"### {role}", "", main["short_description"] + ".", ""]
        lines += ["| variable | type | default | meaning |", "|---|---|---|---|"]
        lines += rows(main["options"], "")
        lines.append("")
    return "\n".join(lines)


def rows(options: dict[str, Any], above: str) -> list[str]:
    found = []
    for name, spec in options.items():
        default = "must be given" if spec.get("required") else f"`{spec.get('default', '')!r}`"
        if not spec.get("required") and "default" not in spec:
            default = "none" if above else "the counter's own"
        text = spec["description"].replace("|", "\\|")
        if choices := spec.get("choices"):
            text += " One of " + ", ".join(f"`{choice}`" for choice in choices) + "."
        kind = spec["type"] + (f" of {spec['elements']}" if "elements" in spec else "")
        found.append(f"| `{above}{name}` | {kind} | {default} | {text} |")
        found += rows(spec.get("options", {}), f"{above}{name}[].")
    return found


def main() -> None:
    root = Path(__file__).parents[2]
    page = root / "docs/ansible.md"
    before, begin, rest = page.read_text().partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    page.write_text(f"{before}{begin}\n\n{variables(root / 'ansible')}\n{end}{after}")


if __name__ == "__main__":
    main()
