// Accessible names for admin controls that Django leaves without one: table cells, split date and time fields, and
// searchable lists. Without a name a screen reader announces only "edit".
"use strict";

const textOf = (element) => (element ? element.textContent.replace(/[?:]\s*$/, "").trim() : "");

const labelOfField = (control) => {
  const row = control.closest(".form-row, .fieldBox, td");
  return textOf(row && row.querySelector("label")) || headingOf(control);
};

const headingOf = (control) => {
  const cell = control.closest(".tabular td");
  const table = cell && cell.closest("table");
  return textOf(table && table.querySelectorAll("thead th")[[...cell.parentElement.children].indexOf(cell)]);
};

const name = (control, text) => {
  if (text && !(control.labels && control.labels.length) && !control.hasAttribute("aria-label")) {
    control.setAttribute("aria-label", text);
  }
};

const nameAll = () => {
  for (const [half, selector] of [["date", ".vDateField"], ["time", ".vTimeField"]]) {
    for (const control of document.querySelectorAll(`.datetime ${selector}`)) {
      name(control, `${labelOfField(control)}, ${half}`);
    }
  }
  for (const control of document.querySelectorAll(".tabular td :is(input:not([type=hidden]), select, textarea)")) {
    name(control, headingOf(control));
  }
  for (const list of document.querySelectorAll(".select2-selection[role=combobox]")) {
    list.removeAttribute("aria-labelledby");
    list.setAttribute("aria-label", labelOfField(list));
  }
  for (const shown of document.querySelectorAll(".select2-selection__rendered[role=textbox]")) {
    shown.setAttribute("aria-label", labelOfField(shown));
  }
  for (const search of document.querySelectorAll(".select2-search__field")) {
    name(search, labelOfField(search));
  }
  for (const sign of document.querySelectorAll("span.help-tooltip[aria-label]")) {
    sign.setAttribute("role", "img");
  }
};

// Searchable lists are created after the page has loaded, and table rows when somebody adds one.
nameAll();
new MutationObserver(nameAll).observe(document.body, { childList: true, subtree: true });
