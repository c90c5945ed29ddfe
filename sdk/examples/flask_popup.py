"""A pop-up with the customer, on the screen of the employee whose phone rings (Flask).

CRM_TOKEN=TOKEN python flask_popup.py            # and open http://127.0.0.1:5000/?login=olga
vpbx crm set acme.example --url http://127.0.0.1:5000/pbx --token TOKEN
"""

import os

from flask import Flask, jsonify, request

from vpbx_sdk import Contact, ContactAnswer, Receiver

CUSTOMERS = {"79101112233": ("Ivan Petrov, Furniture & Co", "olga")}

app = Flask(__name__)
receiver = Receiver(os.environ["CRM_TOKEN"])


@receiver.on_contact
def who(contact: Contact) -> ContactAnswer | None:
    """The name stands on the phone; who is responsible is rung first, where that is on."""
    known = CUSTOMERS.get(contact.phone)
    return ContactAnswer(*known) if known else None


@app.post("/pbx")
def pbx():
    status, answer = receiver.handle(
        request.content_type or "", request.get_data(), request.headers
    )
    return jsonify(answer), status


@app.get("/popup/<login>")
def popup(login: str):
    """What the page asks for every second."""
    return jsonify(
        [
            {
                "state": call.state,
                "phone": call.phone,
                "name": CUSTOMERS.get(call.phone, ("unknown",))[0],
                "passed_on": bool(call.continues),
            }
            for call in receiver.calls.of_user(login)
        ]
    )


@app.get("/")
def page() -> str:
    return """<!doctype html><title>Calls</title><ul></ul><script>
const login = new URLSearchParams(location.search).get("login") || "olga";
setInterval(async () => {
  const calls = await (await fetch("/popup/" + encodeURIComponent(login))).json();
  document.querySelector("ul").replaceChildren(...calls.map((call) => {
    const item = document.createElement("li");
    item.textContent = call.state + " " + call.phone + " " + call.name;
    return item;
  }));
}, 1000);
</script>"""


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "5000")))
