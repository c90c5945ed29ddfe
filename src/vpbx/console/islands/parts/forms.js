// Forms: a question before what cannot be undone, fields that depend on others, filters that
// apply themselves, and the first wrong field in focus.

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.ask ?? event.target.dataset?.ask;
  if (question && !window.confirm(question)) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}, true);

// <div data-when="name=value|value">: shown only for these values of the field `name`.
function settle(scope) {
  for (const part of scope.querySelectorAll("[data-when]")) {
    const [name, values] = part.dataset.when.split("=");
    const fields = [...part.closest("form").querySelectorAll(`[name="${CSS.escape(name)}"]`)];
    const chosen = fields
      .filter((field) => !["radio", "checkbox"].includes(field.type) || field.checked)
      .map((field) => field.value);
    part.hidden = !chosen.some((value) => values.split("|").includes(value));
    for (const field of part.querySelectorAll("input,select,textarea")) field.disabled = part.hidden;
  }
}

document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (!form) return;
  settle(form);
  if (form.dataset.auto !== undefined && event.target.type !== "search") form.requestSubmit();
});

function ready() {
  settle(document);
  document.querySelector("[aria-invalid=true]")?.focus();
}
document.addEventListener("DOMContentLoaded", ready);
document.addEventListener("htmx:after:swap", (event) => {
  ready();
  // A new page takes the focus with it: without this, keyboards and screen readers begin nowhere.
  const isPage = event.detail?.ctx?.target === document.body;
  if (isPage && document.activeElement === document.body) {
    document.getElementById("main")?.focus({ preventScroll: true });
  }
});
