// What every page of the console runs: htmx, and a few small habits of ours.
import "./parts/htmx.js";
import "./parts/forms.js";
import "./parts/live.js";
import "./parts/order.js";
import "./parts/passkeys.js";
import "./parts/player.js";
import "./parts/recorder.js";
import "./parts/spoken.js";
import "./parts/tables.js";

const root = document.documentElement;

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-copy],[data-menu]");
  if (!target && !event.target.closest(".menu")) return menu(false);
  if (!target) return;
  if (target.dataset.copy !== undefined) {
    const source = document.getElementById(target.dataset.copy);
    navigator.clipboard?.writeText(source.value ?? source.textContent);
    target.classList.add("done");
  } else {
    menu(!root.classList.contains("menu-open"));
  }
});

// The menu of narrow screens: the keys are in it while it is open, and back at its button after.
function menu(open) {
  if (open === root.classList.contains("menu-open")) return;
  root.classList.toggle("menu-open", open);
  const button = document.querySelector("[data-menu]");
  const first = document.querySelector(".menu a[aria-current], .menu a");
  const within = document.activeElement?.closest(".menu");
  button?.setAttribute("aria-expanded", String(open));
  if (open) requestAnimationFrame(() => first?.focus());
  else if (within) button?.focus();
}

document.addEventListener("htmx:after:swap", () => root.classList.remove("menu-open"));

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") menu(false);
  if (event.key === "/" && !event.target.closest("input,textarea,select")) {
    const search = document.querySelector("input[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
});
