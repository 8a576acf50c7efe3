// Draws the course of one unit's temperature: the mean as a line in the band from lowest to highest, gaps left open.
(() => {
  "use strict";
  const HOUR_MS = 3_600_000;
  const QUARTER_MS = HOUR_MS / 4;
  const box = document.getElementById("chart");
  const note = document.getElementById("chart-note");
  let series = null;
  let chart = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // A column of the series as points, with an empty one inside every gap so that no line crosses it.
  function withGaps(values) {
    const points = series.times.map((time, index) => ({ x: time, y: values[index] }));
    const breaks = series.gaps.map(([left, right]) => ({ x: (left + right) / 2, y: null }));
    return [...points, ...breaks].sort((one, other) => one.x - other.x);
  }

  // Full hours on the clock of the facility, of which some zones are half an hour off ours.
  function hourMarks() {
    const clock = new Intl.DateTimeFormat("en-GB", {
      hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: series.time_zone,
    });
    const everyHours = box.clientWidth < 500 ? 6 : 3;
    const marks = [];
    for (let time = Math.ceil(series.start / QUARTER_MS) * QUARTER_MS; time <= series.end; time += QUARTER_MS) {
      const [hour, minute] = clock.format(time).split(":").map(Number);
      if (minute === 0 && hour % everyHours === 0) marks.push({ value: time });
    }
    return marks;
  }

  function datasets() {
    const line = { borderWidth: 2, pointRadius: series.times.length > 150 ? 0 : 2, pointHitRadius: 8, spanGaps: false };
    const edge = { borderWidth: 0, pointRadius: 0, pointHitRadius: 0, backgroundColor: colour("--chart-band") };
    const sets = [
      { ...line, label: "Mean", data: withGaps(series.mean), borderColor: colour("--chart-line"), backgroundColor: colour("--chart-line") },
      { ...edge, label: "Lowest", data: withGaps(series.min) },
      { ...edge, label: "Highest", data: withGaps(series.max), fill: "-1" },
    ];
    if (series.set_temperature !== null) {
      sets.push({
        label: "Set temperature",
        data: [{ x: series.start, y: series.set_temperature }, { x: series.end, y: series.set_temperature }],
        borderColor: colour("--chart-set"), backgroundColor: colour("--chart-set"),
        borderDash: [6, 4], borderWidth: 1.5, pointRadius: 0, pointHitRadius: 0,
      });
    }
    return sets;
  }

  function options() {
    const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium", timeZone: series.time_zone });
    const short = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: series.time_zone });
    const text = colour("--bs-secondary-color");
    const grid = { color: colour("--bs-border-color") };
    return {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "nearest", axis: "x", intersect: false },
      scales: {
        x: {
          type: "linear", min: series.start, max: series.end, grid,
          afterBuildTicks: (axis) => { axis.ticks = hourMarks(); },
          ticks: { color: text, maxRotation: 0, autoSkip: false, callback: (time) => short.format(time) },
        },
        y: { grid, title: { display: true, text: series.scale, color: text }, ticks: { color: text } },
      },
      plugins: {
        legend: { labels: { color: text, filter: (item) => item.text === "Mean" || item.text === "Set temperature" } },
        tooltip: {
          filter: (item) => item.dataset.label !== "Set temperature",
          callbacks: {
            title: (items) => (items.length ? full.format(items[0].parsed.x) : ""),
            label: (item) => `${item.dataset.label}: ${item.parsed.y} ${series.scale}`,
          },
        },
      },
    };
  }

  function draw() {
    if (!series) return;
    chart?.destroy();
    chart = new Chart(box.querySelector("canvas"), { type: "line", data: { datasets: datasets() }, options: options() });
  }

  async function load() {
    try {
      const response = await fetch(box.dataset.series);
      if (!response.ok) throw new Error(`status ${response.status}`);
      series = await response.json();
      draw();
      const gaps = series.gaps.length ? `, gaps without readings: ${series.gaps.length}` : "";
      note.textContent = `Times in ${series.time_zone}${gaps}.`;
    } catch {
      note.textContent = "The chart's data could not be fetched. It is tried again every half minute.";
    }
  }

  load();
  document.addEventListener("page-refreshed", load);
  document.addEventListener("scheme-changed", draw);
})();
