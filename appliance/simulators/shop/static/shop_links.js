// On a bench the pages stand in a frame: the counter beside them takes the links, and a code is a scan.
"use strict";
if (parent !== window) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-link], [data-scan]");
    if (!link) return;
    event.preventDefault();
    const { link: kassaLink, scan: kassaScan } = link.dataset;
    parent.postMessage(kassaLink ? { kassaLink } : { kassaScan }, "*");
  });
  const { returned } = document.body.dataset;
  if (returned) parent.postMessage({ kassaReturned: returned }, "*");
}
