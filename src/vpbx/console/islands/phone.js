// The softphone beside every page: SIP by JsSIP over the WebSocket at /sip, sound by WebRTC.
//
// It registers with a password of some minutes that the session is given (POST /phone/pass), in
// one tab of the browser at a time: whoever holds the lock. The page around it changes without
// being loaded anew, so a call goes on.
import JsSIP from "jssip";
import { Sound } from "./parts/sound.js";
import { Panel } from "./parts/panel.js";
import { Frame, waitForOwner } from "./parts/framed.js";

const LOCK = "vpbx-phone";
const REGISTER_S = 120;

class Phone {
  constructor(root) {
    this.root = root;
    this.words = JSON.parse(root.dataset.words);
    this.calls = [];
    this.sound = new Sound(root.querySelector("[data-phone-audio]"));
    this.panel = new Panel(root, this);
    const site = document.body.dataset.widget;
    this.frame = site ? new Frame(site) : null;
    this.frame?.serve(this);
    this.tabs = this.frame ? null : new BroadcastChannel(LOCK);
    this.tabs?.addEventListener("message", ({ data }) => {
      if (this.ua && typeof data?.number === "string") this.panel.fill(data.number);
    });
    this.start();
  }

  // A number that a link in another page has brought goes to the tab that has the phone.
  pass_on(number) {
    this.tabs?.postMessage({ number });
    this.panel.note(this.words.passed_on);
  }

  // Whose turn it is

  start() {
    if (!navigator.mediaDevices || !navigator.locks) return this.say("insecure");
    this.want({ ifAvailable: true });
  }

  take() {
    this.want({ steal: true });
  }

  async want(options) {
    try {
      await navigator.locks.request(LOCK, options, (lock) => (lock ? this.hold() : this.say("elsewhere")));
    } catch (error) {
      if (error.name === "SecurityError") return this.hold(); // a frame that shares nothing
      this.lost(); // another tab took it
    }
    this.want({}); // until that tab is closed
  }

  hold() {
    this.say("connecting");
    this.connect().catch(() => this.retry());
    return new Promise(() => {}); // kept until the tab is closed
  }

  lost() {
    for (const call of [...this.calls]) call.session.terminate();
    this.leave();
    this.say("elsewhere");
  }

  leave() {
    const ua = this.ua;
    this.ua = null;
    clearTimeout(this.renewal);
    ua?.stop();
  }

  // Registering

