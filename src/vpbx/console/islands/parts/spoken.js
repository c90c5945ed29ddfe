// Media: a text heard before it is saved. Without scripts the sound opens in a tab of its own.

import { float } from "./player.js";

async function hear(button) {
  const form = button.closest("form");
  const told = form.querySelector("[role=status]");
  if (button.disabled || !form.reportValidity()) return;
  button.disabled = true;
  told.textContent = button.dataset.busy;
  try {
    const answer = await fetch(button.formAction, { method: "POST", body: new FormData(form) });
    if (answer.ok && answer.headers.get("content-type") === "audio/wav") {
      told.textContent = "";
      float(URL.createObjectURL(await answer.blob()));
    } else {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      told.textContent = (page.querySelector(".error") ?? page.querySelector("h1"))?.textContent ?? answer.status;
    }
  } catch (error) {
    told.textContent = error.message;
  }
  button.disabled = false;
}

document.addEventListener(
  "click",
  (event) => {
    const button = event.target.closest("[data-hear]");
    if (!button) return;
    event.preventDefault();
    hear(button);
  },
  true,
);
