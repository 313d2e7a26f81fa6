"use strict";
// Values as words, as rows, as files.

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
