// The leaderboard on the page: columns, sorting, one row per solver.
import { baselineMissing, leaderboard, scoreNow, tableNow } from "./board.js";
import { arrow, data, lossOf, metricOf, metrics, ranks } from "./data.js";
import { $, amount, count, h, MISSING, number, seconds, signed } from "./elements.js";
import { drawCautions, solverCell } from "./solver.js";
import { change, state } from "./state.js";

/** What ± beside a value means. */
const WITHIN =
  "±: for comparing rows with each other, without what all share on a photograph (Cousineau–Morey); rows differ " +
  "when their gap exceeds about 1.4 times it. The interval of a row's own level is in its tooltip.";
const MARKS = { better: "●", worse: "▼", unclear: "○" };
export let entries = [];

/** Columns: key, heading, tooltip, which direction is first, the number sorted by, and how a cell is shown. */
export function columns() {
  const metric = metricOf(state.metric);
  return [...standingColumns(metric), ...otherMetrics(metric).map(metricColumn), ...costColumns()].filter(Boolean);
}

function standingColumns(metric) {
  const ranked = ranks(metric);
  return [
    ranked &&
      entries.some((e) => e.score.best !== null) && {
        key: "best",
        head: "Best?",
        tip: "● may be the best: not distinguishable from the best row, for all rows together (Hsu 1984)",
        first: "down",
        by: (e) => Number(e.score.best) - lossOf(metric)(e.score.mean) * 1e-9,
        cell: bestCell,
        kind: "best",
      },
    { key: "solver", head: "Solver", first: "up", by: (e) => e.solver, cell: solverCell, left: true },
    {
      key: "score",
      head: metric.label + arrow(metric),
      tip: ranked ? `${metric.protocol} ${WITHIN}` : metric.protocol,
      first: metric.better === "higher" ? "down" : "up",
      by: (e) => e.score.mean,
      cell: (e) =>
        ranked && state.baseline
          ? mainCell(e.score, metric)
          : [...withInterval(e.score, metric, number), expected(e, metric)],
      kind: "main",
    },
    ranked &&
      state.baseline && {
        key: "delta",
        head: `Δ ${metric.label}`,
        tip: `Paired difference to ${state.baseline} on the same cells, with its ${scoreNow().called} interval${groupsText()}`,
        first: "down",
        by: (e) => (e.delta ? e.delta.mean : NaN),
        cell: (e) => deltaCell(e, metric),
      },
    ranked &&
      scoreNow().ranks && {
        key: "rank",
        head: "Ranks",
        tip: `The places that the data do not rule out, at ${scoreNow().called} for each row by itself`,
        first: "up",
        by: (e) => (e.score.rank ? e.score.rank[0] + e.score.rank[1] / 1000 : NaN),
        cell: rankCell,
      },
  ];
}

/** What samples add to the chosen metric comes first. */
function otherMetrics(metric) {
  const of = (m) => m.name === `${metric.name}_sample` || (m.ofSamples && !/_sample$/.test(m.name) && ranks(m));
  const others = metrics.filter((m) => m !== metric);
  return [...others.filter(of), ...others.filter((m) => !of(m) && !isPosterior(m))];
}

const metricColumn = (m) => ({
  key: `m-${m.name}`,
  head: m.label + arrow(m),
  tip: m.protocol,
  first: m.better === "higher" ? "down" : "up",
  by: (e) => e.scores[m.name].mean,
  cell: (e) => [...valueCell(e.scores[m.name], m), expected(e, m)],
});

/** In brackets what theory expects of this metric and row, where it does: see docs/metrics.md, residual_chi2_expected. */
function expected(e, m) {
  const own = e.scores[`${m.name}_expected`];
  // Theory is that of a draw from the posterior, or of its mean; one draw of a sampler may be meant as either.
  const known = own && !e.blind && e.family !== "reference" && (e.samples > 1 || !e.stochastic);
  if (!known || Number.isNaN(own.mean)) return null;
  const why =
    e.samples > 1
      ? "expected of a draw from the posterior: it is as far from the data as the truth"
      : own.mean < 0
        ? "no posterior mean errs so much: its error in the blurred picture is above the noise"
        : "expected of a posterior mean with this row's error in the blurred picture; above: signal is left, below: noise is fitted";
  return h("span", { class: "pm", title: why }, ` (${own.mean < 0 ? "< 0" : number(own.mean, m.digits)})`);
}

