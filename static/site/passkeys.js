// Passkeys: a button with data-passkey asks the browser for a credential and sends it with the button's form.
// data-passkey="create" and "confirm" use the options in #js_data, "sign-in" fetches them from the form's address, and
// "sign" sends the form to data-options, which answers with them and with what has to be sent back.
(() => {
  "use strict";

  class Problem extends Error {}

  const optionsOf = async (form, kind, address) => {
    if (kind === "sign") {
      const response = await fetch(address, { method: "POST", body: new FormData(form) });
      const answer = await response.json();
      if (!response.ok) throw new Problem(answer.problem);
      form.querySelector("[name$=confirmation]").value = answer.confirmation;
      return answer;
    }
    if (kind !== "sign-in") return JSON.parse(document.getElementById("js_data").textContent);
    const response = await fetch(form.action, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error("The server sent no options.");
    return response.json();
  };

  const create = (options, form) => {
    const passwordless = form.elements.passwordless?.checked ?? false;
    Object.assign(options.publicKey.authenticatorSelection, {
      residentKey: passwordless ? "required" : "discouraged",
      requireResidentKey: passwordless,
      userVerification: passwordless ? "required" : options.publicKey.authenticatorSelection.userVerification,
    });
    return window.webauthnJSON.create(options);
  };

  const run = async (button) => {
    const { form } = button;
    const kind = button.dataset.passkey;
    const problem = form.querySelector("[data-passkey-problem]");
    problem.textContent = "";
    try {
      const options = await optionsOf(form, kind, button.dataset.options);
      const credential = kind === "create"
        ? await create(options.creation_options, form)
        : await window.webauthnJSON.get(options.request_options);
      form.querySelector("[name$=credential]").value = JSON.stringify(credential);
      if (kind === "sign") form.requestSubmit();
      else form.submit();
    } catch (error) {
      problem.textContent = error instanceof Problem ? error.message : "The passkey was not used: the request was cancelled, or this device has none.";
    }
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-passkey]");
    if (!button) return;
    event.preventDefault();
    run(button);
  });
})();
