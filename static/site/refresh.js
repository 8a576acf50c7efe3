// Fetches the page again every half minute and puts its [data-refresh] parts in place of the old ones.
(() => {
  "use strict";
  const EVERY_MS = 30_000;
  const notice = document.getElementById("connection");

  function replaceParts(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    for (const part of document.querySelectorAll("[data-refresh]")) {
      const replacement = fresh.getElementById(part.id);
      // What is in use by the keyboard or the mouse stays until the next time.
      if (replacement && !part.contains(document.activeElement)) part.replaceWith(document.adoptNode(replacement));
    }
    document.dispatchEvent(new CustomEvent("page-refreshed"));
  }

  async function refresh() {
    if (document.hidden) return;
    try {
      const response = await fetch(window.location.href, { headers: { Accept: "text/html" } });
      if (response.redirected) window.location.reload(); // Signed out meanwhile.
      if (!response.ok) throw new Error(`status ${response.status}`);
      replaceParts(await response.text());
      notice.hidden = true;
    } catch {
      notice.textContent = "The connection is lost: what is shown may be old. It is tried again every half minute.";
      notice.hidden = false;
    }
  }

  setInterval(refresh, EVERY_MS);
  document.addEventListener("visibilitychange", refresh);
})();
