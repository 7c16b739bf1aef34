// The bench's page. The server holds the state; this draws it and sends what is clicked.
"use strict";

const $ = (id) => document.getElementById(id);
const all = (selector) => [...document.querySelectorAll(selector)];
const page = document.body.dataset;
let state = null;
let story = "";

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// --- to the server ---------------------------------------------------------------------------

let quiet = 0;
function say(text) {
  $("said").textContent = text;
  $("said").hidden = false;
  clearTimeout(quiet);
  quiet = setTimeout(() => { $("said").hidden = true; }, 5000);
}

async function act(action, argument = "") {
  try {
    const answer = await fetch("/do", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Kassa": "bench" },
      body: JSON.stringify({ action, argument }),
    });
    const told = await answer.json();
    if (!answer.ok) say(told.error);
    return answer.ok ? told : null;
  } catch (error) {
    say("The demo does not answer: " + error.message);
    return null;
  }
}

let storyOrder = "";  // what "scan it again" scans
async function step(button) {
  const what = button.dataset.do, argument = button.dataset.argument;
  if (what === "new-order") show($("tab-orders"));  // or it would come where nobody looks
  const done = what === "scan-again" ? await act("scan", storyOrder) : await act(what, argument);
  if (!done) return;
  if (what === "terminal-tap" || what === "tap-soon" || what === "decline-soon") showCard("tapped", 900);
  if (what === "terminal-insert") showCard("inserted", 2500);
  if (what === "scan-fresh") storyOrder = done.scanned;
  if (!("step" in button.dataset)) return;
  const steps = [...button.closest("ol").querySelectorAll("button")];
  const at = steps.indexOf(button);
  steps.forEach((one, number) => {
    one.classList.toggle("done", number <= at);
    one.classList.toggle("next", number === at + 1);
  });
}

let cardGone = 0;
function showCard(name, milliseconds) {
  const body = $("terminal").classList;
  body.remove("tapped", "inserted");
  body.add(name);
  clearTimeout(cardGone);
  cardGone = setTimeout(() => body.remove(name), milliseconds);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.do) step(button);
  else if (button.dataset.switch) {
    const on = button.getAttribute("aria-checked") !== "true";
    act("switch", button.dataset.switch + (on ? ":on" : ":off"));
  } else if (button.dataset.story) tell(button.dataset.story);
  else if (button.getAttribute("role") === "tab") show(button);
  else if (button.dataset.paper) read(make("img"), "/paper/" + button.dataset.paper + ".svg");
});

function tell(name) {
  story = story === name ? "" : name;
  for (const button of all("[data-story]")) button.setAttribute("aria-pressed", String(button.dataset.story === story));
  for (const part of all("[data-coach]")) {
    part.hidden = part.dataset.coach !== story;
    part.querySelectorAll("button").forEach((button, number) => button.className = number ? "" : "next");
  }
  if (story) act("prepare", story);
}

function show(tab) {
  for (const other of tab.parentNode.querySelectorAll('[role="tab"]')) {
    other.setAttribute("aria-selected", String(other === tab));
    $(other.getAttribute("aria-controls")).hidden = other !== tab;
  }
  if (tab.id === "tab-staff" && !$("staff").getAttribute("src")) $("staff").src = page.staff;
  fit();
  drawMore();
}

function scanFrom(input) {
  const text = input.value.trim();
  input.value = "";
  input.focus();
  if (text) act("scan", text);
}
$("scan-form").addEventListener("submit", (event) => { event.preventDefault(); scanFrom($("scan-text")); });
$("sheet-text").addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); scanFrom($("sheet-text")); } });

// --- what the shop's pages in the frames ask for ------------------------------------------------

const SHOP = new URL(page.staff).origin, FOLLOW_MS = 500;
window.addEventListener("message", (event) => {
  if (event.origin !== SHOP) return;
  const { kassaScan, kassaLink, kassaReturned } = event.data ?? {};
  if (kassaScan) show($("tab-kiosk")), act("scan", kassaScan);
  else if (kassaLink) follow(kassaLink);
  else if (kassaReturned && event.source === $("kiosk").contentWindow) {
    // The counter's page has gone back to the shop, as it does on a real kiosk: here the shop has a
    // page of its own.
    $("staff").src = SHOP + kassaReturned;
    $("kiosk").src = page.kiosk;
    show($("tab-staff"));
  }
});

