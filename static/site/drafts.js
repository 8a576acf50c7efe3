// Keeps what is typed into forms with data-draft until it has been sent: the connection may be lost in a cold store.
// Drafts are kept by the browser for this tab only, and for the person whose id the attribute holds: colleagues share
// computers.
(() => {
  "use strict";
  const offline = "No connection. Your text is kept; send it again when the connection is back.";
  const isConfirmed = Boolean(document.querySelector("#messages .alert-info"));

  for (const form of document.querySelectorAll("form[data-draft]")) {
    const key = `draft ${form.dataset.draft} ${new URL(form.action).pathname}`;
    const fields = [...form.querySelectorAll("textarea")];
    const draft = JSON.parse(sessionStorage.getItem(key) ?? "null");
    if (draft?.isSent && isConfirmed) sessionStorage.removeItem(key);
    else if (draft) for (const field of fields) field.value ||= draft.texts[field.name] ?? "";

    const keep = (isSent) => {
      const texts = Object.fromEntries(fields.map((field) => [field.name, field.value]));
      sessionStorage.setItem(key, JSON.stringify({ isSent, texts }));
    };
    form.addEventListener("input", () => keep(false));
    form.addEventListener("submit", (event) => {
      keep(navigator.onLine);
      if (navigator.onLine) return;
      event.preventDefault();
      const notice = document.getElementById("connection");
      notice.textContent = offline;
      notice.hidden = false;
    });
  }
})();