  async pass() {
    const answer = await fetch("/phone/pass", {
      method: "POST",
      headers: { "X-CSRF": this.root.dataset.csrf, "Content-Type": "application/x-www-form-urlencoded" },
      redirect: "manual",
    });
    if (answer.type === "opaqueredirect" || answer.status === 403) throw new Refused();
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  async connect() {
    const pass = await this.pass().catch((error) => {
      if (!(error instanceof Refused)) throw error;
      this.say("refused");
    });
    if (!pass) return;
    this.domain = pass.realm;
    this.ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(pass.socket)],
      uri: pass.uri,
      display_name: pass.name,
      realm: pass.realm,
      authorization_user: pass.username,
      password: pass.password,
      register_expires: REGISTER_S,
      session_timers: false,
      user_agent: "vpbx-console",
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 15,
    });
    this.ua.on("registered", () => this.say("ready"));
    this.ua.on("disconnected", () => this.ua && this.say("connecting"));
    this.ua.on("registrationFailed", ({ cause }) => {
      if (cause === JsSIP.C.causes.AUTHENTICATION_ERROR || cause === JsSIP.C.causes.REJECTED) this.renew(true);
    });
    this.ua.on("newRTCSession", ({ session }) => this.add(session));
    this.ua.start();
    this.renewal = setTimeout(() => this.renew(), pass.renew_s * 1000);
  }

  async renew(now = false) {
    clearTimeout(this.renewal);
    let next = 15;
    try {
      const pass = await this.pass();
      this.ua?.set("authorization_user", pass.username);
      this.ua?.set("password", pass.password);
      next = pass.renew_s;
      if (now) setTimeout(() => this.ua?.register(), 1000);
    } catch (error) {
      if (error instanceof Refused) {
        this.leave();
        return this.say("refused");
      }
    }
    this.renewal = setTimeout(() => this.renew(), next * 1000);
  }

  retry() {
    this.say("off");
    this.renewal = setTimeout(() => this.connect().catch(() => this.retry()), 10_000);
  }

  say(state) {
    if (state === "ready" && this.state !== "ready") this.frame?.post("ready");
    this.state = state;
    this.panel.show();
    if (state === "elsewhere" && this.panel.brought) {
      this.pass_on(this.panel.brought);
      this.panel.brought = "";
    }
  }

  // Calls

  async dial(number) {
    const target = number.replace(/[\s()\u00a0-]/g, "");
    if (!target || !this.ua?.isRegistered()) return;
    const stream = await this.microphone();
    if (!stream) return;
    this.holdOthers(null);
    this.ua.call(`sip:${encodeURIComponent(target).replace(/%2B/g, "+")}@${this.domain}`, {
      mediaStream: stream,
      pcConfig: { iceServers: [] },
    });
  }

  async microphone() {
    try {
      return await this.sound.microphone();
    } catch {
      this.panel.note(this.words.no_sound);
      return null;
    }
  }

  add(session) {
    const call = { session, state: session.direction === "incoming" ? "incoming" : "calling", id: crypto.randomUUID() };
    const other = session.remote_identity;
    call.number = other.uri.user;
    call.name = other.display_name && other.display_name !== other.uri.user ? other.display_name : "";
    this.calls.push(call);
    session.on("progress", () => this.move(call, call.state === "calling" ? "ringing" : call.state));
    session.on("accepted", () => this.talk(call));
    session.on("confirmed", () => this.talk(call));
    session.on("hold", () => this.panel.show());
    session.on("unhold", () => this.panel.show());
    session.on("muted", () => this.panel.show());
    session.on("unmuted", () => this.panel.show());
    session.on("failed", ({ cause, originator }) => this.end(call, originator === "local" ? "" : cause));
    session.on("ended", () => this.end(call, ""));
    if (session.connection) this.listen(call, session.connection);
    session.on("peerconnection", ({ peerconnection }) => this.listen(call, peerconnection));
    call.knowing = this.know(call);
    session.on("progress", () => { call.knowing = this.know(call); this.ringing(call); });
    if (call.state === "incoming") {
      this.ringing(call);
      this.sound.ring(this.calls.length > 1);
      this.panel.open();
      this.panel.notify(call);
    }
    this.panel.show();
  }

  // What the server knows of a call: its callid, the customer's name and card in the CRM.
  async know(call) {
    if (call.callid || call.asked === call.state) return;
    call.asked = call.state;
    const answer = await fetch("/phone/calls", { redirect: "manual" }).catch(() => null);
    if (!answer?.ok || call.callid) return;
    const known = new Set(this.calls.map((each) => each.callid));
    const mine = (await answer.json()).filter((each) => !known.has(each.callid));
    const tail = (number) => String(number).replace(/\D/g, "").slice(-7);
    const way = call.session.direction === "incoming" ? "in" : "out";
    const found = mine.find((each) => each.direction === way && tail(each.number) === tail(call.number)) ??
      mine.find((each) => tail(each.number) === tail(call.number)) ?? (mine.length === 1 ? mine[0] : null);
    if (!found) return;
    call.callid = found.callid;
    call.card = found.card;
    call.name ||= found.name;
    this.panel.show();
  }

  ringing(call) {
    if (call.rang) return;
    call.rang = true;
    this.frame?.tell("ringing", call);
  }

  listen(call, connection) {
    connection.addEventListener("track", ({ track, streams }) => {
      call.stream = streams[0] ?? new MediaStream([track]);
      if (this.current === call || !this.current) this.sound.play(call.stream);
    });
  }

  talk(call) {
    if (call.state === "talking") return;
    call.since = Date.now();
    this.ringing(call); // who answers at once has rung
    this.frame?.tell("answered", call);
    this.move(call, "talking");
    this.current = call;
    if (call.stream) this.sound.play(call.stream);
    this.settleRing();
  }

  move(call, state) {
    call.state = state;
    this.panel.show();
  }

  async answer(call) {
    const stream = await this.microphone();
    if (!stream) return;
    this.holdOthers(call);
    call.session.answer({ mediaStream: stream, pcConfig: { iceServers: [] } });
  }

  hangup(call) {
    if (call.session.isEnded()) return;
    if (call.state === "incoming") call.session.terminate({ status_code: 486 });
    else call.session.terminate();
  }

  toggleHold(call) {
    if (call.session.isOnHold().local) {
      this.holdOthers(call);
      this.current = call;
      call.session.unhold();
      if (call.stream) this.sound.play(call.stream);
    } else {
      call.session.hold();
    }
  }

  toggleMute(call) {
    if (call.session.isMuted().audio) call.session.unmute({ audio: true });
    else call.session.mute({ audio: true });
  }

  holdOthers(but) {
    for (const other of this.calls) {
      if (other !== but && other.state === "talking" && !other.session.isOnHold().local) other.session.hold();
    }
  }

  transfer(call, number) {
    const target = number.replace(/[\s()\u00a0-]/g, "");
    if (!target) return;
    this.refer(call, `sip:${target}@${this.domain}`, {});
  }

  // Connect the one on hold with the one we talk to.
  join(call) {
    const other = this.calls.find((each) => each !== call && each.state === "talking");
    if (other) this.refer(call, other.session.remote_identity.uri.toString(), { replaces: other.session });
  }

  refer(call, target, options) {
    call.session.refer(target, {
      ...options,
      eventHandlers: {
        accepted: () => { this.panel.note(this.words.transferred); this.hangup(call); },
        failed: () => this.panel.note(this.words.not_transferred),
        requestFailed: () => this.panel.note(this.words.not_transferred),
      },
    });
  }

  press(key) {
    const call = this.calls.find((each) => each.state === "talking" && !each.session.isOnHold().local);
    if (!call) return false;
    call.session.sendDTMF(key, { transportType: JsSIP.C.DTMF_TRANSPORT.RFC2833, duration: 160, interToneGap: 70 });
    return true;
  }

  end(call, cause) {
    this.calls = this.calls.filter((each) => each !== call);
    this.frame?.tell("ended", call);
    setTimeout(() => this.panel.fetchContacts(), 1000); // it is among the last calls by then
    if (this.current === call) this.current = null;
    const causes = JsSIP.C.causes;
    const why = {
      [causes.BUSY]: "busy", [causes.NO_ANSWER]: "no_answer", [causes.REQUEST_TIMEOUT]: "no_answer",
      [causes.UNAVAILABLE]: "no_answer", [causes.NOT_FOUND]: "not_found", [causes.REJECTED]: "declined",
    }[cause] ?? (cause && call.state !== "incoming" ? "failed" : "ended");
    this.settleRing();
    if (!this.calls.length) this.sound.stopMicrophone();
    this.panel.note(this.words[why]);
  }

  settleRing() {
    if (this.calls.some((call) => call.state === "incoming")) this.sound.ring(this.calls.length > 1);
    else this.sound.quiet();
  }
}

class Refused extends Error {}

function begin() {
  const ask = document.querySelector("[data-widget-ask]");
  if (ask) return waitForOwner(ask);
  const root = document.getElementById("phone");
  if (!root) return window.vpbxPhone?.leave(); // nobody is logged in any more
  if (!root.dataset.begun) {
    root.dataset.begun = "1";
    window.vpbxPhone = new Phone(root);
  }
  window.vpbxPhone.panel.landed();
}

document.addEventListener("DOMContentLoaded", begin);
document.addEventListener("htmx:after:swap", begin);
window.addEventListener("beforeunload", (event) => {
  if (window.vpbxPhone?.calls.length) event.preventDefault();
});
window.addEventListener("pagehide", () => window.vpbxPhone?.leave());
