// Lets people drop files on a form with data-drop-files instead of choosing them.
(() => {
  "use strict";
  for (const form of document.querySelectorAll("form[data-drop-files]")) {
    const input = form.querySelector("input[type=file]");
    const mark = (isOver) => form.classList.toggle("is-dropping", isOver);
    form.addEventListener("dragover", (event) => {
      event.preventDefault();
      mark(true);
    });
    form.addEventListener("dragleave", () => mark(false));
    form.addEventListener("drop", (event) => {
      event.preventDefault();
      mark(false);
      if (event.dataTransfer.files.length) input.files = event.dataTransfer.files;
    });
  }
})();
