// Microphone, loudspeaker and the bell, on the devices that were chosen.

const KEPT = "vpbx-sound";

// A frame in another site's page may not keep anything.
function kept(text) {
  try {
    if (text !== undefined) localStorage.setItem(KEPT, text);
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

export class Sound {
  constructor(audio) {
    this.audio = audio;
    this.chosen = JSON.parse(kept() ?? "{}");
    this.stream = null;
    this.copies = [];
  }

  choose(kind, device) {
    this.chosen[kind] = device;
    kept(JSON.stringify(this.chosen));
    if (kind === "audiooutput") this.audio.setSinkId?.(device).catch(() => {});
  }

  async microphone() {
    const device = this.chosen.audioinput;
    const wanted = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    if (!this.stream?.active) {
      this.stream = await navigator.mediaDevices
        .getUserMedia({ audio: device ? { ...wanted, deviceId: { exact: device } } : wanted })
        .catch(() => navigator.mediaDevices.getUserMedia({ audio: wanted }));
    }
    // Each call has its own copy: muting one leaves the others.
    const copy = this.stream.clone();
    this.copies.push(copy);
    return copy;
  }

  // Take the chosen microphone anew with the next call that wants it.
  forgetMicrophone() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
  }

  // Nobody talks any more: the browser is to show no microphone in use.
  stopMicrophone() {
    this.forgetMicrophone();
    for (const copy of this.copies.splice(0)) copy.getTracks().forEach((track) => track.stop());
  }

  play(stream) {
    if (this.audio.srcObject !== stream) this.audio.srcObject = stream;
    if (this.chosen.audiooutput) this.audio.setSinkId?.(this.chosen.audiooutput).catch(() => {});
    this.audio.play().catch(() => {});
  }

  // Whether the browser lets this page make a sound by itself (it does once it was clicked in).
  async wake() {
    this.context ??= new AudioContext();
    await Promise.race([this.context.resume(), new Promise((done) => setTimeout(done, 200))]).catch(() => {});
    return this.context.state === "running";
  }

  // Two notes a ring; one short one while another call goes on.
  ring(softly) {
    this.quiet();
    const bell = () => {
      this.wake();
      if (this.chosen.ring) this.context.setSinkId?.(this.chosen.ring).catch(() => {});
      for (const [at, hz] of softly ? [[0, 880]] : [[0, 660], [0.25, 880], [0.5, 660], [0.75, 880]]) {
        const tone = new OscillatorNode(this.context, { frequency: hz });
        const level = new GainNode(this.context, { gain: softly ? 0.03 : 0.12 });
        tone.connect(level).connect(this.context.destination);
        tone.start(this.context.currentTime + at);
        tone.stop(this.context.currentTime + at + 0.2);
      }
    };
    bell();
    this.bell = setInterval(bell, softly ? 5000 : 3000);
  }

  quiet() {
    clearInterval(this.bell);
  }

  async devices() {
    return navigator.mediaDevices?.enumerateDevices() ?? [];
  }
}
