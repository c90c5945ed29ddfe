// Recordings: played from a list in one player at the bottom; on a call's own page with speeds,
// and each side alone (they are the two channels).

document.addEventListener("click", (event) => {
  const play = event.target.closest("[data-play]");
  const speed = event.target.closest("[data-speed]");
  const side = event.target.closest("[data-side]");
  if (play) {
    event.preventDefault(); // of a link, which opens the sound where there are no scripts
    float(play.dataset.play);
  }
  if (speed) {
    document.querySelector("[data-player]").playbackRate = Number(speed.dataset.speed);
    press(speed, "[data-speed]");
  }
  if (side) {
    const on = side.getAttribute("aria-pressed") !== "true";
    press(on ? side : null, "[data-side]");
    listen(on ? side.dataset.side : "");
  }
});

function press(one, all) {
  for (const each of document.querySelectorAll(all)) each.setAttribute("aria-pressed", String(each === one));
}

export function float(url) {
  let player = document.querySelector("audio.floating");
  if (!player) {
    player = document.createElement("audio");
    player.className = "floating";
    player.controls = true;
    document.body.append(player);
  }
  if (player.src.startsWith("blob:")) URL.revokeObjectURL(player.src);
  player.src = url;
  player.play();
}

const heard = new WeakMap();

function listen(side) {
  const player = document.querySelector("[data-player]");
  let nodes = heard.get(player);
  if (!nodes) {
    const context = new AudioContext();
    const splitter = context.createChannelSplitter(2);
    const left = context.createGain();
    const right = context.createGain();
    context.createMediaElementSource(player).connect(splitter);
    splitter.connect(left, 0);
    splitter.connect(right, 1);
    left.connect(context.destination);
    right.connect(context.destination);
    heard.set(player, (nodes = { context, left, right }));
  }
  nodes.context.resume();
  nodes.left.gain.value = side === "right" ? 0 : 1;
  nodes.right.gain.value = side === "left" ? 0 : 1;
}

// The waveform of a call's recording, a channel above the other, when it is first wanted; a click
// goes there. It is decoded to 8 kHz, so that half an hour takes 115 MB and not ten times as much.
const RATE = 8000;

async function draw(canvas) {
  const answer = await fetch(canvas.dataset.wave);
  if (!answer.ok) return;
  const decoder = new OfflineAudioContext(2, 1, RATE);
  const sound = await decoder.decodeAudioData(await answer.arrayBuffer()).catch(() => null);
  if (!sound || !canvas.isConnected) return;
  canvas.hidden = false;
  const channels = [...Array(sound.numberOfChannels).keys()].map((each) => peaks(sound.getChannelData(each), canvas.width / 3));
  const player = document.querySelector("[data-player]");
  const paint = () => stroke(canvas, channels, player.duration ? player.currentTime / player.duration : 0);
  paint();
  player.addEventListener("timeupdate", paint);
  player.addEventListener("seeked", paint);
  canvas.addEventListener("click", (event) => {
    const to = (event.offsetX / canvas.clientWidth) * sound.duration;
    const go = () => (player.currentTime = to);
    if (player.readyState) return go();
    player.addEventListener("loadedmetadata", go, { once: true });
    player.load();
  });
}

function peaks(samples, columns) {
  const each = samples.length / columns;
  return Array.from({ length: Math.floor(columns) }, (_, column) => {
    let peak = 0;
    for (let at = Math.floor(column * each); at < (column + 1) * each; at += 4) peak = Math.max(peak, Math.abs(samples[at]));
    return peak;
  });
}

function stroke(canvas, channels, played) {
  const style = getComputedStyle(canvas);
  const pen = canvas.getContext("2d");
  const height = canvas.height / channels.length;
  pen.clearRect(0, 0, canvas.width, canvas.height);
  channels.forEach((columns, channel) => {
    columns.forEach((peak, column) => {
      const tall = Math.max(2, peak * (height - 6));
      pen.fillStyle = column / columns.length < played ? style.color : style.borderColor;
      pen.fillRect(column * 3, channel * height + (height - tall) / 2, 2, tall);
    });
  });
}

function ready() {
  for (const canvas of document.querySelectorAll("[data-wave]:not([data-seen])")) {
    canvas.dataset.seen = "";
    draw(canvas);
  }
  for (const speeds of document.querySelectorAll("[data-speeds]")) speeds.hidden = false;
}
document.addEventListener("DOMContentLoaded", ready);
document.addEventListener("htmx:after:swap", ready);