function costColumns() {
  const some = (name) => entries.some((e) => e[name] > 0);
  const calls =
    "Median calls of the blur and of its adjoint; 0 where a solver multiplies by its transfer function instead";
  const macs = "Median multiply-accumulates of all network passes for one image: convolutions and matrix products";
  const failed = "Cells that failed; they count as the blurred input where its value is known";
  const column = (key, head, tip, cell) => ({ key, head, tip, first: "up", by: (e) => e[key], cell });
  return [
    column("seconds", "Time", "Median solve time per image", (e) => [seconds(e.seconds)]),
    some("calls") && column("calls", "A + Aᵀ", calls, (e) => [count(e.calls)]),
    some("evaluations") &&
      column("evaluations", "NFE", "Median network passes, forward and backward", (e) => [count(e.evaluations)]),
    some("parameters") &&
      column("parameters", "Params", "Parameters of its networks, the prior's included", (e) => [
        amount(e.parameters),
      ]),
    some("macs") && column("macs", "MACs", macs, (e) => [amount(e.macs)]),
    some("failed") && { ...column("failed", "Failed", failed, failedCell), first: "down" },
    entries.some((e) => e.certificate) && {
      key: "certificate",
      head: "Cert.",
      tip: "Certificate: how close the solver came where the exact posterior is known, A to F",
      first: "down",
      by: (e) => certified[e.certificate?.grade || e.certificate?.verdict] || 0,
      cell: certificateCell,
    },
  ];
}

export const isPosterior = (m) => m.ofSamples;
export const missing = (title) => [h("span", { class: "pm", title }, MISSING)];
const failedCell = (e) => [e.failed ? h("span", { class: "bad" }, `✕ ${e.failed} of ${e.cells}`) : "0"];

function bestCell(e) {
  if (e.score.best === null) return missing(whyNot());
  const about = e.score.needed
    ? `; about ${count(e.score.needed)} photographs would tell it from the leading row`
    : "";
  if (!e.score.best) return [h("span", { class: "sr" }, "no")];
  const text = `not distinguishable from the best${about}`;
  return [h("span", { class: "mark better", role: "img", "aria-label": text, title: text }, "●")];
}

function rankCell(e) {
  if (!e.score.rank) return missing();
  const [low, high] = e.score.rank;
  return [low === high ? String(low) : `${low}–${high}`];
}

/** "(low to high)", or nothing where there is no interval. */
export function intervalText(score, metric, format = number) {
  if (!Number.isFinite(score.low) || !Number.isFinite(score.high)) return "";
  return `(${format(score.low, metric.digits)} to ${format(score.high, metric.digits)})`;
}

function withInterval(score, metric, format) {
  const interval = intervalText(score, metric, format);
  const value = h("span", { class: "value", title: interval ? "" : whyNot() }, format(score.mean, metric.digits));
  return [value, interval && " ", interval && h("span", { class: "pm" }, interval)];
}

function valueCell(score, metric) {
  const interval = intervalText(score, metric);
  const title = interval ? `${scoreNow().called} interval of the mean ${interval}${groupsText()}` : whyNot();
  return [h("span", { class: "value", title }, number(score.mean, metric.digits))];
}

function mainCell(score, metric) {
  const within =
    Number.isFinite(score.within) && h("span", { class: "pm" }, ` ± ${number(score.within, metric.digits)}`);
  return [...valueCell(score, metric), within];
}

function deltaCell(e, metric) {
  if (!e.delta) return missing();
  const { verdict, p, how } = e.delta;
  const text = { better: "better", worse: "worse", unclear: "not separable" }[verdict];
  const title = Number.isNaN(p) ? whyNot() : `${text}: p = ${p.toPrecision(2)}, adjusted by ${how}`;
  const mark = h("span", { class: `mark ${verdict}`, role: "img", "aria-label": text, title }, MARKS[verdict]);
  return [...withInterval(e.delta, metric, signed), h("span", { class: "nowrap" }, " ", mark)];
}

