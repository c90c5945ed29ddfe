// The softphone beside every page: SIP by JsSIP over the WebSocket at /sip, sound by WebRTC.
//
// It registers with a password of some minutes that the session is given (POST /phone/pass), in
// one tab of the browser at a time: whoever holds the lock. The page around it changes without
// being loaded anew, so a call goes on. Another tab that takes the phone takes its calls over
// (INVITE with Replaces, RFC 3891): nobody's talk ends by that. A frame in another site's page
// shares no lock with the tabs; there the server says which of them is heard (`quiet`).
import JsSIP from "jssip";
import { Sound } from "./parts/sound.js";
import { Panel } from "./parts/panel.js";
import { Frame, waitForOwner } from "./parts/framed.js";

const LOCK = "vpbx-phone";
const REGISTER_S = 120;

// A name nobody else has; `crypto.randomUUID` is not there on pages of plain HTTP.
const fresh = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("");

class Phone {
  constructor(root) {
    this.root = root;
    this.words = JSON.parse(root.dataset.words);
    this.page = fresh();
    this.calls = [];
    this.others = []; // the calls of the tab that has the phone
    this.taken = []; // those that come over from there
    this.sound = new Sound(root.querySelector("[data-phone-audio]"));
    this.panel = new Panel(root, this);
    const site = document.body.dataset.widget;
    this.frame = site ? new Frame(site) : null;
    this.frame?.serve(this);
    this.tabs = this.frame ? null : new BroadcastChannel(LOCK);
    this.tabs?.addEventListener("message", ({ data }) => this.hear(data ?? {}));
    for (const event of ["focus", "pointerdown", "keydown"]) window.addEventListener(event, () => this.seen());
    document.addEventListener("visibilitychange", () => this.seen());
    this.start();
    this.tabs?.postMessage({ ask: true });
  }

  // What the tabs of one browser tell each other

  hear({ number, ask, calls }) {
    if (!this.holding) {
      if (!Array.isArray(calls)) return;
      this.others = calls;
      this.panel.show();
    } else if (typeof number === "string") {
      this.panel.fill(number);
    } else if (ask) {
      this.tell();
    }
  }

  tell() {
    if (!this.holding) return;
    this.tabs?.postMessage({ calls: this.calls.map((call) => ({
      dialog: this.dialog(call.session), state: call.state, held: call.session.isOnHold().local,
      way: call.way, name: call.name, number: call.number, callid: call.callid, card: call.card, since: call.since,
    })) });
  }

  // A call's names as the server knows them, for Replaces.
  dialog(session) {
    const id = session._dialog?.id;
    if (id) return `${id.call_id};to-tag=${id.remote_tag};from-tag=${id.local_tag}`;
    const request = session._request;
    return session.direction === "incoming" ? `${request.call_id};to-tag=${request.from_tag};from-tag=${request.to_tag}` : "";
  }

  // The server wants to know which page is looked at, and may make a sound by itself.
  seen() {
    clearTimeout(this.looking);
    this.looking = setTimeout(() => this.report(), Math.max(0, (this.reported ?? 0) + 1000 - Date.now()));
  }

