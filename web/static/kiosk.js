// The browser's part: fetch the screen when it has changed, put it in place, send what people do.
// It knows nothing of orders or money, and keeps nothing but the characters typed so far.
"use strict";
(() => {
  const POLL_MS = 5000, AGAIN_MS = 1000, ANSWER_MS = 2500, COMMAND_MS = 8000, GONE_MS = 3000;
  const SETTLE_MS = 250, GLUED_MS = 50, DOUBLE_MS = 400, FORGET_MS = 20000, LONGEST_CODE = 128, MOST_LEFT = 20, BLANK_MS = 60000;
  const byId = (id) => document.getElementById(id);
  const screen = () => byId("screen");
  const may = (action) => screen().dataset.actions.split(" ").includes(action);
  const keypad = byId("keypad");
  let heardAt = performance.now(), failedAt = 0, skew = 0, zone = 0;
  let fetching = false, again = false, asked = false, settled = 0;
  let typed = "", typedAt = 0, gluedAt = -Infinity, toggled = "", toggledAt = 0;

  // --- the screen ---------------------------------------------------------------------------
  // Old and new are compared and only differences are changed: focus, scroll and a finger that
  // is down survive. Another id is another thing and is replaced, never turned into the new one.
  function morph(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
      old.replaceWith(fresh);
    } else if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
    } else if (!old.isEqualNode(fresh)) {
      for (const { name } of [...old.attributes]) {
        if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name); // a dialog is the reader's to close
      }
      for (const { name, value } of [...fresh.attributes]) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
      const [before, after] = [[...old.childNodes], [...fresh.childNodes]];
      after.forEach((node, at) => (at < before.length ? morph(before[at], node) : old.append(node)));
      before.slice(after.length).forEach((node) => node.remove());
    }
  }

  function show(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("screen");
    if (!fresh) throw new Error("no screen in the answer");
    const old = screen().dataset, { turns } = old;
    const marked = sight()?.id, ticked = new Set(lines().map((line) => line.id));
    if (fresh.dataset.app !== old.app) return void location.reload(); // the program is a new one
    if (Number(fresh.dataset.seq) < Number(old.seq)) return; // overtaken on its way
    const turned = fresh.dataset.key !== old.key;
    const held = document.activeElement, at = buttons().indexOf(held);
    morph(screen(), document.adoptNode(fresh));
    setTabStops(); // before the focus is looked at: the list that has it lost its stop just now
    if (turned) settle(), light(), scrollTo(0, 0), byId("troubles")?.close();
    if (turns !== screen().dataset.turns) nextLanguage();
    if (held?.id && document.activeElement === document.body) {
      // On another page the same button means something else: whoever uses keys starts anew. What
      // was confirmed is no button any more: the next of its kind follows it.
      const next = byId(held.id) ?? buttons().find((b, n) => n === at && b.dataset.action === held.dataset.action);
      ((!turned && next) || document.querySelector("main")).focus({ preventScroll: true });
    }
    reveal(marked, ticked);
    announce();
    if (!may("scan")) close();
    setClock();
    leave();
  }

  // Who sent a link wants its result at an address: this page goes there by itself, once for each.
  function leave() {
    const { leave: address, leaveId } = screen().dataset;
    const left = JSON.parse(sessionStorage.getItem("left") ?? "[]");
    if (!address || left.includes(leaveId)) return;
    sessionStorage.setItem("left", JSON.stringify([...left, leaveId].slice(-MOST_LEFT)));
    location.assign(address);
  }

  // What the scanner or a key has moved to is brought into sight, as it may be below the fold:
  // the marked row of a list, and after a tick the next open line.
  const buttons = () => [...document.querySelectorAll("#screen button")];
  const sight = () => document.querySelector("main [aria-current]");
  const lines = () => [...document.querySelectorAll(".tick.done")];
  function reveal(marked, ticked) {
    let next = lines().find((line) => !ticked.has(line.id));
    while (next?.classList.contains("done")) next = next.nextElementSibling;
    if (sight()?.id !== marked) next = sight();
    next?.scrollIntoView({ block: "nearest" });
  }

  // Only a list that has more than it shows is a stop for Tab: who uses keys scrolls it there.
  function setTabStops() {
    for (const list of document.querySelectorAll(".scroll")) {
      if (list.scrollHeight > list.clientHeight) list.tabIndex = 0;
      else list.removeAttribute("tabindex");
    }
  }

  // A finger or a key on its way to the old page must not press the new one.
  function settle() {
    document.body.classList.add("settling");
    clearTimeout(settled);
    settled = setTimeout(() => document.body.classList.remove("settling"), SETTLE_MS);
  }

  const isSettling = () => document.body.classList.contains("settling");

  function announce() {
    const parts = document.querySelectorAll("main :is(h1, .second, .banner-title, #amount), #notice p");
    const said = [...parts].map((part) => part.innerText.replace(/[ \n]+/g, " ").trim());
    const sentences = said.filter(Boolean).map((text) => (/[.?…]$/.test(text) ? text : `${text}.`)).join(" ");
    document.title = `${screen().dataset.title} · Kassa`;
    if (byId("say").textContent !== sentences) byId("say").textContent = sentences;
  }

  function setClock() {
    const { at } = screen().dataset;
    skew = Date.parse(at) - Date.now();
    zone = Date.parse(`${at.slice(0, 23)}Z`) - Date.parse(at);
    tick();
  }

  function tick() {
    byId("clock").textContent = new Date(Date.now() + skew + zone).toISOString().slice(11, 16);
  }

  // --- talking to the program ---------------------------------------------------------------
  const ask = (path, wait, options = {}) =>
    fetch(path, { cache: "no-store", signal: AbortSignal.timeout(wait), ...options });
  const post = (path, wait, body, options = {}) =>
    ask(path, wait, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), ...options });

  const heard = () => { heardAt = performance.now(); failedAt = 0; byId("gone").hidden = true; };
  const failed = () => (failedAt ||= performance.now());

  async function refresh() {
    if (fetching) return void (again = true);
    fetching = true;
    try {
      do {
        again = false;
        show(await (await ask("/screen", ANSWER_MS)).text());
        heard();
      } while (again);
    } catch (error) {
      failed();
      console.warn(error);
    } finally { fetching = false; }
  }

  function listen() {
    const stream = new EventSource("/events");
    stream.addEventListener("changed", ({ data }) => { if (data !== screen().dataset.seq) refresh(); });
    stream.onerror = () => {
      refresh();
      if (stream.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN_MS);
    };
  }

  // Each command carries an id and the seq of the screen it was meant for: sent twice or too
  // late, it does nothing, and the answer is the screen as it is. A scan is about what is there.
  async function send(action, argument) {
    if (asked && action !== "scan") return;
    asked = true;
    document.body.classList.add("asked");
    try {
      const seq = action === "scan" ? null : Number(screen().dataset.seq);
      const answer = await post("/command", COMMAND_MS, { id: crypto.randomUUID(), action, argument, seq });
      show(await answer.text()); // done or not, the answer is the screen
      heard();
    } catch (error) {
      console.warn(error);
      refresh();
    } finally {
      asked = false;
      document.body.classList.remove("asked");
    }
  }

  async function speak(language) {
    if ((await post("/language", ANSWER_MS, { language })).ok) location.reload();
  }
  function nextLanguage() { // the scanner asked for it
    const all = screen().dataset.languages.split(" ");
    if (all.length > 1) speak(all[(all.indexOf(document.documentElement.lang) + 1) % all.length]);
  }

  // --- typing: a keyboard, a scanner that types, the key pad ---------------------------------
  function type(text) {
    typed = text.slice(0, LONGEST_CODE);
    typedAt = performance.now();
    byId("keypad-code").textContent = typed;
    byId("typed").firstElementChild.textContent = typed;
    byId("typed").hidden = typed === "" || keypad.open;
  }
  const open = () => { keypad.showModal(); type(typed); };
  const close = () => keypad.open && keypad.close(); // which forgets what was typed, see below
  function submit() {
    const code = typed.trim();
    type("");
    if (code) close(), settle(), gluedAt = performance.now(), send("scan", code); // a second line end must not press anything
  }
  // What follows a code without a pause is of the same barcode: a symbol can hold a line end and,
  // behind it, a command. Nobody types or scans so soon again.
  function isGlued() {
    const now = performance.now(), isSo = now - gluedAt < GLUED_MS;
    if (isSo) gluedAt = now;
    return isSo;
  }
  function press(key) {
    if (key === "Enter") submit();
    else if (key === "Escape") close();
    else if (key === "Backspace") type(typed.slice(0, -1));
    else type(typed + key);
  }

  // What a scanner means by a key, whatever layout the keyboard has just now. Who has opened the
  // key pad types by hand, and may mean a letter that is not Latin.
  function character(event) {
    const plain = /^(?:Key|Digit)([A-Z0-9])$/.exec(event.code);
    if (event.key > "~" && plain && !keypad.open) return event.shiftKey ? plain[1] : plain[1].toLowerCase();
    return event.key;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (isGlued()) return event.preventDefault();
    if (event.key === "Enter" && event.repeat) return event.preventDefault(); // held down, not meant
    const key = character(event);
    const isText = key.length === 1 && (key !== " " || typed !== "");
    if (key === "Escape" && byId("troubles")?.open) return; // the browser closes it
    if (key === "Escape" && !keypad.open) {
      if (typed) type("");
      else if (may("cancel") && !event.repeat) send("cancel", "");
    } else if (isSettling() && typed === "" && (event.key === "Enter" || event.key === " ")) {
      // Nobody can have meant what has only just come up.
    } else if (isText || (typed && (event.key === "Enter" || event.key === "Backspace"))) press(isText ? key : event.key);
    else return; // Tab, Enter and space on what has the focus are the browser's
    event.preventDefault();
  });
  keypad.addEventListener("close", () => type(""));

  // The second half of a double tap would take back what the first has just ticked.
  function isSecondTap(id) {
    const now = performance.now(), isSecond = id === toggled && now - toggledAt < DOUBLE_MS;
    [toggled, toggledAt] = [id, now];
    return isSecond;
  }

  document.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    const { action, argument, key, language } = button.dataset;
    if (button.ariaPressed && isSecondTap(button.id)) return;
    if (action) send(action, argument);
    else if (key) press(key);
    else if ("keypad" in button.dataset) open();
    else if ("dialog" in button.dataset) byId(button.dataset.dialog).showModal(), setTabStops();
    else if ("close" in button.dataset) button.closest("dialog").close();
    else if ("alphabet" in button.dataset) for (const keys of keypad.querySelectorAll(".letters")) keys.hidden = !keys.hidden;
    else if (language) speak(language);
  });
  document.addEventListener("contextmenu", (event) => event.preventDefault());

  // --- the night ------------------------------------------------------------------------------
  // Between two times of the day an idle screen that nobody uses is black. A touch that lights it
  // does nothing else: nobody sees what is under the finger. A key does what it does: it may be the
  // first of a code that a scanner types.
  const { blankFrom, blankUntil } = document.body.dataset;
  let usedAt = performance.now();
  const isNight = (time) => (blankFrom < blankUntil ? blankFrom <= time && time < blankUntil : blankFrom <= time || time < blankUntil);
  function blank() {
    const rests = screen().dataset.page === "idle" && performance.now() - usedAt >= BLANK_MS;
    byId("blank").hidden = !(blankFrom && rests && isNight(byId("clock").textContent));
  }
  const light = () => { usedAt = performance.now(); byId("blank").hidden = true; };
  addEventListener("keydown", light, { capture: true });
  addEventListener("pointerdown", () => { usedAt = performance.now(); }, { capture: true });
  byId("blank").addEventListener("click", light); // the click that would follow finds nothing below

  // --- time -----------------------------------------------------------------------------------
  setInterval(() => {
    const now = performance.now();
    tick();
    blank();
    if (typed && !keypad.open && now - typedAt > FORGET_MS) type("");
    if (failedAt && now - failedAt >= GONE_MS) byId("gone").hidden = false;
    if (now - heardAt >= POLL_MS || failedAt) refresh();
  }, AGAIN_MS);

  // Only a page that is really drawn beats: a frame comes, and the screen is not covered.
  setInterval(() => requestAnimationFrame(() => {
    if (byId("gone").hidden) post("/heartbeat", ANSWER_MS, { page: screen().dataset.page }).catch(failed);
  }), Number(document.body.dataset.heartbeat) * 1000);

  // The watchdog hears that a page leaves, as none of ours draws until somebody comes back.
  addEventListener("pagehide", () => {
    post("/heartbeat", ANSWER_MS, { page: "elsewhere" }, { keepalive: true }).catch(console.warn);
  });

  setClock();
  setTabStops();
  addEventListener("resize", setTabStops);
  announce();
  listen();
  leave();
})();