/** Why there is no interval. */
function whyNot() {
  const { note } = scoreNow();
  return note ? `No interval: ${note.replace("group", "photograph")}` : "";
}

const groupsText = () => `; ${photographs(scoreNow().groups)}`;
const photographs = (n) => `${n} photograph${String(n) === "1" ? "" : "s"}`;

/** From the worst to the best, for sorting. */
const certified = { fail: 1, F: 1, "not judged": 2, pass: 3, C: 4, B: 5, A: 6 };

function certificateCell(e) {
  if (!e.certificate) return missing();
  const { verdict, grade, text } = e.certificate;
  const mark = grade || { pass: "✓", fail: "✗" }[verdict];
  if (!mark) return [h("span", { class: "pm", title: text }, verdict)];
  const about = { role: "img", "aria-label": grade ? `grade ${grade}` : verdict, title: text };
  return [h("span", { class: verdict === "pass" ? "good" : "bad", ...about }, mark)];
}

function compareBy(column, down) {
  return (x, y) => {
    const a = column.by(x);
    const b = column.by(y);
    if (typeof a === "string") return (down ? -1 : 1) * a.localeCompare(b);
    return Number.isNaN(a) - Number.isNaN(b) || (down ? b - a : a - b) || 0;
  };
}

/** Implementations of one estimator stand together, at the place of the first of them. */
function grouped(sorted) {
  const first = new Map();
  for (const e of sorted) if (!first.has(e.same_as)) first.set(e.same_as, e.solver);
  const place = new Map([...first.keys()].map((name, k) => [name, k]));
  return sorted
    .map((e) => ({ ...e, twin: first.get(e.same_as) === e.solver ? "" : first.get(e.same_as) }))
    .sort((x, y) => place.get(x.same_as) - place.get(y.same_as));
}

export function drawBoard() {
  const every = columns();
  const hidden = state.hide.split(",");
  const all = every.filter((c) => !hidden.includes(c.key));
  const column = every.find((c) => c.key === state.sort) || every.find((c) => c.key === "score");
  const down = state.down ? state.down === "1" : column.first === "down";
  const sorted = grouped([...entries].sort(compareBy(column, down)));
  const heading = (c) => {
    const order = c === column ? (down ? "descending" : "ascending") : null;
    const button = { type: "button", class: "sort", title: c.tip, click: () => sortBy(c, column, down) };
    return h("th", { scope: "col", class: classOf(c), "aria-sort": order }, h("button", button, c.head));
  };
  $("board").replaceChildren(
    h("thead", {}, h("tr", {}, all.map(heading))),
    h(
      "tbody",
      {},
      sorted.filter(wanted).map((e) => boardRow(e, all)),
    ),
  );
  $("board-and-front").classList.toggle("stacked", all.length > 8);
  drawColumnChoice(every, hidden);
  drawNotes();
}

