// Media: a greeting spoken into the browser instead of a file. What was recorded becomes the
// file of the form, and goes the same way. Where there is no microphone to be had (no HTTPS, no
// MediaRecorder), the buttons stay hidden.

let recorder = null;

function offered() {
  const possible = Boolean(navigator.mediaDevices?.getUserMedia && window.MediaRecorder);
  for (const part of document.querySelectorAll("[data-recorder]")) part.hidden = !possible;
}

async function begin(part) {
  const told = part.querySelector("[role=status]");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch {
    told.textContent = part.dataset.denied;
    return;
  }
  const pieces = [];
  const begun = Date.now();
  const clock = setInterval(() => tell(told, begun), 500);
  recorder = new MediaRecorder(stream);
  recorder.addEventListener("dataavailable", (event) => pieces.push(event.data));
  recorder.addEventListener("stop", () => {
    clearInterval(clock);
    for (const track of stream.getTracks()) track.stop();
    const type = recorder.mimeType;
    recorder = null;
    show(part, false);
    keep(part, new Blob(pieces, { type }), type.includes("mp4") ? "m4a" : type.includes("ogg") ? "ogg" : "webm");
  });
  recorder.start();
  show(part, true);
  tell(told, begun);
}

function tell(told, begun) {
  const seconds = Math.round((Date.now() - begun) / 1000);
  told.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function show(part, running) {
  part.querySelector("[data-record=start]").hidden = running;
  part.querySelector("[data-record=stop]").hidden = !running;
  part.querySelector(running ? "[data-record=stop]" : "[data-record=start]").focus();
}

function keep(part, blob, ending) {
  const form = part.closest("form");
  const files = new DataTransfer();
  files.items.add(new File([blob], `${part.dataset.name}.${ending}`, { type: blob.type }));
  form.querySelector("input[type=file]").files = files.files;
  const sound = part.querySelector("audio");
  if (sound.src) URL.revokeObjectURL(sound.src);
  sound.src = URL.createObjectURL(blob);
  sound.hidden = false;
  part.querySelector("[role=status]").textContent = part.dataset.done;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-record]");
  if (!button) return;
  if (button.dataset.record === "start") begin(button.closest("[data-recorder]"));
  else recorder?.stop();
});
document.addEventListener("DOMContentLoaded", offered);
document.addEventListener("htmx:after:swap", offered);
window.addEventListener("pagehide", () => recorder?.stop());
