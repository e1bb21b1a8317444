// Follows what happens: the ledger sends a part of this page again whenever it has changed. Without this script the page is whole, and
// shows what was true when it was asked for.
"use strict";
(() => {
  const part = document.querySelector("[data-live]");
  if (!part) return;
  let source = null;
  const follow = () => {
    if (document.hidden || source) return;
    source = new EventSource(part.dataset.live);
    source.addEventListener("part", (event) => {
      // A reader who has moved into it by keyboard, opened something or marked a text isn't disturbed.
      const selection = document.getSelection();
      const isMarked = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
      if (isMarked || part.contains(document.activeElement) || part.querySelector("details[open]")) return;
      part.innerHTML = event.data;
    });
    source.addEventListener("end", leave);
  };
  const leave = () => {
    if (source) source.close();
    source = null;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : follow()));
  addEventListener("pagehide", leave);
  follow();
})();
