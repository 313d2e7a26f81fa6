"use strict";
// What a figure looks like now: a configuration of Chart.js.

const MARKS = ["circle", "triangle", "rect", "rectRot", "star", "cross", "line"]; // as the legend of runs has them
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 2]];
const COLOURS = 10;
const EMPTY = 0.5; // where a bin of none stands on a logarithmic scale
const hidden = new Set(); // numbers of runs that are not shown

Chart.defaults.animation = false;
Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const seriesColour = (style) => colour(`series-${style % COLOURS}`);
const shortened = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function dataset(figure, series, logs) {
  const tone = seriesColour(series.style);
  const common = { label: series.name, borderColor: tone, backgroundColor: tone };
  if (figure.kind === "bars") {
    return { ...common, data: series.x.map((x, i) => ({ x: series.y[i], y: x })), grouped: false, maxBarThickness: 34 };
  }
  if (figure.kind === "stack") {
    return { ...common, data: series.y, borderColor: colour("card"), borderWidth: { right: 1 }, maxBarThickness: 34 };
  }
  const steps = figure.kind === "steps";
  const points = series.x
    .map((x, i) => ({ x, y: steps && logs.y ? Math.max(series.y[i], EMPTY) : series.y[i], value: series.y[i] }))
    .filter(({ x, y }) => (!logs.x || x > 0) && (!logs.y || y === null || y > 0));
  const crowded = steps || points.length > 60;
  return {
    ...common,
    data: points,
    borderWidth: 2,
    borderDash: DASHES[series.style % DASHES.length],
    stepped: steps ? "middle" : false,
    fill: steps ? "origin" : false,
    backgroundColor: steps ? `${tone}2e` : tone,
    pointStyle: MARKS[series.style % MARKS.length],
    pointRadius: crowded ? 0 : 4,
    pointHoverRadius: 6,
    pointBackgroundColor: tone,
    spanGaps: true,
  };
}

function axis(label, log, unit, extra = {}) {
  const ticks = { color: colour("quiet"), maxRotation: 0, ...extra.ticks };
  const round = (value) => !log || Number.isInteger(Math.log10(value)); // else units run into each other
  if (unit === "B") ticks.callback = (value) => (round(value) ? human(value).replace(".0 ", " ") : null);
  return {
    type: log ? "logarithmic" : "linear",
    title: { display: true, text: label, color: colour("quiet") },
    grid: { color: colour("grid") },
    border: { color: colour("line") },
    ...extra,
    ticks,
  };
}

function scales(figure, logs, narrow) {
  if (figure.kind === "lines" || figure.kind === "steps") {
    const whole = figure.integers && !logs.x ? { precision: 0 } : {};
    return {
      x: axis(figure.xLabel, logs.x, "", { ticks: whole }),
      y: axis(figure.yLabel, logs.y, figure.unit, figure.kind !== "steps" ? {} : logs.y ? { min: EMPTY } : { beginAtZero: true }),
    };
  }
  const values = figure.series.flatMap((series) => series.y).filter((value) => value > 0);
  const low = logs.y ? { min: Math.min(1, ...values) } : { beginAtZero: true };
  const name = (value, index) => shortened(String(labels(figure)[index]), narrow ? 18 : 30);
  return {
    x: axis(figure.yLabel, logs.y, figure.unit, { ...low, stacked: figure.kind === "stack" }),
    y: {
      type: "category",
      labels: labels(figure),
      stacked: figure.kind === "stack",
      grid: { display: false },
      border: { color: colour("line") },
      ticks: { color: colour("ink"), callback: name, autoSkip: figure.kind === "stack" },
    },
  };
}

const visible = (figure) => figure.series.filter((series) => series.run === null || !hidden.has(series.run));
const labels = (figure) =>
  figure.kind === "bars" ? visible(figure).flatMap((series) => series.x) : figure.series[0].x;

function configuration(figure, logs, exported) {
  const flat = figure.kind === "bars" || figure.kind === "stack";
  const narrow = !exported && document.documentElement.clientWidth < 600;
  const kept = visible(figure);
  return {
    type: flat ? "bar" : "line",
    data: { labels: flat ? labels(figure) : undefined, datasets: kept.map((series) => dataset(figure, series, logs)) },
    options: {
      indexAxis: flat ? "y" : "x",
      responsive: !exported,
      maintainAspectRatio: false,
      devicePixelRatio: exported ? 2 : undefined,
      layout: { padding: { ...(exported ? { left: 24, top: 24, bottom: 24 } : {}), right: figure.kind === "bars" ? 84 : exported ? 24 : 8 } },
      interaction: flat ? { mode: "nearest", axis: "y", intersect: false } : { mode: "nearest", axis: "x", intersect: false },
      scales: scales(figure, logs, narrow),
      plugins: {
        title: { display: exported, text: figure.title, color: colour("ink"), font: { size: 20 } },
        legend: {
          display: figure.kind !== "bars" && kept.length > 1,
          position: "bottom",
          labels: { color: colour("ink"), usePointStyle: figure.kind === "lines", boxWidth: 14, boxHeight: figure.kind === "lines" ? 7 : 12 },
        },
        tooltip: { backgroundColor: colour("ink"), titleColor: colour("card"), bodyColor: colour("card"), usePointStyle: figure.kind === "lines", callbacks: { title: (items) => headline(figure, items), label: (item) => entry(figure, item) } },
      },
    },
    plugins: [...(exported ? [paper] : []), ...(figure.kind === "bars" ? [values(figure)] : [])],
  };
}

function headline(figure, items) {
  if (!items.length) return "";
  const at = figure.kind === "lines" || figure.kind === "steps" ? said(items[0].parsed.x, "") : items[0].label;
  return figure.kind === "bars" || figure.kind === "stack" ? at : `${figure.xLabel}: ${at}`;
}

function entry(figure, item) {
  const value = figure.kind === "lines" || figure.kind === "steps" ? item.raw.value : item.parsed.x;
  return figure.kind === "bars" ? `${figure.yLabel}: ${said(value, figure.unit)}` : `${item.dataset.label}: ${said(value, figure.unit)}`;
}

// the page's ground below an exported picture, and the value at the end of each bar
const paper = {
  id: "paper",
  beforeDraw: ({ ctx, width, height }) => {
    ctx.save();
    ctx.fillStyle = colour("card");
    ctx.fillRect(0, 0, width, height);
    ctx.restore();
  },
};
const values = (figure) => ({
  id: "values",
  afterDatasetsDraw: (chart) => {
    const { ctx } = chart;
    ctx.save();
    ctx.fillStyle = colour("ink");
    ctx.font = `13px ${Chart.defaults.font.family}`;
    ctx.textBaseline = "middle";
    chart.data.datasets.forEach((own, number) => {
      chart.getDatasetMeta(number).data.forEach((bar, i) => ctx.fillText(said(own.data[i].x, figure.unit), bar.x + 6, bar.y));
    });
    ctx.restore();
  },
});
