// What cannot be reached, or only by scrolling in two directions. Empty when all is well.
() => {
  document.body.classList.remove("settling");
  const wrong = [], page = document.scrollingElement;
  if (page.scrollWidth > innerWidth) wrong.push(`sideways: ${page.scrollWidth}`);
  for (const element of document.querySelectorAll("#screen button, .toggle, h1, #amount, .cure li")) {
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    element.scrollIntoView({ block: "center" });
    const box = element.getBoundingClientRect();
    const at = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    if (box.right > innerWidth + 1 || !element.contains(at)) wrong.push(element.id || element.textContent);
    if (element.matches("button") && (box.width < 63.5 || box.height < 63.5)) wrong.push(`small ${element.id}`);
  }
  return wrong;
}
