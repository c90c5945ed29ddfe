// Passkeys: <button data-passkey="create|get" data-options="…"> in a form with a field
// `credential`, which is sent once the device has answered.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-passkey]");
  if (!button) return;
  event.preventDefault();
  const form = button.closest("form");
  const options = JSON.parse(button.dataset.options);
  try {
    const found = button.dataset.passkey === "create"
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
    form.elements.credential.value = JSON.stringify(found.toJSON());
    form.requestSubmit();
  } catch (error) {
    const said = form.querySelector("[data-failed]");
    if (said) said.hidden = false;
  }
});

function ready() {
  const able = "PublicKeyCredential" in window && PublicKeyCredential.parseCreationOptionsFromJSON;
  for (const button of document.querySelectorAll("[data-passkey]")) button.disabled = !able;
}
document.addEventListener("DOMContentLoaded", ready);
document.addEventListener("htmx:after:swap", ready);
