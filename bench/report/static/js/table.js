// The leaderboard on the page: columns, sorting, one row per solver.
const MARKS = { better: "●", worse: "▼", unclear: "○" };
let entries = [];

/** Columns: key, heading, tooltip, which direction is first, the number sorted by, and how a cell is shown. */
function columns() {
  const metric = metricOf(state.metric), others = data.metrics.filter((m) => m !== metric && !isPosterior(m));
  const some = (name) => entries.some((e) => e[name] > 0);
  return [
    { key: "solver", head: "Solver", first: "up", by: (e) => e.solver, cell: solverCell, left: true },
    ranks(metric) && { key: "rank", head: "Rank", tip: "The places that the images do not rule out, for all solvers together with 95 %", first: "up",
      by: (e) => (e.rank ? e.rank[0] + e.rank[1] / 1000 + e.score.mean * (metric.better === "higher" ? -1e-9 : 1e-9) : NaN), cell: rankCell },
    { key: "score", head: metric.label + arrow(metric), tip: metric.protocol, main: true, first: metric.better === "higher" ? "down" : "up",
      by: (e) => e.score.mean, cell: (e) => plusMinus(e.score, metric, number) },
    ranks(metric) && state.baseline && { key: "delta", head: `Δ ${metric.label}`, tip: `Paired difference to ${state.baseline}`, first: "down",
      by: (e) => (e.delta ? e.delta.mean : NaN), cell: (e) => deltaCell(e, metric) },
    ...others.map((m) => ({ key: `m-${m.name}`, head: m.label + arrow(m), tip: m.protocol, first: m.better === "higher" ? "down" : "up",
      by: (e) => e.scores[m.name].mean, cell: (e) => scoreCell(e, m) })),
    { key: "seconds", head: "Time", tip: "Median solve time per image", first: "up", by: (e) => e.seconds, cell: (e) => [seconds(e.seconds)] },
    some("calls") && { key: "calls", head: "A + Aᵀ", tip: "Median calls of the blur and of its adjoint; 0 where a solver multiplies by its transfer function instead",
      first: "up", by: (e) => e.calls, cell: (e) => [count(e.calls)] },
    some("evaluations") && { key: "evaluations", head: "NFE", tip: "Median network passes, forward and backward", first: "up", by: (e) => e.evaluations, cell: (e) => [count(e.evaluations)] },
    some("failed") && { key: "failed", head: "Failed", tip: "Cells that failed; they count as the blurred input where its value is known", first: "down",
      by: (e) => e.failed, cell: (e) => [e.failed ? h("span", { class: "bad" }, `✕ ${e.failed} of ${e.cells}`) : "0"] },
    entries.some((e) => e.certificate) && { key: "certificate", head: "Cert.", tip: "Certificate: was the solver right where the exact posterior is known?", first: "down",
      by: (e) => ({ pass: 2, fail: 1 })[e.certificate?.verdict] || 0, cell: certificateCell },
  ].filter(Boolean);
}

const isPosterior = (m) => /_mean$|^crps$|^coverage_/.test(m.name);

function solverCell(e) {
  const tag = (text, title, kind = "") => h("span", { class: `tag ${kind}`, title }, text);
  return [
    h("span", { class: `dot f${familyIndex(e)}`, "aria-hidden": "true" }),
    h("span", { class: "solver", title: [e.solver_name, e.settings, e.weights && `weights ${e.weights}`].filter(Boolean).join(" · ") }, e.solver),
    e.family && h("span", { class: "family" }, e.family),
    e.weights && h("span", { class: "family weights", title: "Weights: name, and the beginning of the file's SHA-256" }, e.weights),
    e.solver === state.baseline && tag("baseline", "The others are compared with it"),
    e.tuning === "val" && tag("tuned", "Tuned on the validation split, per setting"),
    e.tuning === "oracle" && tag("oracle", "Tuned on the test images themselves: an upper bound", "warn-tag"),
    e.blind && tag("blind", "Saw neither PSF nor noise level"),
    e.absent > 0 && tag(`${e.absent} cells not run`, "Its mean is over other cells than the others'", "warn-tag"),
  ];
}

function rankCell(e) {
  if (!e.rank) return [h("span", { class: "pm" }, MISSING)];
  return [e.rank[0] === e.rank[1] ? String(e.rank[0]) : `${e.rank[0]}–${e.rank[1]}`];
}

