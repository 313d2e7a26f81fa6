"use strict";
// The figures of the page, and its controls.

const data = JSON.parse(document.getElementById("data").textContent);
const EXPORTED = { width: 1200, height: 675, bar: 56, around: 150 }; // pixels, at two to a CSS pixel
const drawn = new Map(); // by the figure's name

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