async function askCounter(path, body) {
  const asked = body && {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Kassa": "bench" },
    body: JSON.stringify(body),
  };
  const answer = await fetch(path, asked);
  return answer.json();
}

async function follow(link) {  // until it has ended; then the shop's page is where it wanted to be
  show($("tab-kiosk"));
  try {
    let told = await askCounter("/links/send", { link });
    while (told.state === "waiting" || told.state === "open") {
      await new Promise((done) => setTimeout(done, FOLLOW_MS));
      told = await askCounter("/links/sent/" + told.id);
    }
    if (told.error || !told.outcome) return say(told.error || told.text || "The counter cannot say now");
    say("The link has ended: " + [told.outcome, told.reason, told.text].filter(Boolean).join(", "));
    if (told.address && new URL(told.address).origin === SHOP) $("staff").src = told.address;
  } catch (error) {
    say("The demo does not answer: " + error.message);
  }
}

// --- the counter's screen, at its own size, scaled to what room there is ---------------------

function fit() {
  const [width, height] = $("size").value.split("x").map(Number);
  const view = $("view-kiosk"), edge = 16;
  if (!view.clientWidth) return;
  const scale = Math.min((view.clientWidth - edge) / width, (view.clientHeight - edge) / height);
  const kiosk = $("kiosk").style, bezel = $("bezel").style, dark = $("dark").style;
  kiosk.width = width + "px"; kiosk.height = height + "px"; kiosk.transform = `scale(${scale})`;
  dark.width = bezel.width = width * scale + edge + "px";
  dark.height = bezel.height = height * scale + edge + "px";
}
new ResizeObserver(fit).observe($("view-kiosk"));
$("size").addEventListener("change", fit);

// --- what the server tells --------------------------------------------------------------------

function draw(now) {
  const before = state;
  state = now;
  drawKiosk(before, now);
  drawTerminal(now.terminal);
  drawPrinter(now.printer);
  drawOrders(now.orders);
  drawBank(now.bank);
  for (const button of all("[data-switch]")) button.setAttribute("aria-checked", String(Boolean(now.faults[button.dataset.switch])));
  const plug = document.querySelector('.row [data-switch="terminal-plug"]');
  plug.textContent = now.faults["terminal-plug"] ? "Plug it in" : "Pull its plug";
}

const DARK = {
  off: "The counter has no power.",
  starting: "The counter starts …",
  died: "The counter's program has ended by itself.",
};
function drawKiosk(before, now) {
  const power = now.kiosk.power;
  $("dark").hidden = power === "on";
  $("dark-says").textContent = DARK[power] || "";
  $("dark-button").hidden = power === "starting";
  if (before && power === "on" && (before.kiosk.power !== "on" || before.kiosk.starts !== now.kiosk.starts)) $("kiosk").src = page.kiosk;
}

function drawTerminal(terminal) {
  $("display").textContent = terminal.text;
  const body = $("terminal").classList;
  body.toggle("wants", terminal.wants_card);
  body.toggle("off", !terminal.is_on);
  $("tap").classList.toggle("call", terminal.wants_card);
  $("slips-open").textContent = terminal.slips.length ? `Its slips (${terminal.slips.length})` : "Its slips";
  $("slips-open").disabled = !terminal.slips.length;
}
$("slips-open").addEventListener("click", () => {
  read(make("pre", "", state.terminal.slips.map((slip) => slip.join("\n")).join("\n\n- - - - - - - - - - - -\n\n")));
});

function drawPrinter(printer) {
  $("printer").classList.toggle("bad", printer.is_troubled);
  $("printer-says").textContent = printer.says;
  const roll = $("roll");
  roll.querySelector(".none").hidden = printer.papers.length > 0;
  const there = new Set(all("#roll button").map((button) => button.dataset.paper));
  const wanted = new Set(printer.papers.map((paper) => paper.id));
  for (const button of all("#roll button")) if (!wanted.has(button.dataset.paper)) button.remove();
  const first = there.size === 0 && printer.papers.length > 1;
  for (const paper of printer.papers) {  // oldest first
    if (there.has(paper.id)) continue;
    const button = make("button", first ? "" : "new");
    const picture = make("img");
    picture.src = "/paper/" + paper.id + ".svg";
    picture.alt = paper.title;
    button.dataset.paper = paper.id;
    button.title = "Read it";
    button.append(picture);
    roll.prepend(button);
    roll.scrollTop = 0;
  }
}