/** Whether a row has what is searched for: in its name, family, weights or settings. */
function wanted(e) {
  const text = [e.solver, e.solver_name, e.family, e.weights, e.settings].join(" ").toLowerCase();
  return state.find
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** A box for each column but the name's; what is not ticked is not shown. */
function drawColumnChoice(every, hidden) {
  const box = (c) => {
    const on = !hidden.includes(c.key);
    const rest = hidden.filter((key) => key && key !== c.key);
    const toggle = () => change({ hide: (on ? [...rest, c.key] : rest).join(",") });
    return h("label", {}, h("input", { type: "checkbox", checked: on, change: toggle }), ` ${c.head}`);
  };
  $("columns-list").replaceChildren(...every.filter((c) => c.key !== "solver").map(box));
}

export function startBoard() {
  $("find").value = state.find;
  $("find").addEventListener("input", (event) => change({ find: event.target.value }));
  drawCautions();
}

const classOf = (c) => (c.left ? "left" : c.kind || "");

function boardRow(e, all) {
  const about = {
    class: `${e.solver === state.baseline ? "baseline" : ""}${e.twin ? " twin" : ""}`,
    "data-solver": e.solver,
    mouseenter: () => highlight(e.solver),
    mouseleave: () => highlight(null),
  };
  const cell = (c) => h(c.left ? "th" : "td", { class: classOf(c), scope: c.left ? "row" : null }, c.cell(e));
  return h("tr", about, all.map(cell));
}

/** What the table rests on, and what its marks mean while one chooses among tables. */
function drawNotes() {
  const score = scoreNow();
  $("board-note").textContent = boardNote();
  $("few").hidden = !score.few.includes("1");
  $("few").title = "Below 10 photographs an interval may be too narrow where differences are skewed";
  drawMultiplicity();
  $("apart").textContent = apart();
  $("no-baseline").hidden = !baselineMissing();
}

/** Shown where one chooses: what the marks account for, and what not. */
function drawMultiplicity() {
  const tables = data.tables.length * data.metrics.filter(ranks).length;
  const others = new Set(entries.map((e) => e.same_as)).size - 1;
  const how = state.baseline && data.baseline === data.solvers.findIndex((s) => s.solver === state.baseline);
  const method = how ? "Holm" : "Benjamini–Hochberg, all pairs";
  $("multiplicity").textContent =
    `Marks account for the ${Math.max(others, 0)} comparisons of one table (${method})` +
    (tables > 1 ? `, not for choosing among this page's ${tables}: decide on filter and metric first.` : ".");
}

/** How many photographs the two best take to be distinguished, where they are not yet. */
function apart() {
  const metric = metricOf(state.metric);
  const estimators = entries.filter((e, i) => entries.findIndex((o) => o.same_as === e.same_as) === i);
  const [first, second] = estimators;
  if (!second || !ranks(metric) || !second.score.best) return "";
  if (!(second.score.needed > scoreNow().groups)) return "";
  const pair = `${first.solver} from ${second.solver}`;
  return `About ${photographs(count(second.score.needed))} would tell ${pair}, the two best. `;
}

export function boardNote() {
  const table = tableNow();
  const score = scoreNow();
  const chosen = data.axes.filter((a) => state[a.name]).map((a) => `${a.label.toLowerCase()} ${state[a.name]}`);
  const kernels = score.kernels ? ` blurred by ${score.kernels} shared kernel${score.kernels === 1 ? "" : "s"}` : "";
  const crops = table.images === score.groups ? "" : ` (${table.images} pictures)`;
  const why = score.note ? `; no intervals: ${score.note.replace("group", "photograph")}` : "";
  const measurements = `${table.cells} measurement${table.cells === 1 ? "" : "s"} of ${photographs(score.groups)}`;
  return `${chosen.join(", ") || "all settings"}: ${measurements}${crops}${kernels}${why}`;
}

function sortBy(column, current, down) {
  const same = column === current;
  const focus = column.head;
  change({ sort: column.key, down: same ? (down ? "0" : "1") : "" });
  [...$("board").querySelectorAll(".sort")].find((b) => b.textContent === focus)?.focus();
}

/** Light up one solver in the table and in the plots. */
export function highlight(solver) {
  for (const mark of document.querySelectorAll("[data-solver]")) {
    mark.classList.toggle("lit", solver !== null && mark.dataset.solver === solver);
  }
  for (const drawing of ["pareto", "curves"]) $(drawing).classList.toggle("dimmed", solver !== null);
}

/** Solvers that drew posterior samples: what only samples can tell. */
function drawPosterior() {
  const table = $("posterior-table");
  if (!table) return;
  const ofSamples = metrics.filter(isPosterior);
  const drawn = entries.filter((e) => e.samples > 1 && ofSamples.some((m) => !Number.isNaN(e.scores[m.name].mean)));
  const heads = ofSamples.map((m) => h("th", { scope: "col", title: m.protocol }, m.label + arrow(m)));
  const row = (e) => [
    h("th", { scope: "row", class: "left" }, e.solver),
    h("td", {}, count(e.samples)),
    ofSamples.map((m) => h("td", {}, withInterval(e.scores[m.name], m, number))),
  ];
  table.replaceChildren(
    h(
      "thead",
      {},
      h("tr", {}, h("th", { scope: "col", class: "left" }, "Solver"), h("th", { scope: "col" }, "Samples"), heads),
    ),
    h(
      "tbody",
      {},
      drawn.map((e) => h("tr", {}, row(e))),
    ),
  );
}

export function computeBoard() {
  entries = leaderboard();
  drawBoard();
  drawPosterior();
}
