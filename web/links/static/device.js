// The page of a paired device: pairs it, hands a link to the counter, and goes where its result is
// wanted. It acts by itself only on what the counter takes for signed; else a person taps first.
"use strict";
(() => {
  const AGAIN_MS = 1000, ANSWER_MS = 45000, LONGEST_WAIT_MS = 3600000;
  const byId = (id) => document.getElementById(id);
  const words = document.body.dataset;
  const say = (text, why = "") => { byId("said").textContent = text; byId("why").textContent = why; };
  const pause = () => new Promise((done) => setTimeout(done, AGAIN_MS));

  // A button that is to be tapped, once.
  const tapped = (text) => new Promise((done) => {
    const button = byId("go");
    button.textContent = text;
    button.hidden = false;
    button.onclick = () => { button.hidden = true; done(); };
  });

  // The counter's answer; a status of 503 where there is none.
  async function ask(path, body) {
    const how = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    try {
      const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS), ...how });
      const isJson = answer.headers.get("Content-Type")?.startsWith("application/json");
      return { status: answer.status, told: isJson ? await answer.json() : {} };
    } catch (error) {
      console.warn(error);
      return { status: 503, told: {} };
    }
  }

  async function home() {
    const { status, told } = await ask("/me");
    if (status === 401) return say(words.notPaired);
    if (status !== 200) return say(words.unknown);
    say(words.paired, told.name);
    if (!navigator.registerProtocolHandler) return;
    await tapped(words.handler);
    navigator.registerProtocolHandler("web+kassa", `${location.origin}/open?link=%s`);
  }

  async function pair() {
    // Behind the #, so that it is in no log and no request but the one that uses it up.
    const code = location.hash.slice(1);
    history.replaceState(null, "", "/pair");
    say(words.pair, words.pairWhy);
    await tapped(words.pair);
    const name = `${navigator.platform || ""} ${navigator.language || ""}`.trim().slice(0, 40) || "?";
    const { status } = await ask("/pair", { code, name });
    if (status !== 204) return say(words.codeRefused);
    history.replaceState(null, "", "/");
    await home();
  }

  async function open() {
    const link = new URLSearchParams(location.search).get("link") ?? "";
    const end = Date.now() + LONGEST_WAIT_MS;
    let confirmed = false, id = "";
    while (Date.now() < end) {
      const { status, told } = id ? await ask(`/link/${id}`) : await ask("/link", { link, confirmed });
      if (status === 401) return say(words.notPaired);
      if (status === 409) {
        say(words.open, words.openWhy);
        await tapped(words.open);
        confirmed = true;
        continue;
      }
      if (status === 200 || status === 422) {
        if (told.address) return location.replace(told.address); // one that the counter allows
        if (told.outcome) return say(words[told.outcome] ?? told.outcome, `${told.code} ${told.text}`.trim());
        id = told.id;
        say(told.state === "open" ? words.going : words.waiting);
      } else say(words.unknown);
      await pause();
    }
  }

  ({ home, pair, open })[words.page]();
})();
