// Keeps the page as the shop's books are: asks every second, and redraws only what has changed.
"use strict";
const part = document.getElementById("part");

async function look() {
  const address = new URL(part.dataset.part, location.href);
  address.searchParams.set("seen", part.firstElementChild?.dataset.seen ?? "");
  try {
    const answer = await fetch(address, { signal: AbortSignal.timeout(5000) });
    // A button that has the focus would lose it under the hands of who is using the keyboard.
    if (answer.status === 200 && !part.contains(document.activeElement)) {
      part.innerHTML = await answer.text();
    }
  } catch (error) {
    console.info("the shop does not answer", error);
  }
  setTimeout(look, 1000);
}

setTimeout(look, 1000);