function read(node, source) {
  if (source) node.src = source;
  $("reading").replaceChildren(node);
  $("reader").showModal();
}
$("reader").addEventListener("click", (event) => { if (event.target === $("reader")) $("reader").close(); });

const FLASH_MS = 2500;
const chips = new Map();  // by code: the chip and the order that it shows, as text
function drawOrders(orders) {
  const view = $("view-orders"), isFirst = chips.size === 0, there = new Set(orders.map((order) => order.code));
  // A column is as wide as the longest amount needs, whatever the currency.
  view.style.setProperty("--letters", Math.max(...orders.map((order) => order.amount.length)));
  for (const [code, known] of chips) if (!there.has(code)) { known.chip.remove(); chips.delete(code); }
  orders.forEach((order, at) => {
    const text = JSON.stringify(order), known = chips.get(order.code);
    if (known && known.text === text) return;
    const chip = chipOf(order);
    chips.set(order.code, { chip, text });
    if (known) known.chip.replaceWith(chip);
    else view.insertBefore(chip, view.children[at] || null);
    if (!known && !isFirst) flash(chip);
  });
  drawMore();
}

function chipOf(order) {
  const chip = make("button", "chip " + order.kind + (order.is_open ? "" : " over"));
  chip.type = "button";
  chip.dataset.do = "scan";
  chip.dataset.argument = order.code;
  chip.title = order.code + ", " + order.customer + ", " + order.amount + ": " + order.says;
  chip.append(make("b", "", order.number), make("em", "", order.amount), make("span", "", order.says));
  return chip;
}

function flash(chip) {
  chip.classList.add("fresh");
  chip.scrollIntoView({ block: "nearest" });
  setTimeout(() => chip.classList.remove("fresh"), FLASH_MS);
}

function drawMore() {  // how many chips are below the edge
  const view = $("view-orders"), edge = view.getBoundingClientRect().bottom;
  const count = [...view.children].filter((chip) => chip.getBoundingClientRect().top >= edge - 1).length;
  $("more").hidden = view.hidden || !count;
  $("more").textContent = count + " more below";
}
$("view-orders").addEventListener("scroll", drawMore);
new ResizeObserver(drawMore).observe($("view-orders"));
$("more").addEventListener("click", () => $("view-orders").lastElementChild.scrollIntoView({ block: "nearest" }));

function drawBank(bank) {
  $("verdict").className = "verdict " + bank.mood;
  $("verdict").textContent = bank.verdict;
  $("bookings").replaceChildren(...bank.bookings.map((booking) => {
    const row = make("li", booking.is_reversed ? "back" : "");
    row.append(make("b", "", booking.title), make("b", "", booking.amount), make("span", "", booking.says));
    return row;
  }));
}

// --- barcodes for a real scanner --------------------------------------------------------------

function drawSheet() {
  const kind = document.querySelector('[name="symbol"]:checked').value;
  const wanted = [
    ...state.orders.map((order) => [order.code, order.number + " " + order.customer]),
    ...all("#view-cards .chip").map((chip) => [chip.dataset.argument, chip.querySelector("b").textContent]),
  ];
  $("codes").replaceChildren(...wanted.map(([code, title]) => {
    const figure = make("figure"), picture = make("img"), caption = make("figcaption", "", title + " ");
    picture.src = "/code.svg?kind=" + kind + "&text=" + encodeURIComponent(code);
    picture.alt = code;
    caption.append(make("span", "", code));
    figure.append(picture, caption);
    return figure;
  }));
}
$("sheet-open").addEventListener("click", () => { drawSheet(); $("sheet").showModal(); $("sheet-text").focus(); });
for (const choice of all('[name="symbol"]')) choice.addEventListener("change", () => { drawSheet(); $("sheet-text").focus(); });

// --- life ---------------------------------------------------------------------------------------

const events = new EventSource("/events");
let lost = 0;
events.addEventListener("state", (event) => { clearTimeout(lost); lost = 0; $("gone").hidden = true; draw(JSON.parse(event.data)); });
events.onerror = () => { if (!lost) lost = setTimeout(() => { $("gone").hidden = false; }, 3000); };
fit();
