"""The counter's memory: what the loop knows. Whatever must last is a fact in the journal first;
the rest (which page is shown, who is at the devices) may be lost in a restart."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from appliance.counter.link_facts import Asked
from appliance.counter.screen import Leave, LogLine, Notice, Page, Pairing
from appliance.domain import handover as ho
from appliance.domain.errors import Bug, Code
from appliance.domain.facts import Fact, Kind
from appliance.domain.order import Order
from appliance.domain.receipt import Document
from appliance.ports import Health, Plugged, Prompt, Seller, SellerList
from appliance.protocols.links.messages import Act
from appliance.protocols.role_lines import NOTHING as NO_ROLES
from appliance.protocols.role_lines import Given
from appliance.protocols.shopapi import order_from_json

LOG_LINES = 12


@dataclass(frozen=True, slots=True)
class Job:
    """One print job. began: some of it may already be on paper, so a repeat is marked as a copy.
    code: why it does not print now."""

    id: str
    handover: str
    what: str  # "receipt", "merchant", "declined"
    document: Document
    began: bool = False
    code: str = ""


@dataclass(frozen=True, slots=True)
class RefusedFact:
    """A fact that the shop will never take."""

    subject: str
    fact: str
    order: str
    reason: str
    at: str


@dataclass(slots=True)
class Place:
    """What the person at the counter looks at."""

    page: Page = Page.IDLE
    handover: str = ""  # on every page about a handover
    code: Code | None = None  # REFUSED, OUT_OF_ORDER
    about: str = ""
    detail: str = ""
    order: Order | None = None
    receipt_of: str = ""  # REFUSED: the handover whose receipt can be printed again
    selected: int = 0


@dataclass(frozen=True, slots=True)
class Paired:
    """id: the subject of its facts. name: what the device calls itself. hash: of its token, SHA-256
    in hex. at: when it was paired, ISO 8601 UTC."""

    id: str
    name: str
    hash: str
    at: str


def paired_from(fact: Fact) -> Paired:
    """The device that this fact has paired. Raises Bug for any other fact."""
    if fact.kind is not Kind.DEVICE_PAIRED:
        raise Bug(f"device {fact.subject} does not begin with its pairing")
    return Paired(fact.subject, str(fact.body["name"]), str(fact.body["hash"]), fact.at)


@dataclass(frozen=True, slots=True)
class Adopted:
    """A device that was given a role here. id: the subject of its facts. line: what the file of
    roles is to say of it (`role_lines`). name, port: what it was called, and where it was then.
    at: ISO 8601 UTC."""

    id: str
    role: str
    line: str
    name: str
    port: str
    at: str

    @property
    def model(self) -> str:
        return self.line.rpartition(" ")[2]


def adopted_from(fact: Fact) -> Adopted:
    """The device that this fact has adopted. Raises Bug for any other fact."""
    if fact.kind is not Kind.DEVICE_ADOPTED:
        raise Bug(f"device {fact.subject} does not begin with its adoption")
    role, line, name, port = (str(fact.body[key]) for key in ("role", "line", "name", "port"))
    return Adopted(fact.subject, role, line, name, port, fact.at)


@dataclass(slots=True)
class Dialogue:
    """The running payment as the counter sees it, for the screen."""

    prompt: Prompt = Prompt.WAIT
    words: str = ""
    log: deque[LogLine] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    ask_until: str = ""


@dataclass(slots=True)
class State:
    handovers: dict[str, ho.Handover] = field(default_factory=dict)  # open ones
    opened_at: dict[str, str] = field(default_factory=dict)
    jobs: OrderedDict[str, Job] = field(default_factory=OrderedDict)  # open ones, oldest first
    receipts: dict[str, str] = field(default_factory=dict)  # handover -> state of its receipt
    slips: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # payment -> kind -> lines
    refused_facts: dict[str, RefusedFact] = field(default_factory=dict)
    damaged_journal: tuple[str, str] | None = None  # subject, file
    orders: dict[str, Order] = field(default_factory=dict)  # the shop's snapshot
    malformed: Mapping[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)  # scanned code -> order id
    is_fetched: bool = False
    sellers: SellerList | None = None
    seller: Seller | None = None
    seller_until: float = 0.0
    asked_at: float = float("-inf")  # when the shop was asked for a claim, or to renew it
    devices: dict[str, Health] = field(default_factory=dict)
    place: Place = field(default_factory=Place)
    dialogue: Dialogue = field(default_factory=Dialogue)
    is_offline: set[str] = field(default_factory=set)  # handovers opened from old figures
    notice: Notice | None = None
    notice_until: float = 0.0
    fault: tuple[Code, str] | None = None  # the journal cannot be written
    handed_over_today: int = 0
    undelivered: int = 0
    language_turns: int = 0
    asking: set[str] = field(default_factory=set)  # payments that the terminal is asked about
    last_started: str = ""  # the newest charge of this run: the terminal's memory is about it
    last_receipt: str = ""  # the handover of the newest receipt
    links: dict[str, Asked] = field(default_factory=dict)  # open ones, oldest first
    leave: tuple[Leave, float | None] | None = None  # and until when; None before the idle page
    paired: dict[str, Paired] = field(default_factory=dict)
    may_pair: bool = False  # there is a listener for devices
    pairing: Pairing | None = None
    adopted: dict[str, Adopted] = field(default_factory=dict)  # by role
    plugged: tuple[Plugged, ...] | None = None  # None until somebody has looked
    given: Given = NO_ROLES
    terminal_changed_at: float = float("-inf")  # when another one was last wished for, or none

    @property
    def focus(self) -> ho.Handover | None:
        """The handover that the page is about."""
        return self.handovers.get(self.place.handover)

    def served(self, handover_id: str) -> Asked | None:
        """The request of another cash desk that this handover is only the payment for."""
        for asked in self.links.values():
            if asked.handover == handover_id and asked.link.act is Act.PAY:
                return asked
        return None

    def running(self) -> ho.Handover | None:
        """The handover that the terminal is, or may be, busy with."""
        for handover in self.handovers.values():
            if handover.state is ho.State.PAYING:
                return handover
        return None


def replay_handover(facts: Iterable[Fact]) -> ho.Handover:
    """A handover as its facts make it. Effects are not repeated: see `handover.recover`."""
    handover: ho.Handover | None = None
    for fact in facts:
        order = order_in(fact)
        if handover is None:
            if fact.kind is not Kind.OPENED or order is None:
                raise Bug(f"handover {fact.subject} does not begin with its order")
            handover = ho.new(fact.subject, order)
        handover, _ = ho.step(handover, fact, order)
    if handover is None:
        raise Bug("a handover without facts")
    return handover


def order_in(fact: Fact) -> Order | None:
    """The order's snapshot that the fact carries, if any."""
    snapshot = fact.body.get("snapshot")
    return order_from_json(snapshot) if isinstance(snapshot, dict) else None


