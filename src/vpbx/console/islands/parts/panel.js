// What is seen of the softphone, and what is clicked. Names and numbers come from outside: they
// are written as text, never as markup.

const DOTS = { ready: "on" };
const FRESH_S = 10;

// An address of the company's CRM, as far as it is one that may be opened.
function cardOf(text) {
  try {
    const url = new URL(text);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : "";
  } catch {
    return "";
  }
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export class Panel {
  constructor(root, phone) {
    this.root = root;
    this.phone = phone;
    this.find = (selector) => root.querySelector(selector);
    this.input = this.find("[data-phone-dial] input");
    this.find("[data-phone=toggle]").addEventListener("click", () => this.open(this.find(".phone-panel").hidden));
    this.find("[data-phone=take]").addEventListener("click", () => phone.take());
    this.find("[data-phone=notify]").addEventListener("click", () => Notification.requestPermission().then(() => this.devices()));
    this.find("[data-phone-dial]").addEventListener("submit", (event) => {
      event.preventDefault();
      const chosen = this.found.length && !/\d/.test(this.input.value) ? this.found[0].ext : this.input.value;
      phone.dial(chosen);
      this.input.value = "";
      this.list();
    });
    this.input.addEventListener("input", () => this.list());
    for (const key of root.querySelectorAll("[data-phone-key]")) {
      key.addEventListener("click", () => this.key(key.dataset.phoneKey));
    }
    for (const select of root.querySelectorAll("[data-phone-device]")) {
      select.addEventListener("change", () => {
        phone.sound.choose(select.dataset.phoneDevice, select.value);
        if (select.dataset.phoneDevice === "audioinput") phone.speakInto();
      });
    }
    navigator.mediaDevices?.addEventListener("devicechange", () => {
      this.devices();
      phone.speakAgain();
    });
    root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.open(false);
    });
    this.contacts = [];
    this.recents = [];
    this.found = [];
    setInterval(() => this.tick(), 1000);
  }

  open(open = true) {
    this.find(".phone-panel").hidden = !open;
    this.phone.frame?.post("size", { open });
    this.find("[data-phone=toggle]").setAttribute("aria-expanded", String(open));
    if (open) {
      this.fetchContacts();
      this.devices();
    }
  }

  // A page has come: it may bring a number to call, and links to phone numbers.
  landed() {
    const asked = document.querySelector("[data-phone-number]:not([data-seen])");
    if (asked) {
      asked.dataset.seen = "1";
      this.brought = asked.dataset.phoneNumber;
      this.fill(this.brought);
      if (this.phone.state === "elsewhere") {
        this.phone.pass_on(this.brought);
        this.brought = "";
      }
    }
    document.querySelector("[data-phone-links]")?.addEventListener("click", () => {
      navigator.registerProtocolHandler("tel", `${location.origin}/phone?call=%s`);
    });
  }

  fill(number) {
    this.input.value = number.slice(0, 64);
    this.open();
    this.list();
    this.input.focus();
  }

  key(key) {
    if (!this.phone.press(key)) {
      this.input.value += key;
      this.list();
    }
  }

  // People

  async fetchContacts() {
    [this.contacts, this.recents] = await Promise.all([this.ask("/phone/contacts"), this.ask("/phone/recents")]);
    this.list();
    this.listRecents();
  }

  // What colleagues do now, while they are looked at.
  async freshen() {
    if (this.find(".phone-panel").hidden || document.visibilityState !== "visible") return;
    const found = await this.ask("/phone/contacts");
    if (JSON.stringify(found) === JSON.stringify(this.contacts)) return;
    this.contacts = found;
    this.list();
  }

  ask(path) {
    return fetch(path, { redirect: "manual" }).then((answer) => (answer.ok ? answer.json() : []), () => []);
  }

  list() {
    const wanted = this.input.value.trim().toLowerCase();
    const digits = wanted.replace(/\D/g, "");
    const has = (each) => `${each.name} ${each.ext}`.toLowerCase().includes(wanted) || (digits && each.ext.includes(digits));
    this.found = this.contacts.filter(has);
    if (wanted) this.found.push(...this.customers().filter(has));
    this.find("[data-phone-contacts]").replaceChildren(...this.found.slice(0, 50).map((each) => {
      const dot = element("span", { className: `dot ${{ free: "on", talks: "busy" }[each.state] ?? ""}` });
      const button = element("button", { type: "button" }, dot, each.name, element("span", { className: "ext" }, each.shown ?? each.ext));
      button.addEventListener("click", () => this.phone.dial(each.ext));
      return element("li", {}, button);
    }));
  }

  // Customers one has talked to, by the names the CRM gave.
  customers() {
    const seen = new Set(this.contacts.map((each) => each.ext));
    const found = [];
    for (const each of this.recents) {
      if (!each.number || !each.name || seen.has(each.number)) continue;
      seen.add(each.number);
      found.push({ name: each.name, ext: each.number, shown: each.shown, state: "" });
    }
    return found;
  }

  listRecents() {
    const { words } = this.phone;
    this.find("[data-phone-recents]").replaceChildren(...this.recents.map((each) => {
      const kind = each.missed ? words.missed : words[`way_${each.direction}`];
      const who = element("span", { className: "grow" }, each.name || each.shown || words.unknown);
      const more = element("span", { className: "sub" }, `${kind} · ${each.at}${each.name && each.shown ? ` · ${each.shown}` : ""}`);
      const button = element("button", { type: "button", className: each.missed ? "missed" : "", disabled: !each.number }, who, more);
      button.addEventListener("click", () => this.phone.dial(each.number));
      const line = element("li", {}, button);
      const customer = cardOf(each.card);
      if (customer) line.append(this.cardLink(customer, words.card));
      return line;
    }));
    this.find("[data-phone=recents]").hidden = !this.recents.length;
  }

  async devices() {
    const words = this.phone.words;
    const found = await this.phone.sound.devices();
    for (const select of this.root.querySelectorAll("[data-phone-device]")) {
      const kind = select.dataset.phoneDevice === "ring" ? "audiooutput" : select.dataset.phoneDevice;
      const chosen = this.phone.sound.chosen[select.dataset.phoneDevice] ?? "";
      const options = found.filter((each) => each.kind === kind && each.deviceId && each.deviceId !== "default");
      select.replaceChildren(
        element("option", { value: "", textContent: words.default_device }),
        ...options.map((each) => element("option", { value: each.deviceId, textContent: each.label || each.deviceId.slice(0, 8) })),
      );
      select.value = options.some((each) => each.deviceId === chosen) ? chosen : "";
    }
    this.find("[data-phone=notify]").hidden = !("Notification" in window) || Notification.permission !== "default";
  }

  // Calls

  show() {
    const { words, state, calls } = this.phone;
    const others = state === "elsewhere" && !calls.length ? this.phone.others : [];
    const live = [...calls, ...others].find((call) => call.state === "talking") ?? calls[0] ?? others[0];
    this.find("[data-phone-status]").textContent = live ? `${words[live.state]}: ${live.name || live.number}` : words[state] ?? "";
    this.find("[data-phone-dot]").className = `dot ${calls.length ? "busy" : DOTS[state] ?? ""}`;
    const take = this.find("[data-phone=take]");
    take.hidden = state !== "elsewhere" || calls.length > 0;
    take.disabled = others.some((call) => !call.dialog);
    take.textContent = !others.length ? words.take : live.state === "incoming" ? words.answer_here : words.take_call;
    this.find("[data-phone-dial]").hidden = state === "elsewhere" || state === "refused" || state === "insecure";
    this.root.dataset.state = state;
    const box = this.find("[data-phone-calls]");
    const focused = box.contains(document.activeElement) ? document.activeElement.textContent : "";
    box.replaceChildren(...calls.map((call) => this.card(call)), ...(this.said ? [element("p", { className: "hint" }, this.said)] : []));
    this.phone.tell();
    if (focused) [...box.querySelectorAll("button")].find((each) => each.textContent === focused)?.focus();
  }

  card(call) {
    const { words, phone } = { words: this.phone.words, phone: this.phone };
    const held = call.state === "talking" && call.session.isOnHold().local;
    const state = element("span", { className: "sub" }, held ? words.held : words[call.state]);
    const card = element("div", { className: `phone-call ${call.state}` },
      element("strong", {}, call.name || call.number || words.unknown),
      element("span", {}, call.name ? call.number : ""),
      state);
    const customer = cardOf(call.card);
    if (customer) card.append(this.cardLink(customer, words.card));
    card.dataset.state = held ? "held" : call.state;
    call.clock = call.state === "talking" && !held ? state : null;
    const buttons = element("div", { className: "buttons" });
    const button = (text, act, kind = "") => {
      const made = element("button", { type: "button", className: `button small ${kind}`, textContent: text });
      made.addEventListener("click", act);
      buttons.append(made);
    };
    if (call.state === "incoming") {
      button(words.answer, () => phone.answer(call), "primary");
      button(words.decline, () => phone.hangup(call), "danger");
    } else {
      if (call.state === "talking") {
        button(held ? words.resume : words.hold, () => phone.toggleHold(call));
        button(call.session.isMuted().audio ? words.unmute : words.mute, () => phone.toggleMute(call));
        button(words.transfer, () => phone.transfer(call, this.input.value));
        if (phone.calls.filter((each) => each.state === "talking").length > 1) button(words.connect, () => phone.join(call));
      }
      button(words.hang_up, () => phone.hangup(call), "danger");
    }
    card.append(buttons);
    return card;
  }

  cardLink(url, text) {
    return element("a", { href: url, target: "_blank", rel: "noopener noreferrer", className: "phone-card", textContent: text });
  }

  tick() {
    this.ticks = (this.ticks ?? 0) + 1;
    if (this.ticks % FRESH_S === 0) this.freshen();
    for (const call of this.phone.calls) {
      if (!call.clock) continue;
      const seconds = Math.floor((Date.now() - call.since) / 1000);
      const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      call.clock.textContent = `${this.phone.words.talking} ${clock}`;
    }
  }

  note(text) {
    this.said = text;
    this.show();
    clearTimeout(this.forget);
    this.forget = setTimeout(() => { this.said = ""; this.show(); }, 5000);
  }

  notify(call) {
    if (!("Notification" in window) || Notification.permission !== "granted" || document.hasFocus()) return;
    const { words } = this.phone;
    const text = { body: `${call.name} ${call.number}`.trim(), tag: call.id };
    const actions = [{ action: "answer", title: words.answer }, { action: "decline", title: words.decline }];
    // By a service worker, as mobiles want it; it also lets one answer from there.
    const shown = this.worker().then((worker) => worker.showNotification(words.incoming, { ...text, actions, requireInteraction: true }));
    const plain = shown.then(() => null, () => {
      const made = new Notification(words.incoming, text);
      made.onclick = () => { window.focus(); made.close(); };
      return made;
    });
    const close = async () => {
      (await plain)?.close();
      for (const each of await this.worker().then((worker) => worker.getNotifications({ tag: call.id }), () => [])) each.close();
    };
    call.session.on("accepted", close);
    call.session.on("failed", close);
  }

  async worker() {
    await navigator.serviceWorker.register("/phone-worker.js");
    return navigator.serviceWorker.ready;
  }

  // What was chosen in a notification.
  chosen({ call: id, action }) {
    const call = this.phone.calls.find((each) => each.id === id && each.state === "incoming");
    if (!call) return;
    this.open();
    if (action === "answer") this.phone.answer(call);
    if (action === "decline") this.phone.hangup(call);
  }
}
