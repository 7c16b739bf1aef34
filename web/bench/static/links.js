// The bench's page for links. The server reads and builds them; this shows what it says.
"use strict";

const $ = (id) => document.getElementById(id);
const READ_AFTER_MS = 150, FOLLOW_MS = 500;

function make(tag, text) {
  const node = document.createElement(tag);
  node.textContent = text;
  return node;
}

async function ask(path, body) {
  const asked = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Kassa": "bench" },
    body: JSON.stringify(body),
  };
  try {
    return await (await fetch(path, asked)).json();
  } catch (error) {
    return { error: "The demo does not answer: " + error.message };
  }
}

let reading = 0, newest = 0;
function readSoon() {
  clearTimeout(reading);
  reading = setTimeout(readNow, READ_AFTER_MS);
}

async function readNow() {
  const link = $("link").value.trim(), mine = ++newest;
  const told = link ? await ask("/links/read", { link }) : {};
  if (mine !== newest) return; // something newer is being read
  $("error").textContent = told.error || "";
  $("rows").replaceChildren(...(told.rows || []).map(([name, value]) => {
    const row = document.createElement("tr");
    row.append(make("th", name), make("td", value));
    return row;
  }));
  $("seal").textContent = told.seal || "";
  $("signed").hidden = !told.signed;
  $("signed").querySelector("pre").textContent = told.signed || "";
  const answers = told.answers || [];
  $("answers-title").hidden = !answers.length;
  $("answers").replaceChildren(...answers.flatMap(({ outcome, address }) => [make("dt", outcome), make("dd", address)]));
  $("send").disabled = told.kind === "result" || !link;
}
$("link").addEventListener("input", readSoon);

$("builder").addEventListener("submit", async (event) => {
  event.preventDefault();
  const told = await ask("/links/build", Object.fromEntries(new FormData($("builder"))));
  if (told.error) {
    $("error").textContent = told.error;
    return;
  }
  $("link").value = told.link;
  $("symbol").src = "/code.svg?kind=qr&text=" + encodeURIComponent(told.link);
  readNow();
});
$("symbol").addEventListener("load", () => { $("symbol").hidden = false; });
$("symbol").addEventListener("error", () => { $("symbol").hidden = true; }); // too long for one

$("builder").elements.format.addEventListener("change", () => {
  const { format, signed, act } = $("builder").elements;
  const isOurs = "signed" in format.selectedOptions[0].dataset;
  signed.disabled = act.disabled = !isOurs;
});

let following = 0;
$("send").addEventListener("click", async () => {
  clearTimeout(following);
  showSent(await ask("/links/send", { link: $("link").value.trim() }));
});

function showSent(told) {
  const said = [told.state, told.outcome, told.reason, told.code, told.text].filter(Boolean);
  $("sent").textContent = told.error || said.join(" · ");
  if (told.address) {
    const there = make("a", "open what it answers");
    there.href = told.address;
    there.target = "_blank";
    there.rel = "noreferrer";
    $("sent").append(" ", there);
  }
  if (told.state === "waiting" || told.state === "open") {
    following = setTimeout(async () => showSent(await ask("/links/sent/" + told.id)), FOLLOW_MS);
  }
}
readNow();