def slips_in(facts: Iterable[Fact]) -> dict[str, dict[str, list[str]]]:
    """The terminal's slips by payment and kind."""
    found: dict[str, dict[str, list[str]]] = {}
    for fact in facts:
        if fact.kind is Kind.SLIP:
            lines = fact.body.get("lines")
            kinds = found.setdefault(str(fact.body["payment"]), {})
            kinds[str(fact.body["slip"])] = (
                [str(x) for x in lines] if isinstance(lines, list) else []
            )
    return found


def replay_job(facts: Iterable[Fact]) -> Job:
    """A print job as its facts make it."""
    job: Job | None = None
    for fact in facts:
        body = fact.body
        if fact.kind is Kind.PRINT_QUEUED:
            document = Document.from_json(body["document"])
            job = Job(
                fact.subject,
                str(body["handover"]),
                str(body["what"]),
                replace(document, receipt_of=str(body.get("receipt_of", ""))),
                began=job is not None and job.began,  # queued again: a wanted reprint
            )
        elif job is None:
            raise Bug(f"print job {fact.subject} does not begin with its document")
        elif fact.kind is Kind.PRINT_STARTED:
            job = replace(job, began=True)
        elif fact.kind is Kind.PRINT_FAILED:
            job = replace(job, code=str(body["code"]))
    if job is None:
        raise Bug("a print job without facts")
    return job
