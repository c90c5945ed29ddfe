// The phone in a page of another site: <script src="https://HOST/widget.js"></script>.
//
// It makes a frame of ours and speaks with it by messages: what happens comes as events
// (`vpbx:ready`, `vpbx:ringing`, `vpbx:answered`, `vpbx:ended`, on window, with `detail`), and
// `VpbxPhone.dial(number)` calls. Each side looks at where a message is from.
const script = document.currentScript;
const home = new URL(script.src).origin;
const { side = "right", tel, open } = script.dataset;
const CLOSED = 64, WIDTH = 360, OPEN = 560;

const frame = document.createElement("iframe");
frame.src = `${home}/widget?origin=${encodeURIComponent(location.origin)}`;
frame.title = "VPBX";
frame.allow = "microphone; autoplay; speaker-selection";
Object.assign(frame.style, {
  position: "fixed", bottom: "0", [side === "left" ? "left" : "right"]: "1rem", border: "0", zIndex: "2147483000",
  width: `min(${WIDTH}px, 100vw)`, height: `${CLOSED}px`, maxHeight: "100vh", colorScheme: "normal",
});

let ready = false;
const waiting = [];

function send(message) {
  if (ready) frame.contentWindow.postMessage({ source: "vpbx-page", ...message }, home);
  else if (waiting.length < 10) waiting.push(message);
}

window.addEventListener("message", (event) => {
  if (event.origin !== home || event.source !== frame.contentWindow) return;
  const { source, type, ...detail } = event.data ?? {};
  if (source !== "vpbx-phone" || typeof type !== "string") return;
  if (type === "size") {
    frame.style.height = `${detail.open ? OPEN : CLOSED}px`;
    return;
  }
  if (type === "ready") {
    ready = true;
    waiting.splice(0).forEach(send);
  }
  window.dispatchEvent(new CustomEvent(`vpbx:${type}`, { detail }));
});

document.addEventListener("click", (event) => {
  const link = event.target.closest?.(tel === undefined ? "[data-vpbx-dial]" : "[data-vpbx-dial], a[href^='tel:']");
  if (!link) return;
  event.preventDefault();
  window.VpbxPhone.dial(link.dataset.vpbxDial ?? decodeURIComponent(link.getAttribute("href").slice(4)));
});

window.VpbxPhone = {
  frame,
  dial: (number) => send({ type: "dial", number: String(number) }),
  hangup: (callid) => send({ type: "hangup", callid: String(callid ?? "") }),
  open: (wanted = true) => send({ type: "open", open: Boolean(wanted) }),
  on: (type, tell) => window.addEventListener(`vpbx:${type}`, (event) => tell(event.detail)),
};

function show() {
  document.body.append(frame);
  if (open !== undefined) window.VpbxPhone.open();
}

if (document.body) show();
else document.addEventListener("DOMContentLoaded", show);
