"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const MARKS = ["circle", "triangle", "rect", "rectRot", "star", "cross", "line"]; // as the legend of runs has them
  const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 2]];
  const COLOURS = 10;
  const EMPTY = 0.5; // where a bin of none stands on a logarithmic scale
  const EXPORTED = { width: 1200, height: 675, bar: 56, around: 150 }; // pixels, at two to a CSS pixel
  const hidden = new Set(); // numbers of runs
  const drawn = new Map(); // by the figure's name

  Chart.defaults.animation = false;
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const seriesColour = (style) => colour(`series-${style % COLOURS}`);
  const shortened = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

  function human(bytes) {
    for (const unit of ["B", "kB", "MB", "GB"]) {
      if (Math.abs(bytes) < 1000) return unit === "B" ? `${Math.round(bytes)} B` : `${bytes.toFixed(1)} ${unit}`;
      bytes /= 1000;
    }
    return `${bytes.toFixed(1)} TB`;
  }

  function said(value, unit) {
    if (value === null) return "not finite";
    if (unit === "B") return human(value);
    const digits = Number.isInteger(value) && Math.abs(value) < 1e9 ? value.toLocaleString("en") : String(+value.toPrecision(6));
    return unit ? `${unit === "MiB" ? Math.round(value).toLocaleString("en") : digits} ${unit}` : digits;
  }

  // what a figure looks like now: a configuration of Chart.js

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

  // a figure in the page

  class Drawn {
    constructor(figure, element) {
      this.figure = figure;
      this.element = element;
      this.logs = { x: false, y: figure.logY };
      this.at = -1;
      this.canvas = element.querySelector("canvas");
      for (const button of element.querySelectorAll("[data-log]")) this.offer(button);
      element.querySelector("[data-png]").addEventListener("click", () => this.savePng());
      element.querySelector("[data-csv]").addEventListener("click", () => save(`${figure.name}.csv`, csv(rows(figure)), "text/csv"));
      element.querySelector("details").addEventListener("toggle", (event) => event.target.open && this.list());
      this.canvas.addEventListener("keydown", (event) => this.onKey(event));
      this.canvas.addEventListener("blur", () => this.point(-1));
      this.draw();
    }

    offer(button) {
      const name = button.dataset.log;
      const across = name === "x" ? this.figure.series.flatMap((series) => series.x) : this.figure.series.flatMap((series) => series.y);
      button.disabled = !across.some((value) => value > 0);
      button.addEventListener("click", () => {
        this.logs[name] = !this.logs[name];
        button.setAttribute("aria-pressed", String(this.logs[name]));
        this.draw();
      });
    }

    draw() {
      if (this.chart) this.chart.destroy();
      const flat = this.figure.kind === "bars" || this.figure.kind === "stack";
      const bars = flat ? labels(this.figure).length : 0;
      const thick = bars > 30 ? 12 : 40;
      if (flat) this.canvas.parentElement.style.height = `${Math.min(1200, 70 + (this.figure.kind === "stack" ? 70 : 0) + thick * bars)}px`;
      this.chart = new Chart(this.canvas, configuration(this.figure, this.logs, false));
    }

    list() {
      this.element.querySelector("details .scroll").replaceChildren(table(rows(this.figure), this.figure.title));
    }

    savePng() {
      const canvas = document.createElement("canvas");
      const flat = this.figure.kind === "bars" || this.figure.kind === "stack";
      canvas.width = EXPORTED.width;
      canvas.height = flat ? Math.min(1600, EXPORTED.around + EXPORTED.bar * labels(this.figure).length) : EXPORTED.height;
      const chart = new Chart(canvas, configuration(this.figure, this.logs, true));
      canvas.toBlob((blob) => {
        save(`${this.figure.name}.png`, blob);
        chart.destroy();
      });
    }

    // arrow keys go through the values, as the pointer does; what is there is also said
    onKey(event) {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") this.point(-1);
      if (!step) return;
      event.preventDefault();
      const places = this.places();
      this.point(Math.max(0, Math.min(places.length - 1, this.at < 0 && step < 0 ? places.length - 1 : this.at + step)));
    }

    // the points of each place along the figure: all series' values of one x, or of one bar
    places() {
      const flat = this.figure.kind === "bars" || this.figure.kind === "stack";
      const found = new Map();
      this.chart.data.datasets.forEach((own, datasetIndex) =>
        own.data.forEach((point, index) => {
          const at = flat ? (this.figure.kind === "bars" ? point.y : index) : point.x;
          found.set(at, [...(found.get(at) || []), { datasetIndex, index }]);
        }),
      );
      return flat ? [...found.values()] : [...found.entries()].sort((a, b) => a[0] - b[0]).map(([, points]) => points);
    }

    point(at) {
      this.at = at;
      const points = at < 0 ? [] : this.places()[at] || [];
      const { tooltip } = this.chart;
      tooltip.setActiveElements(points, { x: 0, y: 0 });
      this.chart.setActiveElements(points);
      this.chart.update();
      const lines = points.length ? [...tooltip.title, ...tooltip.body.flatMap((part) => part.lines)] : [];
      this.element.querySelector("[aria-live]").textContent = lines.join(", ");
    }
  }

  // values as rows, and where they go

  function rows(figure) {
    const head = figure.kind === "bars" ? [figure.xLabel, figure.yLabel] : ["series", figure.xLabel, figure.yLabel];
    const body = figure.series.flatMap((series) =>
      series.x.map((x, i) => (figure.kind === "bars" ? [x, series.y[i]] : [series.name, x, series.y[i]])),
    );
    return [head, ...body];
  }

  const quoted = (value) => {
    const text = value === null ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const csv = (found) => found.map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";

  function table([head, ...body], title) {
    const found = document.createElement("table");
    const caption = found.createCaption();
    caption.className = "hidden";
    caption.textContent = title;
    const line = (section, row, tag, scope) => {
      const own = section.insertRow();
      row.forEach((value, i) => {
        const cell = document.createElement(i === 0 ? "th" : tag);
        if (cell.tagName === "TH") cell.scope = i === 0 && !scope ? "row" : "col";
        cell.textContent = typeof value === "number" ? String(+value.toPrecision(8)) : (value ?? "not finite");
        own.append(cell);
      });
    };
    line(found.createTHead(), head, "th", true);
    const section = found.createTBody();
    for (const row of body) line(section, row, "td", false);
    return found;
  }

  function save(name, content, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function tableRows(found) {
    return [...found.rows].map((row) => [...row.cells].map((cell) => cell.dataset.value ?? cell.textContent));
  }

  // the page

  const redraw = () => drawn.forEach((figure) => figure.draw());

  function chooseTheme(theme) {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    try {
      localStorage.setItem("fedmezo-theme", theme);
    } catch {} // a file that may keep nothing
    redraw();
  }

  for (const figure of data.figures) {
    drawn.set(figure.name, new Drawn(figure, document.querySelector(`[data-figure="${figure.name}"]`)));
  }
  for (const button of document.querySelectorAll("button[data-table]")) {
    const name = button.dataset.table;
    button.addEventListener("click", () => save(`${name}.csv`, csv(tableRows(document.getElementById(name))), "text/csv"));
  }
  for (const box of document.querySelectorAll("[data-run]")) {
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(Number(box.dataset.run));
      else hidden.add(Number(box.dataset.run));
      redraw();
    });
  }
  const select = document.getElementById("theme");
  select.addEventListener("change", () => chooseTheme(select.value));
  try {
    select.value = localStorage.getItem("fedmezo-theme") ?? "";
  } catch {}
  if (select.value) chooseTheme(select.value);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
})();
