// Zooms and pans the chart by dragging, wheel, keys and buttons. Each requests the new range from the server, so that
// chart, statistics and readings always cover the same period.
(() => {
  "use strict";
  const SHORTEST = 60_000;
  const EARLIEST = Date.UTC(2000, 0, 1); // The server refuses earlier times.
  const LEAST_DRAG = 8;
  const { box } = unitChart;
  const selection = box.querySelector(".chart-selection");
  let pending = null; // The range requested but not loaded yet; further steps start from it.
  let waiting = 0;
  let dragFrom = null;

  const iso = (time) => `${new Date(time).toISOString().slice(0, 19)}Z`;

  function go(query) {
    const address = `${window.location.pathname}?${query}`;
    window.history.replaceState(window.history.state, "", address);
    return htmx.ajax("GET", address, { target: "#range", swap: "morph:outerHTML" });
  }

  function show(start, end, delay = 0) {
    const latest = Date.now() + 60_000;
    const width = Math.max(end - start, SHORTEST);
    const until = Math.min(Math.max(start, EARLIEST) + width, latest);
    pending = [Math.max(until - width, EARLIEST), until];
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const { preset } = document.getElementById("range").dataset;
      go(new URLSearchParams({ range: preset, start: iso(pending[0]), end: iso(pending[1]) })).then(() => { pending = null; });
    }, delay);
  }

  function reset() {
    clearTimeout(waiting);
    pending = null;
    go(new URLSearchParams({ range: document.getElementById("range").dataset.preset }));
  }

  function zoom(factor, share = 0.5, delay = 0) {
    const span = pending ?? unitChart.span();
    if (!span) return;
    const [start, end] = span, centre = start + (end - start) * share;
    show(centre - (centre - start) * factor, centre + (end - centre) * factor, delay);
  }

  function move(share) {
    const span = pending ?? unitChart.span();
    if (span) show(span[0] + (span[1] - span[0]) * share, span[1] + (span[1] - span[0]) * share, 150);
  }

  const moves = {
    earlier: () => move(-0.5), later: () => move(0.5), in: () => zoom(0.5, 0.5, 150), out: () => zoom(2, 0.5, 150), reset,
  };
  const keys = { "+": "in", "=": "in", "-": "out", "−": "out", ArrowLeft: "earlier", ArrowRight: "later", 0: "reset", Home: "reset" };

  for (const button of document.querySelectorAll("[data-move]")) button.addEventListener("click", moves[button.dataset.move]);
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    moves[keys[event.key]]();
  });
  box.addEventListener("dblclick", reset);
  box.addEventListener("wheel", (event) => {
    const area = unitChart.area();
    // With Ctrl the browser zooms the page, and sideways it scrolls.
    if (!area || event.ctrlKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return;
    event.preventDefault();
    const share = Math.min(Math.max((event.offsetX - area.left) / (area.right - area.left), 0), 1);
    zoom(event.deltaY > 0 ? 1.25 : 0.8, share, 200);
  }, { passive: false });

  const inside = (event) => {
    const area = unitChart.area();
    return Math.min(Math.max(event.clientX - box.getBoundingClientRect().left, area.left), area.right);
  };
  function drawSelection(from, to) {
    const { top, bottom } = unitChart.area();
    selection.hidden = Math.abs(to - from) < LEAST_DRAG;
    Object.assign(selection.style, { left: `${Math.min(from, to)}px`, width: `${Math.abs(to - from)}px`, top: `${top}px`, height: `${bottom - top}px` });
  }
  box.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.pointerType === "touch" || !unitChart.area()) return;
    dragFrom = inside(event);
    box.setPointerCapture(event.pointerId);
  });
  box.addEventListener("pointermove", (event) => { if (dragFrom !== null) drawSelection(dragFrom, inside(event)); });
  box.addEventListener("pointerup", (event) => {
    if (dragFrom === null) return;
    const from = dragFrom, to = inside(event);
    dragFrom = null;
    selection.hidden = true;
    if (Math.abs(to - from) >= LEAST_DRAG) show(unitChart.timeAt(Math.min(from, to)), unitChart.timeAt(Math.max(from, to)));
  });
  box.addEventListener("pointercancel", () => { dragFrom = null; selection.hidden = true; });
})();
