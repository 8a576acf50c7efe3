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

  // The server answers 304 while a live part with an ETag is unchanged, except for its ages and its time.
  document.addEventListener("htmx:configRequest", (event) => {
    const { etag } = event.detail.elt.dataset;
    if (etag) event.detail.headers["If-None-Match"] = etag;
  });

  function ageText(seconds) {
    if (seconds < 0) return seconds < -60 ? "ahead" : "0 s";
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 90 * 60) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86400)} days`;
  }

  function updateAges(part, now) {
    for (const age of part.querySelectorAll(".tile-age time")) {
      if (age.dateTime) age.textContent = ageText(Math.floor((now - Date.parse(age.dateTime)) / 1000));
    }
    const asOf = part.querySelector("#as-of");
    if (asOf) asOf.textContent = now.toISOString().slice(11, 19);
  }

  for (const name of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(name, () => showNotice(lost));
  document.addEventListener("htmx:responseError", (event) => {
    const { status, responseText } = event.detail.xhr;
    const isReason = event.detail.xhr.getResponseHeader("Content-Type")?.startsWith("text/plain");
    const saved = event.detail.requestConfig.verb === "get" ? "" : "Nothing was saved. ";
    const rejected = isReason ? responseText : `The server rejected the request (${status}). ${saved}Reload the page.`;
    showNotice(status >= 500 ? lost : rejected);
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig } = event.detail;
    const responseUrl = new URL(xhr.responseURL || requestConfig.path, window.location.href);
    const requestUrl = new URL(requestConfig.path, window.location.href);
    // A form redirects to the page that shows its result; a live part stays on its page.
    const isForm = requestConfig.verb !== "get";
    if (isForm ? !responseUrl.pathname.startsWith("/account/sign-in") : responseUrl.pathname === requestUrl.pathname) {
      if (xhr.status < 400) showNotice("");
      if (xhr.status === 304) {
        event.detail.shouldSwap = false;
        updateAges(requestConfig.elt, new Date(xhr.getResponseHeader("Date")));
      }
      return;
    }
    // Redirected to the sign-in page: the session has ended.
    event.detail.shouldSwap = false;
    window.location.reload();
  });
})();
