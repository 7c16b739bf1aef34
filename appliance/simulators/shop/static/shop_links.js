// On a bench the pages stand in a frame: the counter beside them takes the links, and a code is a scan.
// Loaded before there is anything to click: a link would start another program otherwise.
"use strict";
if (parent !== window) {
  document.addEventListener("click", (event) => {
    const found = event.target.closest("[data-link], [data-scan]");
    if (!found) return;
    event.preventDefault();
    const { link: kassaLink, scan: kassaScan } = found.dataset;
    parent.postMessage(kassaLink ? { kassaLink } : { kassaScan }, "*");
  });
  document.addEventListener("DOMContentLoaded", () => {
    const { returned } = document.body.dataset;
    if (returned) parent.postMessage({ kassaReturned: returned }, "*");
  });
}
