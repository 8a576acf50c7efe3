// Lets people click on the columns of a table to say what they hold. Without it the select boxes below the titles do.
(() => {
  "use strict";
  const IN_TURN = ["time", "temperature", "unit"];

  const boxes = (choice) => [...choice.querySelectorAll("select")];
  const missing = (choice) => IN_TURN.find((role) => !boxes(choice).some((box) => box.value === role));

  function select(choice, role) {
    for (const button of choice.querySelectorAll("[data-role]")) {
      button.setAttribute("aria-pressed", String(button.dataset.role === role));
    }
  }

  function selected(choice) {
    return choice.querySelector('[data-role][aria-pressed="true"]')?.dataset.role;
  }

  function mark(choice) {
    for (const cell of choice.querySelectorAll("[data-column]")) {
      const box = choice.querySelector(`[name="column-${cell.dataset.column}"]`);
      cell.classList.toggle("is-read", Boolean(box?.value));
    }
  }

  function assign(choice, column) {
    const role = selected(choice);
    const box = choice.querySelector(`[name="column-${column}"]`);
    if (role === undefined || !box || box.value === role) return;
    if (role) for (const other of boxes(choice)) if (other.value === role) other.value = "";
    box.value = role;
    mark(choice);
    const next = missing(choice);
    if (next) select(choice, next);
    box.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function start() {
    for (const choice of document.querySelectorAll("[data-columns]:not([data-is-started])")) {
      choice.dataset.isStarted = "";
      choice.querySelector("[data-column-tools]").hidden = false;
      select(choice, missing(choice) ?? "temperature");
      mark(choice);
    }
  }

  document.addEventListener("click", (event) => {
    const choice = event.target.closest("[data-columns]");
    if (!choice) return;
    const button = event.target.closest("[data-role]");
    if (button) {
      select(choice, button.dataset.role);
      return;
    }
    const cell = event.target.closest("[data-column]");
    if (cell && !event.target.closest("select")) assign(choice, cell.dataset.column);
  });
  // What was chosen is shown in the preview at once.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-mapping]");
    if (form && event.target.matches("select")) form.requestSubmit();
  });
  document.addEventListener("htmx:afterSettle", start);
  start();
})();
