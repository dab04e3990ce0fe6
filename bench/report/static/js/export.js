// Tables to take away: CSV with every digit, LaTeX (booktabs) with the best in bold and the second underlined.

function csv(rows) {
  const cell = (v) => {
    const text = v === null || v === undefined || Number.isNaN(v) ? "" : String(v);
    return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  return rows.map((r) => r.map(cell).join(",")).join("\n") + "\n";
}

function boardCsv() {
  const name = state.metric, parts = ["mean", "half_width_95", "rank_best", "rank_worst", "difference", "difference_half_width_95", "p_holm"];
  const others = data.metrics.filter((m) => m.name !== name);
  const head = ["solver", "family", "tuning", ...parts.map((p) => `${name}_${p}`), ...others.flatMap((m) => [`${m.name}_mean`, `${m.name}_half_width_95`]),
    "seconds", "calls", "evaluations", "cells", "failed", "absent"];
  return csv([head, ...entries.map((e) => [e.solver, e.family, e.tuning, e.score.mean, e.score.half, e.rank?.[0], e.rank?.[1], e.delta?.mean, e.delta?.half, e.delta?.p,
    ...others.flatMap((m) => [e.scores[m.name].mean, e.scores[m.name].half]), e.seconds, e.calls, e.evaluations, e.cells, e.failed, e.absent])]);
}

function heatCsv() {
  const head = ["solver", ...settingTable.columns.flatMap((c) => [data.settings[c.setting].id, `${data.settings[c.setting].id} ±`])];
  return csv([head, ...entries.map((e, k) => [e.solver, ...settingTable.columns.flatMap((c) => [c.cells[k].mean, c.cells[k].half])])]);
}

const LATEX = { "\\": "\\textbackslash{}", "&": "\\&", "%": "\\%", $: "\\$", "#": "\\#", _: "\\_", "{": "\\{", "}": "\\}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
  "χ²": "$\\chi^2$", "·": "$\\cdot$", "σ": "$\\sigma$", "λ": "$\\lambda$", "±": "$\\pm$", "Δ": "$\\Delta$", "ᵀ": "$^{\\mathsf T}$" };
const latexText = (text) => text.replace(/χ²|[\\&%$#_{}~^·σλ±Δᵀ]/g, (c) => LATEX[c]);

/** Best in bold, second underlined; values that print alike are alike. */
function latexColumn(scores, metric, interval) {
  const loss = lossOf(metric), shown = scores.map((s) => (Number.isFinite(s.mean) ? s.mean.toFixed(metric.digits) : null));
  const places = unique(shown.filter((t) => t !== null).map((t) => loss(Number(t)))).sort((a, b) => a - b);
  return shown.map((text, i) => {
    if (text === null) return "--";
    const place = places.indexOf(loss(Number(text)));
    const value = place === 0 ? `\\textbf{${text}}` : place === 1 ? `\\underline{${text}}` : text;
    const half = scores[i].half;
    return interval && Number.isFinite(half) ? `${value} {\\scriptsize$\\pm$ ${half.toFixed(metric.digits)}}` : value;
  });
}

function latexTable(heads, columns, note) {
  const rows = entries.map((e, k) => [latexText(e.solver), ...columns.map((c) => c[k])].join(" & ") + " \\\\");
  return [`% ${note}`, "% \\usepackage{booktabs}", `\\begin{tabular}{l${"r".repeat(columns.length)}}`, "\\toprule",
    `${["Method", ...heads].join(" & ")} \\\\`, "\\midrule", ...rows, "\\bottomrule", "\\end{tabular}", ""].join("\n");
}

const latexArrow = (m) => (m.target !== null ? ` $\\to ${m.target}$` : m.better === "higher" ? " $\\uparrow$" : " $\\downarrow$");

function boardLatex() {
  const metrics = [metricOf(state.metric), ...data.metrics.filter((m) => m.name !== state.metric && !isPosterior(m))];
  const heads = [...metrics.map((m) => latexText(m.label) + latexArrow(m)), "Seconds"];
  const time = entries.map((e) => (Number.isFinite(e.seconds) ? e.seconds.toPrecision(2) : "--"));
  return latexTable(heads, [...metrics.map((m, i) => latexColumn(entries.map((e) => e.scores[m.name]), m, i === 0)), time],
    `${boardNote()}; mean ${String.fromCharCode(177)} 95 % interval clustered by image`.replace("±", "+-"));
}

function heatLatex() {
  const metric = metricOf(state.metric);
  return latexTable(settingTable.columns.map((c) => latexText(data.settings[c.setting].id)),
    settingTable.columns.map((c) => latexColumn(c.cells, metric, false)), `${metric.label} per setting`);
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

const TABLES = { board: { csv: boardCsv, latex: boardLatex, name: "leaderboard" }, heat: { csv: heatCsv, latex: heatLatex, name: "by-setting" } };

function startExports() {
  for (const button of document.querySelectorAll("button[data-table]")) {
    const { table, form, act } = button.dataset, source = TABLES[table];
    button.addEventListener("click", () => {
      const text = source[form]();
      if (act === "copy") copy(text, form === "csv" ? "CSV" : "LaTeX");
      else download(`${source.name}.${form === "csv" ? "csv" : "tex"}`, text);
    });
  }
  for (const button of document.querySelectorAll("button[data-svg]"))
    button.addEventListener("click", () => saveSvg(document.getElementById(button.dataset.svg), button.dataset.svg));
  $("copy-link").addEventListener("click", () => { const hash = hashOf(); copy(location.href.split("#")[0] + (hash ? `#${hash}` : ""), "Link"); });
}

/** A drawing as a file of its own: colours and type of the page are written into it. */
function saveSvg(box, name) {
  const source = box instanceof SVGElement ? box : box.querySelector("svg"), out = source.cloneNode(true);
  const from = [source, ...source.querySelectorAll("*")], to = [out, ...out.querySelectorAll("*")];
  const wanted = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight", "color"];
  from.forEach((element, i) => { const style = getComputedStyle(element); to[i].setAttribute("style", wanted.map((w) => `${w}:${style[w]}`).join(";")); });
  out.setAttribute("xmlns", SVG);
  download(`${name}.svg`, new XMLSerializer().serializeToString(out), "image/svg+xml");
}
