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

function float(url) {
  let player = document.querySelector("audio.floating");
  if (!player) {
    player = document.createElement("audio");
    player.className = "floating";
    player.controls = true;
    document.body.append(player);
  }
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

function ready() {
  for (const speeds of document.querySelectorAll("[data-speeds]")) speeds.hidden = false;
}
document.addEventListener("DOMContentLoaded", ready);
document.addEventListener("htmx:after:swap", ready);
