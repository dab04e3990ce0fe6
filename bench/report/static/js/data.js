// What Python computed for every state of the filters; see bench/report/payload.py.
import { $, range, unique } from "./elements.js";

export const data = JSON.parse($("page-data").textContent);
export const S = data.solvers.length;

/** A packed vector of n numbers: nothing, one number for all, or base64 of float32. */
export function unpack(packed, n) {
  if (packed === null) return new Array(n).fill(NaN);
  if (typeof packed === "number") return new Array(n).fill(packed);
  const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  return [...new Float32Array(bytes.buffer)];
}

/** The same object for the same key: vectors are unpacked once. */
function once(make) {
  const made = new Map();
  return (key) => {
    if (!made.has(key)) made.set(key, make(key));
    return made.get(key);
  };
}

/** Metrics that are chosen and have columns; what is expected of another one stands in that one's column. */
export const metrics = data.metrics.filter((m) => !m.name.endsWith("_expected"));
export const metricOf = (name) => data.metrics.find((m) => m.name === name);
export const ranks = (metric) => metric.target === null;
export const lossOf = (metric) => (v) => {
  if (metric.target !== null) return Math.abs(v - metric.target);
  return metric.better === "higher" ? -v : v;
};
export function arrow(metric) {
  if (metric.target !== null) return ` → ${metric.target}`;
  return metric.better === "higher" ? " ↑" : " ↓";
}

export const FAMILIES = unique(data.solvers.map((s) => s.family || "other"));
/** The place of a solver's family among the eight colours and marks: the same in every report. */
export const familyIndex = (solver) =>
  data.solvers.find((s) => (s.family || "other") === (solver.family || "other"))?.colour ?? 7;

/** Whether the label is that of a solver which gives back what it was given. */
export const isReference = (label) => data.solvers.find((s) => s.solver === label)?.family === "reference";

const COSTS = ["seconds", "calls", "evaluations", "parameters", "macs", "samples"];

/** One entry per solver of a table: costs, and a score {mean, low, high, ...} for each metric. */
export const entriesOf = once((number) => {
  const table = data.tables[number];
  const costs = COSTS.map((name) => unpack(table[name], S));
  const scores = data.metrics.map((m) => scoresOf(table.scores[m.name]));
  return range(S).map((s) => ({
    s,
    ...data.solvers[s],
    failed: table.failed[s],
    absent: table.absent[s],
    cells: table.cells - table.absent[s],
    ...Object.fromEntries(COSTS.map((name, k) => [name, costs[k][s]])),
    scores: Object.fromEntries(data.metrics.map((m, k) => [m.name, scores[k][s]])),
  }));
});

function scoresOf(score) {
  const [mean, low, high, within] = ["mean", "low", "high", "within"].map((part) => unpack(score[part], S));
  const best = { 1: true, 0: false };
  return range(S).map((s) => ({
    mean: mean[s],
    low: low[s],
    high: high[s],
    within: within[s],
    few: score.few[s] === "1",
    best: best[score.best[s]] ?? null,
    needed: score.needed[s],
    rank: score.ranks?.[s] ?? null,
  }));
}

const VERDICTS = { "+": "better", x: "worse", o: "unclear" };

/** Differences to the report's baseline, (S,), their p-values adjusted by Holm; null for the baseline itself. */
export function toBaseline(score) {
  if (!score.delta) return new Array(S).fill(null);
  const [mean, low, high, p] = ["mean", "low", "high", "adjusted"].map((part) => unpack(score.delta[part], S));
  return range(S).map((s) => {
    const verdict = VERDICTS[score.delta.verdict[s]];
    return verdict ? { mean: mean[s], low: low[s], high: high[s], p: p[s], verdict, how: "Holm" } : null;
  });
}

/** Differences of all pairs of a table: a function (i, j) -> row i less row j, or null where there is none. */
export function pairsOf(score, metric) {
  if (!score.pairs) return null;
  const n = (S * (S - 1)) / 2;
  const [mean, low, high, p] = ["mean", "low", "high", "adjusted"].map((part) => unpack(score.pairs[part], n));
  return (i, j) => {
    const [a, b] = i < j ? [i, j] : [j, i];
    const k = a * S - (a * (a + 1)) / 2 + b - a - 1;
    if (i === j || Number.isNaN(mean[k])) return null;
    const d = i < j ? [mean[k], low[k], high[k]] : [-mean[k], -high[k], -low[k]];
    const up = d[0] > 0 === (metric.better === "higher");
    const verdict = p[k] < data.significant ? (up ? "better" : "worse") : "unclear";
    return { mean: d[0], low: d[1], high: d[2], p: p[k], verdict, how: "Benjamini–Hochberg" };
  };
}
