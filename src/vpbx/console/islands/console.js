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
  if (!target) return;
  if (target.dataset.copy !== undefined) {
    const source = document.getElementById(target.dataset.copy);
    navigator.clipboard?.writeText(source.value ?? source.textContent);
    target.classList.add("done");
  } else {
    const open = root.classList.toggle("menu-open");
    target.setAttribute("aria-expanded", String(open));
  }
});

document.addEventListener("htmx:after:swap", () => root.classList.remove("menu-open"));

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") root.classList.remove("menu-open");
  if (event.key === "/" && !event.target.closest("input,textarea,select")) {
    const search = document.querySelector("input[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
});