function plusMinus(score, metric, format) {
  return [h("span", { class: "value" }, format(score.mean, metric.digits)), " ", h("span", { class: "pm" }, `± ${number(score.half, metric.digits)}`)];
}

function deltaCell(e, metric) {
  if (!e.delta) return [h("span", { class: "pm" }, MISSING)];
  const word = e.delta.verdict, p = `Holm-adjusted p = ${e.delta.p.toPrecision(2)}`;
  return [...plusMinus(e.delta, metric, signed), " ", h("span", { class: `mark ${word}`, role: "img", "aria-label": word, title: p }, MARKS[word])];
}

function scoreCell(e, m) {
  const { mean, half } = e.scores[m.name];
  return [h("span", { title: `± ${number(half, m.digits)}` }, number(mean, m.digits))];
}

function certificateCell(e) {
  if (!e.certificate) return [h("span", { class: "pm" }, MISSING)];
  const pass = e.certificate.verdict === "pass";
  return [h("span", { class: pass ? "good" : "bad", role: "img", "aria-label": e.certificate.verdict, title: e.certificate.text }, pass ? "✓" : "✗")];
}

function compareBy(column, down) {
  return (x, y) => {
    const a = column.by(x), b = column.by(y);
    if (typeof a === "string") return (down ? -1 : 1) * a.localeCompare(b);
    return Number.isNaN(a) - Number.isNaN(b) || (down ? b - a : a - b) || 0;
  };
}

function drawBoard() {
  const shown = columns(), column = shown.find((c) => c.key === state.sort) || shown.find((c) => c.main);
  const down = state.down ? state.down === "1" : column.first === "down";
  const sorted = [...entries].sort(compareBy(column, down));
  const heading = (c) => h("th", { scope: "col", class: c.left ? "left" : "", "aria-sort": c === column ? (down ? "descending" : "ascending") : null },
    h("button", { type: "button", class: "sort", title: c.tip, click: () => sortBy(c, column, down) }, c.head));
  const row = (e) => h("tr", { class: e.solver === state.baseline ? "baseline" : "", "data-solver": e.solver, mouseenter: () => highlight(e.solver), mouseleave: () => highlight(null) },
    shown.map((c) => h(c.left ? "th" : "td", { class: c.left ? "left" : c.main ? "main" : c.key === "rank" ? "rank" : "", scope: c.left ? "row" : null }, c.cell(e))));
  $("board").replaceChildren(h("thead", {}, h("tr", {}, shown.map(heading))), h("tbody", {}, sorted.map(row)));
  $("board-and-front").classList.toggle("stacked", shown.length > 9);
  $("board-note").textContent = boardNote();
}

function boardNote() {
  const cells = chosenCells(), images = unique(pick(data.cells.image, cells)).length;
  const what = [state.blur, state.noise && `noise ${state.noise}`].filter(Boolean).join(", ") || "all settings";
  return `${what}: ${cells.length} measurements of ${images} image${images === 1 ? "" : "s"}`;
}

function sortBy(column, current, down) {
  const same = column === current;
  const focus = column.head;
  change({ sort: column.key, down: same ? (down ? "0" : "1") : "" });
  [...$("board").querySelectorAll(".sort")].find((b) => b.textContent === focus)?.focus();
}

/** Light up one solver in the table and in the plots. */
function highlight(solver) {
  for (const mark of document.querySelectorAll("[data-solver]")) mark.classList.toggle("lit", solver !== null && mark.dataset.solver === solver);
  $("pareto")?.classList.toggle("dimmed", solver !== null);
}

/** Solvers that drew posterior samples: what only samples can tell. */
function drawPosterior() {
  const metrics = data.metrics.filter(isPosterior), table = $("posterior-table");
  if (!table) return;
  const shown = entries.filter((e) => metrics.some((m) => !Number.isNaN(e.scores[m.name].mean)));
  table.replaceChildren(
    h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "left" }, "Solver"), h("th", { scope: "col" }, "Samples"),
      metrics.map((m) => h("th", { scope: "col", title: m.protocol }, m.label + arrow(m))))),
    h("tbody", {}, shown.map((e) => h("tr", {}, h("th", { scope: "row", class: "left" }, e.solver), h("td", {}, count(e.samples)),
      metrics.map((m) => h("td", {}, plusMinus(e.scores[m.name], m, number)))))));
}

function computeBoard() {
  entries = leaderboard();
  drawBoard();
  drawPosterior();
}
