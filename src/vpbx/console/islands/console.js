// What every page of the console runs: htmx, and a few small habits of ours.
import "./parts/htmx.js";
import "htmx.org/dist/ext/hx-sse.min.js";

const root = document.documentElement;

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-copy],[data-menu],[data-back]");
  if (!target) return;
  if (target.dataset.copy !== undefined) {
    const source = document.getElementById(target.dataset.copy);
    navigator.clipboard?.writeText(source.value ?? source.textContent);
    target.classList.add("done");
  } else if (target.dataset.menu !== undefined) {
    const open = root.classList.toggle("menu-open");
    target.setAttribute("aria-expanded", String(open));
  } else {
    history.back();
  }
});

// A question before what cannot be undone: <form data-ask="…">.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset?.ask;
  if (question && !window.confirm(question)) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}, true);

// Fields that only matter for some choice of another: <div data-when="name=value|value">.
function settle(scope) {
  for (const part of scope.querySelectorAll("[data-when]")) {
    const [name, values] = part.dataset.when.split("=");
    const form = part.closest("form");
    const chosen = [...form.querySelectorAll(`[name="${CSS.escape(name)}"]`)]
      .filter((field) => (field.type !== "radio" && field.type !== "checkbox") || field.checked)
      .map((field) => field.value);
    part.hidden = !chosen.some((value) => values.split("|").includes(value));
  }
}
document.addEventListener("change", (event) => event.target.form && settle(event.target.form));

function ready() {
  root.classList.remove("menu-open");
  settle(document);
  // Errors first: whoever cannot see the page is told, and lands in the field.
  document.querySelector("[aria-invalid=true]")?.focus();
}
document.addEventListener("DOMContentLoaded", ready);
document.addEventListener("htmx:after:swap", ready);

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
