// Draws the chart of an analytics page from the data embedded in the page: a mean line within its band, bars from minimum
// to maximum, or percentages as lines. Unknown values leave gaps.
(() => {
  "use strict";
  const [range, ...dates] = ["days", "start", "end"].map((id) => document.getElementById(id));
  // A preset period and custom dates exclude each other.
  range?.addEventListener("change", () => dates.forEach((input) => { if (range.value) input.value = ""; }));
  dates.forEach((input) => input?.addEventListener("change", () => { if (input.value) range.value = ""; }));

  const box = document.getElementById("chart");
  const carried = document.getElementById("chart-data");
  if (!box || !carried) return;
  const data = JSON.parse(carried.textContent);
  let chart = null;
  // The legend names a band by its upper edge, which carries the colour.
  const BAND = "Minimum to maximum";

  // As on the pages; the browser writes a hyphen.
  const withMinus = (text) => text.replaceAll("-", "\u2212");

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // No line leads to a value between two unknown ones: only its dot shows it.
  const isAlone = ({ dataIndex: at, dataset }) => (dataset.data[at - 1] ?? null) === null && (dataset.data[at + 1] ?? null) === null;
  const dots = (point) => (data.names.length <= 60 || isAlone(point) ? 2 : 0);

  function line(label, values, colourName, more = {}) {
    return {
      label, data: values, borderColor: colour(colourName), backgroundColor: colour(colourName),
      borderWidth: 2, pointRadius: dots, pointHitRadius: 8, spanGaps: false, ...more,
    };
  }

  const kinds = {
    band() {
      const edge = { borderWidth: 0, pointRadius: 0, pointHitRadius: 0, backgroundColor: colour("--chart-band") };
      return {
        type: "line",
        datasets: [
          line(data.middle_name, data.middle, "--chart-line"),
          { ...edge, label: "Minimum", data: data.low },
          { ...edge, label: BAND, data: data.high, fill: "-1" },
        ],
        value: { grace: "5%" },
      };
    },
    bars() {
      return {
        type: "bar",
        datasets: [
          {
            type: "line", label: data.middle_name, data: data.middle, showLine: false, pointStyle: "rectRot", pointRadius: 6,
            borderColor: colour("--chart-line"), backgroundColor: colour("--chart-line"),
          },
          {
            label: BAND, data: data.low.map((low, index) => (low === null ? null : [low, data.high[index]])),
            backgroundColor: colour("--chart-band"), borderColor: colour("--chart-line"), borderWidth: 1, borderSkipped: false, maxBarThickness: 40,
          },
        ],
        value: { grace: "5%" },
      };
    },
    shares() {
      const styles = [["--chart-line", {}], ["--chart-set", { borderDash: [6, 4] }]];
      return {
        type: "line",
        datasets: data.lines.map(({ name, values }, index) => line(name, values, ...styles[index])),
        value: { min: 0, max: 100 },
      };
    },
  };

  function label(item) {
    const isRange = Array.isArray(item.raw);
    const name = item.dataset.label === BAND && !isRange ? "Maximum" : item.dataset.label;
    return `${name}: ${withMinus(isRange ? item.raw.join(" to ") : item.formattedValue)} ${data.unit}`;
  }

  // Long names would leave no room for the chart; the table below has them in full.
  function shortName(index) {
    const name = data.names[index], most = box.clientWidth < 600 ? 16 : 32;
    return name.length > most ? `${name.slice(0, most - 1)}…` : name;
  }

  function tickText(...tick) {
    return withMinus(Chart.Ticks.formatters.numeric.apply(this, tick));
  }

  function draw() {
    const { type, datasets, value } = kinds[data.kind]();
    const text = colour("--quiet");
    const grid = { color: colour("--bs-border-color") };
    chart?.destroy();
    chart = new Chart(box.querySelector("canvas"), {
      type,
      data: { labels: data.names, datasets },
      options: {
        animation: false,
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        scales: {
          x: { grid: { display: false }, ticks: { color: text, maxRotation: 40, autoSkipPadding: 12, callback: shortName } },
          y: { ...value, grid, ticks: { color: text, callback: tickText }, title: { display: true, text: data.unit, color: text } },
        },
        plugins: {
          legend: { labels: { color: text, filter: ({ text: name }) => name !== "Minimum" } },
          tooltip: { callbacks: { label } },
        },
      },
    });
  }

  draw();
  document.addEventListener("scheme-changed", draw);
})();
