// The phone in another site's page (see widget.js): it is told what happens, and may dial.
// `origin` is the one site that may frame this page (frame-ancestors), so nobody else hears it.

const ASK_MS = 1500;

export class Frame {
  constructor(origin) {
    this.origin = origin;
  }

  post(type, detail = {}) {
    if (window.parent !== window) window.parent.postMessage({ source: "vpbx-phone", type, ...detail }, this.origin);
  }

  // What becomes of a call, in order, each with the callid once the server has said it.
  tell(type, call) {
    call.telling = (call.telling ?? Promise.resolve()).then(async () => {
      await call.knowing;
      this.post(type, {
        callid: call.callid ?? "",
        phone: call.number ?? "",
        name: call.name ?? "",
        direction: call.way,
      });
    });
  }

  serve(phone) {
    this.phone = phone;
    window.addEventListener("message", (event) => {
      if (event.origin !== this.origin || event.source !== window.parent) return;
      const { source, type, number, callid, open } = event.data ?? {};
      if (source !== "vpbx-page") return;
      if (type === "dial" && typeof number === "string" && number.length <= 64) this.dial(number);
      if (type === "hangup") phone.calls.filter((call) => !callid || call.callid === callid).forEach((call) => phone.hangup(call));
      if (type === "open") phone.panel.open(open === true);
    });
  }

  dial(number) {
    if (!this.phone.ua?.isRegistered()) return this.post("error", { reason: "not_ready", phone: number });
    this.phone.panel.open();
    this.phone.dial(number);
  }
}

// Nobody is logged in here: wait until they are, in the tab that the link opens.
export function waitForOwner(box) {
  const body = new URLSearchParams({ code: box.dataset.widgetAsk, secret: box.dataset.widgetSecret });
  const ask = async () => {
    const answer = await fetch("/widget/session", { method: "POST", body }).catch(() => null);
    if (answer?.status === 200) return location.reload();
    if (answer?.status === 410) {
      box.querySelector("[data-widget-gone]").hidden = false;
      return undefined;
    }
    return setTimeout(ask, ASK_MS);
  };
  box.querySelector("[data-widget-link]").addEventListener("click", () => setTimeout(ask, ASK_MS), { once: true });
}
