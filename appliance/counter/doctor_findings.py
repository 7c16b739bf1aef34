"""What the doctor finds, the usual cures by code, and the findings as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance.domain.errors import Code, Trouble


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's. ok with a fix is advice; not ok always has one. is_checked: False
    where nothing wrong was found because nothing was asked."""

    name: str
    ok: bool
    what: str
    fix: str = ""
    is_checked: bool = True


FIXES: Final[dict[Code, str]] = {
    Code.TERMINAL_GONE: "switch it on; check its cable and [terminal] address and baud",
    Code.TERMINAL_BUSY: "end what the terminal shows, or wait for it",
    Code.TERMINAL_CURRENCY: "let the provider set the terminal to [counter] currency",
    Code.TERMINAL_SETUP: "check [terminal] password; let the provider initialise the terminal",
    Code.TERMINAL_NONSENSE: "check [terminal] kind and baud, and that nothing else uses the line",
    Code.PRINTER_GONE: "switch it on; check its cable and [printer] address, baud and flow",
    Code.NO_PAPER: "put in a roll",
    Code.COVER_OPEN: "close the cover",
    Code.PRINTER_FAULT: "switch it off and on; clear the cutter; check [printer] profile",
    Code.SCANNER_GONE: "plug it in; check [scanner] address",
    Code.SHOP_TOKEN: "ask the shop's office for a token for this pickup point: [shop] token_file",
    Code.SHOP_MOVED: "set [shop] url to the new address",
    Code.SHOP_NONSENSE: "check [shop] url and kind: something else may answer there",
    Code.SHOP_BUSY: "wait; tell the shop's office if it lasts",
    Code.DISK_FULL: "free space, or mend the disk, of [counter] data_dir",
    Code.JOURNAL_NEWER: "install the release that wrote it, or a later one",
    Code.JOURNAL_DAMAGED: "start the kiosk: it puts the file aside, whole; keep it",
}


def failed(name: str, trouble: Trouble) -> Finding:
    """A trouble as a finding, with its code's usual cure, or else its page of the runbook."""
    fix = FIXES.get(trouble.code, f"see docs/runbook/{trouble.code}.md")
    return Finding(name, False, f"{trouble.code}: {trouble.detail or 'no more is known'}", fix)


def render(findings: Sequence[Finding]) -> str:
    """The findings as text: a line each, and one to sum them up."""
    width = max((len(finding.name) for finding in findings), default=0)
    lines = []
    for finding in findings:
        is_plain = not finding.fix and finding.is_checked
        mark = "FAIL" if not finding.ok else "ok" if is_plain else "note"
        text = f"{mark:<4}  {finding.name:<{width}}  {one_line(finding.what)}"
        lines.append(f"{text}  ->  {one_line(finding.fix)}" if finding.fix else text)
    return "\n".join([*lines, _sum(findings)]) + "\n"


def _sum(findings: Sequence[Finding]) -> str:
    failed = sum(not finding.ok for finding in findings)
    unchecked = sum(not finding.is_checked for finding in findings)
    if not failed and not unchecked:
        return "all well"
    said = f"{failed} of {len(findings)} fail" if failed else "nothing wrong"
    return f"{said}; {unchecked} not checked" if unchecked else said


def one_line(text: str) -> str:
    return " ".join(text.split())
