// What the page was built from: matrices solvers × cells, decoded once.
const data = JSON.parse($("page-data").textContent);
const N = data.cells.setting.length;

/** A packed vector (see bench/report/payload.py): nothing, one number for all, or base64 of float32. */
function unpack(packed) {
  if (packed === null) return new Float64Array(N).fill(NaN);
  if (typeof packed === "number") return new Float64Array(N).fill(packed);
  const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  return Float64Array.from(new Float32Array(bytes.buffer));
}

const once = (make) => { const kept = new Map(); return (key) => kept.has(key) ? kept.get(key) : kept.set(key, make(key)).get(key); };
const inputs = once((metric) => unpack(data.inputs[metric]));
const costs = once((name) => data.costs[name].map(unpack));
const status = data.solvers.map((_, s) => data.status[s] || "o".repeat(N));

/** Metric values; a failed cell is worth the blurred input where that is known. */
const values = once((metric) => data.values[metric].map((packed, s) => {
  const own = unpack(packed);
  return own.map((v, i) => (status[s][i] === "f" ? inputs(metric)[i] : v));
}));

const metricOf = (name) => data.metrics.find((m) => m.name === name);
const ranks = (metric) => metric.target === null;
const lossOf = (metric) => (v) => (metric.target !== null ? Math.abs(v - metric.target) : metric.better === "higher" ? -v : v);
const arrow = (metric) => (metric.target !== null ? ` → ${metric.target}` : metric.better === "higher" ? " ↑" : " ↓");
const keyOf = (s, i) => data.keys[s].slice(12 * i, 12 * i + 12).trim();

const FAMILIES = unique(data.solvers.map((s) => s.family || "other"));
/** The place of a family among the eight colours and marks; the reference is always the grey one. */
const familyIndex = (solver) => {
  if (solver.family === "reference") return 0;
  return 1 + FAMILIES.filter((f) => f !== "reference").indexOf(solver.family || "other") % 7;
};

function median(list) {
  const known = [...list].filter((v) => !Number.isNaN(v)).sort((a, b) => a - b), n = known.length;
  return n ? (known[(n - 1) >> 1] + known[n >> 1]) / 2 : NaN;
}
