// What is wrong with the layout of what is shown: cut off, too small, covered. Empty when all is well.
() => {
  document.body.classList.remove("settling"); // or nothing could be tapped for a moment
  const found = [];
  const say = (what, element) => found.push(`${what}: ${element.tagName.toLowerCase()}${element.id ? "#" + element.id : ""}.${element.getAttribute("class") ?? ""} "${(element.textContent ?? "").trim().slice(0, 40)}"`);
  const width = innerWidth, height = innerHeight;
  const page = document.scrollingElement;
  if (page.scrollWidth > width || page.scrollHeight > height) found.push(`the page scrolls: ${page.scrollWidth} x ${page.scrollHeight}`);

  const scrollerOf = (element) => element.parentElement?.closest(".scroll") ?? null;
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest(".unseen, dialog:not([open]), [hidden]");

  for (const element of document.querySelectorAll("#screen *")) {
    if (!isShown(element) || element.closest("svg")) continue;
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    if (box.width === 0 || box.height === 0) continue;
    const hasText = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const scroller = scrollerOf(element);
    // Nothing leaves the screen; in a list that scrolls, nothing leaves it sideways.
    if (hasText || element.matches("button, .cell, .box")) {
      const frame = scroller?.getBoundingClientRect() ?? { left: 0, right: width, top: 0, bottom: height };
      if (box.left < frame.left - 1 || box.right > frame.right + 1) say("outside at a side", element);
      if (!scroller && (box.top < -1 || box.bottom > height + 1)) say("outside at top or bottom", element);
    }
    // Text is cut only where it says so with an ellipsis, and a code, an amount or a button never is.
    const cutsWide = element.scrollWidth > element.clientWidth + 1 && style.overflowX !== "visible" && style.display !== "inline";
    const cutsHigh = element.scrollHeight > element.clientHeight + 2 && style.overflowY === "hidden";
    const mayCut = style.textOverflow === "ellipsis" || style.webkitLineClamp !== "none" || element.matches(".scroll, .detail");
    if ((cutsWide || cutsHigh) && !mayCut) say("cut off", element);
    if (element.matches("button, .due, .code, h1, .row-amount, .count, .second")) {
      if (element.scrollWidth > element.clientWidth + 1 && style.display !== "inline") say("wider than its box", element);
    }
    // A text without a break that is wider than its block sticks out of it.
    if (hasText && style.display !== "inline") {
      const range = document.createRange();
      range.selectNodeContents(element);
      const text = range.getBoundingClientRect();
      const pane = element.closest(".pane, .bar, .foot, dialog").getBoundingClientRect();
      if (!mayCut && text.right > pane.right + 1) say("text leaves its pane", element);
    }
    if (element.matches(".pane") && element.scrollHeight > element.clientHeight + 1) say("more than its pane holds", element);
  }

  for (const button of document.querySelectorAll("#screen button, #keypad[open] button")) {
    if (!isShown(button)) continue;
    const box = button.getBoundingClientRect();
    if (box.width < 63.5 || box.height < 63.5) say(`smaller than 64 px (${box.width} x ${box.height})`, button);
    const scroller = scrollerOf(button)?.getBoundingClientRect();
    const x = box.left + box.width / 2, y = box.top + box.height / 2;
    if (scroller && (y < scroller.top || y > scroller.bottom)) continue; // to be scrolled to
    if (document.querySelector("dialog[open]") && !button.closest("dialog")) continue;
    if (!button.contains(document.elementFromPoint(x, y))) say("covered", button);
  }
  // What has to be confirmed about the customer is never below a fold.
  for (const check of document.querySelectorAll(".toggle")) {
    const box = check.getBoundingClientRect(), frame = check.closest(".scroll").getBoundingClientRect();
    if (box.bottom > frame.bottom + 1) say("below the fold", check);
  }
  // No two blocks of the same pane overlap.
  for (const pane of document.querySelectorAll(".pane")) {
    const blocks = [...pane.children].filter((child) => isShown(child) && child.getBoundingClientRect().height > 0);
    blocks.forEach((block, at) => {
      const next = blocks[at + 1];
      if (next && block.getBoundingClientRect().bottom > next.getBoundingClientRect().top + 1) say("overlaps what is below", block);
    });
  }
  return found;
}
