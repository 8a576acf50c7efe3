// What refreshes itself by htmx: says when the connection is lost, rests while nobody looks, and starts anew once
// signed out. A part that refreshes itself has hx-trigger="every …, refresh" and hx-swap="morph:outerHTML".
(() => {
  "use strict";
  const lost = "The connection is lost: what is shown may be old. It is tried again by itself.";

  const say = (text) => {
    const notice = document.getElementById("connection");
    if (notice.textContent !== text) notice.textContent = text;
    notice.hidden = !text;
  };

  document.addEventListener("htmx:beforeRequest", (event) => {
    const isPolling = event.detail.requestConfig.verb === "get" && event.detail.elt.matches("[data-live]");
    if (isPolling && document.hidden) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    for (const part of document.querySelectorAll("[data-live]")) htmx.trigger(part, "refresh");
  });

  for (const name of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(name, () => say(lost));
  document.addEventListener("htmx:responseError", (event) => {
    const { status } = event.detail.xhr;
    say(status >= 500 ? lost : `The server refused this (${status}). Reload the page.`);
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig } = event.detail;
    const answered = new URL(xhr.responseURL || requestConfig.path, window.location.href);
    const asked = new URL(requestConfig.path, window.location.href);
    // What a form did is told by the page it leads to; a part that refreshes itself stays where it is.
    const isForm = requestConfig.verb !== "get";
    if (isForm ? !answered.pathname.startsWith("/account/sign-in") : answered.pathname === asked.pathname) {
      if (xhr.status < 400) say("");
      return;
    }
    // Sent on to the sign-in page: the session has ended.
    event.detail.shouldSwap = false;
    window.location.reload();
  });
})();
