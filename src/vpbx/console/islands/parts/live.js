// What the server tells as it happens: <div data-stream="/path"> shows the newest piece of page.
// A tab that nobody looks at is not connected; browsers allow few connections to one server.

import { headings } from "./tables.js";

let source = null;

function connect() {
  const board = document.querySelector("[data-stream]");
  const wanted = board && document.visibilityState === "visible";
  if (source && (!wanted || source.board !== board)) {
    source.close();
    source = null;
  }
  if (!wanted || source) return;
  source = new EventSource(board.dataset.stream);
  source.board = board;
  source.onopen = () => lost(true);
  source.onerror = () => lost(false);
  source.onmessage = (event) => {
    board.pending = event.data;
    show(board);
  };
}

function lost(isThere) {
  const sign = document.querySelector("[data-lost]");
  if (sign) sign.hidden = isThere;
}

// Not under the hands of somebody who types or has a menu open.
function show(board) {
  const busy = board.querySelector("details[open]") ||
    (board.contains(document.activeElement) && document.activeElement.matches("input"));
  if (board.pending === undefined || busy) return;
  const text = board.pending;
  delete board.pending;
  board.innerHTML = text;
  window.htmx.process(board);
  headings(board);
  tick();
}

function tick() {
  for (const time of document.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, Math.floor((Date.now() - Number(time.dataset.since)) / 1000));
    const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    if (!parts[0]) parts.shift();
    time.textContent = parts.map((part, at) => (at ? String(part).padStart(2, "0") : part)).join(":");
  }
  const board = document.querySelector("[data-stream]");
  if (board) show(board);
}

setInterval(tick, 1000);
document.addEventListener("DOMContentLoaded", () => (connect(), tick()));
document.addEventListener("visibilitychange", connect);
document.addEventListener("htmx:after:swap", (event) => {
  if (event.detail?.ctx?.target?.id === "told") {  // a button of the board was pressed
    for (const sheet of document.querySelectorAll("[data-stream] details[open]")) sheet.open = false;
  }
  connect();
  tick();
});
