// Tables to take away: CSV with every digit, LaTeX (booktabs) with the best in bold and the second underlined.
import { scoreNow } from "./board.js";
import { data, lossOf, metricOf, metrics, ranks } from "./data.js";
import { $, h, SVG, say, unique } from "./elements.js";
import { settingTable } from "./heat.js";
import { hashOf, state } from "./state.js";
import { boardNote, entries, isPosterior } from "./table.js";

function csv(rows) {
  const cell = (v) => {
    const text = v === null || v === undefined || Number.isNaN(v) ? "" : String(v);
    return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  return `${rows.map((r) => r.map(cell).join(",")).join("\n")}\n`;
}

export function boardCsv() {
  const others = data.metrics.filter((m) => m.name !== state.metric);
  const head = [
    ...["solver", "family", "tuning", "weights"],
    ...STANDING.map((part) => `${state.metric}_${part}`),
    ...others.flatMap((m) => ["mean", "low_95", "high_95"].map((part) => `${m.name}_${part}`)),
    ...COUNTS,
  ];
  const row = (e) => [
    ...[e.solver, e.family, e.tuning, e.weights],
    ...standing(e),
    ...others.flatMap((m) => ["mean", "low", "high"].map((part) => e.scores[m.name][part])),
    ...COUNTS.map((name) => e[name]),
  ];
  return csv([head, ...entries.map(row)]);
}

const COUNTS = ["seconds", "calls", "evaluations", "parameters", "macs", "cells", "failed", "absent"];
const STANDING = [
  ...["mean", "low_95", "high_95", "groups", "maybe_best", "rank_best", "rank_worst"],
  ...["difference", "difference_low_95", "difference_high_95", "p_adjusted"],
];

function standing(e) {
  const { mean, low, high, best, rank } = e.score;
  const delta = [e.delta?.mean, e.delta?.low, e.delta?.high, e.delta?.p];
  return [mean, low, high, scoreNow().groups, best === null ? null : Number(best), rank?.[0], rank?.[1], ...delta];
}

export function heatCsv() {
  const parts = ["mean", "low", "high"];
  const heads = settingTable.columns.flatMap((c) =>
    ["", " low", " high"].map((part) => data.settings[c.setting].id + part),
  );
  const row = (e, k) => [e.solver, ...settingTable.columns.flatMap((c) => parts.map((part) => c.cells[k][part]))];
  return csv([["solver", ...heads], ...entries.map(row)]);
}

const LATEX = {
  "\\": "\\textbackslash{}",
  "&": "\\&",
  "%": "\\%",
  $: "\\$",
  "#": "\\#",
  _: "\\_",
  "{": "\\{",
  "}": "\\}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "χ²": "$\\chi^2$",
  "·": "$\\cdot$",
  σ: "$\\sigma$",
  λ: "$\\lambda$",
  "±": "$\\pm$",
  Δ: "$\\Delta$",
  ᵀ: "$^{\\mathsf T}$",
};
const latexText = (text) => text.replace(/χ²|[\\&%$#_{}~^·σλ±Δᵀ]/g, (c) => LATEX[c]);

/** Best in bold, second underlined; values that print alike are alike. */
function latexColumn(scores, metric) {
  const loss = lossOf(metric),
    shown = scores.map((s) => (Number.isFinite(s.mean) ? s.mean.toFixed(metric.digits) : null));
  const places = unique(shown.filter((t) => t !== null).map((t) => loss(Number(t)))).sort((a, b) => a - b);
  return shown.map((text) => {
    if (text === null) return "--";
    const place = places.indexOf(loss(Number(text)));
    return place === 0 ? `\\textbf{${text}}` : place === 1 ? `\\underline{${text}}` : text;
  });
}

function latexTable(heads, columns, note) {
  const rows = entries.map((e, k) => `${[latexText(e.solver), ...columns.map((c) => c[k])].join(" & ")} \\\\`);
  return [
    `% ${note}`,
    "% \\usepackage{booktabs}",
    `\\begin{tabular}{l${"r".repeat(columns.length)}}`,
    "\\toprule",
    `${["Method", ...heads].join(" & ")} \\\\`,
    "\\midrule",
    ...rows,
    "\\bottomrule",
    "\\end{tabular}",
    "",
  ].join("\n");
}

const latexArrow = (m) =>
  m.target !== null ? ` $\\to ${m.target}$` : m.better === "higher" ? " $\\uparrow$" : " $\\downarrow$";

export function boardLatex() {
  const metric = metricOf(state.metric);
  const others = metrics.filter((m) => m !== metric && !isPosterior(m));
  const column = (m) =>
    latexColumn(
      entries.map((e) => e.scores[m.name]),
      m,
    );
  const head = (m) => latexText(m.label) + latexArrow(m);
  const paired = ranks(metric) && state.baseline;
  const time = entries.map((e) => (Number.isFinite(e.seconds) ? e.seconds.toPrecision(2) : "--"));
  const heads = [
    head(metric),
    ...(paired ? [`$\\Delta$ ${latexText(metric.label)}`] : []),
    ...others.map(head),
    "Seconds",
  ];
  const columns = [column(metric), ...(paired ? [latexDeltas(metric)] : []), ...others.map(column), time];
  const about = paired ? `; paired difference to ${state.baseline} with its ${scoreNow().called} interval` : "";
  return latexTable(heads, columns, boardNote() + about);
}

function latexDeltas(metric) {
  const plain = (v) => (v > 0 ? "+" : "") + v.toFixed(metric.digits);
  return entries.map((e) => {
    if (!e.delta || !Number.isFinite(e.delta.mean)) return "--";
    const { mean, low, high } = e.delta;
    const interval = Number.isFinite(low + high) ? ` {\\scriptsize$[${plain(low)}, ${plain(high)}]$}` : "";
    return `$${plain(mean)}$${interval}`;
  });
}

export function heatLatex() {
  const metric = metricOf(state.metric);
  return latexTable(
    settingTable.columns.map((c) => latexText(data.settings[c.setting].id)),
    settingTable.columns.map((c) => latexColumn(c.cells, metric)),
    `${metric.label} per setting`,
  );
}

function download(name, text, type = "text/plain") {
  const url = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  say(`${name} saved`);
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { "aria-hidden": "true", tabindex: "-1", class: "sr" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(`${what} copied`);
}

const TABLES = {
  board: { csv: boardCsv, latex: boardLatex, name: "leaderboard" },
  heat: { csv: heatCsv, latex: heatLatex, name: "by-setting" },
};

export function startExports() {
  for (const button of document.querySelectorAll("button[data-table]")) {
    const { table, form, act } = button.dataset,
      source = TABLES[table];
    button.addEventListener("click", () => {
      const text = source[form]();
      if (act === "copy") copy(text, form === "csv" ? "CSV" : "LaTeX");
      else download(`${source.name}.${form === "csv" ? "csv" : "tex"}`, text);
    });
  }
  for (const button of document.querySelectorAll("button[data-svg]"))
    button.addEventListener("click", () => saveSvg(document.getElementById(button.dataset.svg), button.dataset.svg));
  $("copy-link").addEventListener("click", () => {
    const hash = hashOf();
    copy(location.href.split("#")[0] + (hash ? `#${hash}` : ""), "Link");
  });
}

/** A drawing as a file of its own: colours and type of the page are written into it. */
function saveSvg(box, name) {
  const source = box instanceof SVGElement ? box : box.querySelector("svg"),
    out = source.cloneNode(true);
  const from = [source, ...source.querySelectorAll("*")],
    to = [out, ...out.querySelectorAll("*")];
  const wanted = [
    "fill",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "opacity",
    "font-family",
    "font-size",
    "font-weight",
    "color",
  ];
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    to[i].setAttribute("style", wanted.map((w) => `${w}:${style[w]}`).join(";"));
  });
  out.setAttribute("xmlns", SVG);
  download(`${name}.svg`, new XMLSerializer().serializeToString(out), "image/svg+xml");
}
