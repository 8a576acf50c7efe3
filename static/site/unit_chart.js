// Draws a unit's temperature series: the average as a line within the band of minimum and maximum, the set temperature
// and the limits that were in force, with gaps and faults marked. The URLs of the data are in the attributes of #range.
const unitChart = (() => {
  "use strict";
  const box = document.getElementById("chart");
  const note = document.getElementById("chart-note");
  const canvas = box.querySelector("canvas");
  let series = null;
  let chart = null;
  let requested = "";
  // The legend names the band by its upper edge, which carries the colour.
  const BAND = "Minimum to maximum";

  // As on the pages; the browser writes a hyphen.
  const withMinus = (text) => String(text).replace("-", "\u2212");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // The points of a column, with an empty point in every gap between two of them so that no line crosses it.
  function withGaps(values) {
    const points = series.times.map((time, index) => ({ x: time, y: values[index] }));
    const breaks = series.breaks.map((time) => ({ x: time, y: null }));
    return [...points, ...breaks].sort((one, other) => one.x - other.x);
  }

  function level(label, y, colourName, dash) {
    return {
      label, data: [{ x: series.start, y }, { x: series.end, y }], borderColor: colour(colourName),
      backgroundColor: colour(colourName), borderDash: dash, borderWidth: 1.5, pointRadius: 0, pointHitRadius: 0,
    };
  }

  // The lower (side 0) or upper limit as it was in force: a step where it changed, a break where there was none.
  function limitPoints(kind, side) {
    return series.limits.flatMap((period) => [{ x: period.start, y: period[kind][side] }, { x: period.end, y: period[kind][side] }]);
  }

  // No line leads to a point between two gaps: only its dot shows it.
  const isAlone = ({ dataIndex: at, dataset: { data } }) => (data[at - 1]?.y ?? null) === null && (data[at + 1]?.y ?? null) === null;

  function datasets() {
    const pointRadius = (point) => (series.times.length <= 150 || isAlone(point) ? 2 : 0);
    const line = { borderWidth: 2, pointRadius, pointHitRadius: 8, spanGaps: false };
    const edge = { borderWidth: 0, pointRadius: 0, pointHitRadius: 0, backgroundColor: colour("--chart-band") };
    const sets = [
      { ...line, label: "Average", data: withGaps(series.average), borderColor: colour("--chart-line"), backgroundColor: colour("--chart-line") },
      { ...edge, label: "Minimum", data: withGaps(series.min) },
      { ...edge, label: BAND, data: withGaps(series.max), fill: "-1" },
    ];
    if (series.set_temperature !== null) sets.push(level("Set temperature", series.set_temperature, "--chart-set", [6, 4]));
    for (const [label, kind, ...look] of [["Warning", "warning", "--chart-warning", [2, 3]], ["Critical", "critical", "--chart-critical", [8, 3]]]) {
      for (const side of [0, 1]) {
        const points = limitPoints(kind, side);
        if (points.some(({ y }) => y !== null)) sets.push({ ...level(label, null, ...look), data: points });
      }
    }
    return sets;
  }

  // The axis covers the readings and the warning limits; a distant limit must not flatten the line.
  function bounds() {
    const values = [...series.min, ...series.max, series.set_temperature, ...series.limits.flatMap(({ warning }) => warning)].filter((each) => each !== null);
    if (!values.length) return {};
    const low = Math.min(...values), high = Math.max(...values), edge = Math.max((high - low) * 0.08, 0.5);
    return { min: low - edge, max: high + edge };
  }

  // Shade gaps and excursions, and mark faults as crosses along the bottom.
  const shading = {
    id: "shading",
    beforeDatasetsDraw({ ctx, chartArea: { left, right, top, bottom }, scales: { x } }) {
      const shade = (from, to, colourName, strength = 0.35) => {
        const a = Math.max(x.getPixelForValue(from), left), b = Math.min(x.getPixelForValue(to), right);
        if (b <= a) return;
        ctx.fillStyle = colour(colourName);
        ctx.globalAlpha = strength;
        ctx.fillRect(a, top, b - a, bottom - top);
        ctx.globalAlpha = 1;
      };
      for (const [from, to] of series.gaps) shade(from, to, "--state-unknown-bg");
      for (const { start, end, severity } of series.excursions) shade(start, end ?? series.until, `--chart-${severity}`, 0.2);
    },
    afterDatasetsDraw({ ctx, chartArea: { left, right, bottom }, scales: { x } }) {
      ctx.fillStyle = colour("--chart-critical");
      ctx.font = "bold 12px sans-serif";
      ctx.textAlign = "center";
      for (const time of series.faults) {
        const at = x.getPixelForValue(time);
        if (at >= left && at <= right) ctx.fillText("✕", at, bottom - 4);
      }
    },
  };

  // What is in the legend: a limit with two sides once, and the band if it has any width. The keys are as high as a line,
  // except for that of the band.
  function legendItems(drawn) {
    const items = Chart.defaults.plugins.legend.labels.generateLabels(drawn);
    for (const item of items) if (item.text === BAND) Object.assign(item, { strokeStyle: item.fillStyle, lineWidth: 8 });
    const isWide = series.min.some((low, index) => low !== series.max[index]);
    const unnamed = isWide ? ["Minimum"] : ["Minimum", BAND];
    return items.filter(({ text }, index) => !unnamed.includes(text) && items.findIndex((item) => item.text === text) === index);
  }

  function tickText(...tick) {
    return withMinus(Chart.Ticks.formatters.numeric.apply(this, tick));
  }

  function options() {
    const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium", timeZone: series.time_zone });
    const text = colour("--quiet");
    const grid = { color: colour("--bs-border-color") };
    const label = chartTime.labels(series.start, series.end, series.time_zone);
    return {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "nearest", axis: "x", intersect: false },
      scales: {
        x: {
          type: "linear", min: series.start, max: series.end, grid,
          afterBuildTicks: (axis) => {
            const marks = chartTime.marks(series.start, series.end, series.time_zone, Math.max(3, box.clientWidth / 90));
            axis.ticks = marks.map((value) => ({ value }));
          },
          ticks: { color: text, maxRotation: 0, autoSkip: false, callback: label },
        },
        y: { ...bounds(), grid, title: { display: true, text: series.scale, color: text }, ticks: { color: text, includeBounds: false, callback: tickText } },
      },
      plugins: {
        legend: { labels: { color: text, boxHeight: 1, generateLabels: legendItems } },
        tooltip: {
          filter: (item) => item.datasetIndex < 3,
          callbacks: {
            title: (items) => (items.length ? full.format(items[0].parsed.x) : ""),
            label: ({ dataset: { label: name }, parsed }) => `${name === BAND ? "Maximum" : name}: ${withMinus(parsed.y)} ${series.scale}`,
          },
        },
      },
    };
  }

  function draw() {
    if (!series) return;
    chart?.destroy();
    chart = new Chart(canvas, { type: "line", data: { datasets: datasets() }, options: options(), plugins: [shading] });
  }

  function describe() {
    const each = { readings: "", hours: ", hourly values", days: ", daily values" }[series.level];
    const gaps = series.gaps.length ? `, gaps without valid readings: ${series.gaps.length}` : "";
    const faults = series.faults.length ? ", sensor faults marked ✕" : "";
    const excursions = series.excursions.length ? `, excursions: ${series.excursions.length}` : "";
    const nothing = series.times.length ? "" : " No readings in this period.";
    note.textContent = `Times in ${series.time_zone}${each}${gaps}${excursions}${faults}.${nothing}`;
  }

  async function fetchJson(address) {
    const response = await fetch(address);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return response.json();
  }

  async function load() {
    const { series: address, excursions } = document.getElementById("range").dataset;
    requested = address;
    try {
      const [fresh, outside] = await Promise.all([fetchJson(address), fetchJson(excursions)]);
      if (requested !== address) return; // Another range has been requested meanwhile.
      series = { ...fresh, ...outside };
      draw();
      describe();
      box.dataset.shows = address;
    } catch {
      note.textContent = "The chart data could not be loaded. Select a period to try again.";
    }
  }

  load();
  document.addEventListener("htmx:afterSwap", (event) => { if (event.detail.target.id === "range") load(); });
  document.addEventListener("scheme-changed", draw);

  return {
    box,
    area: () => chart?.chartArea,
    excursions: () => series?.excursions,
    span: () => series && [series.start, series.end],
    timeAt: (pixel) => chart.scales.x.getValueForPixel(pixel),
  };
})();
