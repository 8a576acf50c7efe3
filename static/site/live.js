// Live updates by htmx: show when the connection is lost, pause while the page is hidden, and reload after the session
// has ended. A live part has hx-trigger="every …, refresh" and hx-swap="morph:outerHTML".
(() => {
  "use strict";
  const lost = "Connection lost. The data shown may be out of date. Retrying automatically.";

  const showNotice = (text) => {
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

  for (const name of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(name, () => showNotice(lost));
  document.addEventListener("htmx:responseError", (event) => {
    const { status } = event.detail.xhr;
    showNotice(status >= 500 ? lost : `The server rejected the request (${status}). Reload the page.`);
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig } = event.detail;
    const responseUrl = new URL(xhr.responseURL || requestConfig.path, window.location.href);
    const requestUrl = new URL(requestConfig.path, window.location.href);
    // A form redirects to the page that shows its result; a live part stays on its page.
    const isForm = requestConfig.verb !== "get";
    if (isForm ? !responseUrl.pathname.startsWith("/account/sign-in") : responseUrl.pathname === requestUrl.pathname) {
      if (xhr.status < 400) showNotice("");
      return;
    }
    // Redirected to the sign-in page: the session has ended.
    event.detail.shouldSwap = false;
    window.location.reload();
  });
})();