  async report() {
    const looked = document.visibilityState === "visible" && !this.quiet().length; // who rings goes on
    if (!this.ua || (!looked && this.reported)) return;
    this.reported = Date.now();
    const loud = await this.sound.wake();
    this.post("/phone/seen", { page: this.page, loud: loud ? "1" : "", looked: looked ? "1" : "" }).catch(() => {});
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

  // Take the phone from the tab that has it, with its calls.
  async take() {
    if (this.others.some((call) => !call.dialog)) return; // one that it is just placing
    if (this.others.length && !(await this.microphone())) return;
    this.taken = this.others.filter((call) => call.state === "talking" || call.state === "incoming");
    this.others = [];
    this.want({ steal: true });
  }

  bringOver() {
    for (const each of this.taken.splice(0)) this.replace(each);
  }

  async replace({ dialog, held, ...known }) {
    const stream = await this.microphone();
    if (!stream || !this.ua) return;
    const session = this.ua.call(this.ua.configuration.uri.toString(), {
      mediaStream: stream,
      pcConfig: { iceServers: [] },
      extraHeaders: [`Replaces: ${dialog}`, "Require: replaces"],
    });
    const call = this.calls.find((each) => each.session === session);
    if (!call) return;
    const { way, name, number, callid, card, since } = known;
    Object.assign(call, { way, name, number, callid, card, began: since, holds: held, rang: true });
    this.panel.open();
    this.panel.show();
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
    this.holding = true;
    this.others = [];
    this.say("connecting");
    this.connect().catch(() => this.retry());
    return new Promise(() => {}); // kept until the tab is closed
  }

  // Another tab has taken the phone. Its calls are left to it; what it does not take goes on here.
  lost() {
    this.holding = false;
    clearTimeout(this.renewal);
    if (this.calls.length) this.ua?.unregister();
    else this.leave();
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
    const answer = await this.post("/phone/pass", { page: this.page });
    if (answer.type === "opaqueredirect" || answer.status === 403) throw new Refused();
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  post(path, values) {
    const headers = { "X-CSRF": this.root.dataset.csrf };
    return fetch(path, { method: "POST", headers, redirect: "manual", body: new URLSearchParams(values) });
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
    const mine = this.ua;
    const holds = () => this.ua === mine && this.holding;
    mine.on("registered", () => {
      if (!holds()) return;
      this.say("ready");
      if (this.dropped) this.calls.forEach((call) => this.reach(call));
      this.dropped = false;
      this.bringOver();
      this.seen();
    });
    mine.on("disconnected", () => {
      if (!holds()) return;
      this.dropped = true;
      this.say("connecting");
    });
    this.ua.on("registrationFailed", ({ cause }) => {
      if (cause === JsSIP.C.causes.AUTHENTICATION_ERROR || cause === JsSIP.C.causes.REJECTED) this.renew(true);
    });
    this.ua.on("newRTCSession", ({ session, request }) => this.add(session, request));
    this.ua.start();
    this.renewal = setTimeout(() => this.renew(), pass.renew_s * 1000);
  }

  // After the network was away: the server learns by which connection a call is reached now (UPDATE,
  // RFC 3311), we whether it is still there; where sound is lost too, its way is found anew.
  reach({ session, state }) {
    if (state !== "talking") return;
    if (["disconnected", "failed"].includes(session.connection?.iceConnectionState)) {
      session.renegotiate({ rtcOfferConstraints: { iceRestart: true } });
      return;
    }
    session.sendRequest(JsSIP.C.UPDATE, {
      extraHeaders: [`Contact: ${this.ua.contact}`],
      eventHandlers: { onDialogError: () => session.onDialogError() },
    });
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

  // Another microphone was chosen, or the one that was used is gone: calls go on with what there is.
  async speakInto() {
    this.sound.forgetMicrophone();
    for (const { session } of this.calls) {
      const sender = session.connection?.getSenders().find((each) => each.track);
      const stream = sender && (await this.microphone());
      if (!stream) continue;
      const [track] = stream.getAudioTracks();
      track.enabled = sender.track.enabled;
      sender.track.stop();
      await sender.replaceTrack(track);
    }
  }

  speakAgain() {
    const gone = ({ session }) => session.connection?.getSenders().some((each) => each.track?.readyState === "ended");
    if (this.calls.some(gone)) this.speakInto();
  }

  async microphone() {
    try {
      return await this.sound.microphone();
    } catch {
      this.panel.note(this.words.no_sound);
      return null;
    }
  }

  add(session, request) {
    const call = { session, state: session.direction === "incoming" ? "incoming" : "calling", id: fresh() };
    const other = session.remote_identity;
    call.way = session.direction === "incoming" ? "in" : "out";
    call.quiet = call.way === "in" && (request.getHeader("Alert-Info") ?? "").includes("urn:x-vpbx:quiet");
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
      this.settleRing();
      this.panel.open();
      if (call.quiet) this.awaitTurn();
      else this.panel.notify(call);
    }
    this.panel.show();
  }

  quiet() {
    return this.calls.filter((call) => call.quiet && call.state === "incoming");
  }

  // Another page of the browser makes the sound. Should that one be closed, it is our turn.
  awaitTurn() {
    clearInterval(this.turn);
    this.turn = setInterval(async () => {
      if (!this.quiet().length) return clearInterval(this.turn);
      const answer = await fetch(`/phone/heard?page=${this.page}`, { redirect: "manual" }).catch(() => null);
      if (!answer?.ok || !(await answer.json()).heard) return;
      for (const call of this.quiet()) {
        call.quiet = false;
        this.panel.notify(call);
      }
      this.settleRing();
    }, 1500);
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
    const { way } = call;
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
    call.since = call.began ?? Date.now();
    this.ringing(call); // who answers at once has rung
    this.frame?.tell("answered", call);
    this.move(call, "talking");
    this.settleRing();
    if (call.holds) {
      call.holds = false;
      call.session.hold();
      return;
    }
    this.current = call;
    if (call.stream) this.sound.play(call.stream);
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
    if (call.state === "incoming") call.session.terminate({ status_code: 603 }); // wherever else it rings
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
    if (!this.calls.length && !this.holding) this.leave();
    this.panel.note(this.words[why]);
  }

  settleRing() {
    if (this.calls.some((call) => call.state === "incoming" && !call.quiet)) this.sound.ring(this.calls.length > 1);
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
navigator.serviceWorker?.addEventListener("message", ({ data }) => window.vpbxPhone?.panel.chosen(data ?? {}));
