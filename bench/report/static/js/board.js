// The leaderboard of what is chosen, looked up among the tables that Python computed.
import { data, entriesOf, lossOf, metricOf, pairsOf, ranks, S, toBaseline, unpack } from "./data.js";
import { range } from "./elements.js";
import { AXES, state, tableNumber } from "./state.js";

export const tableNow = () => data.tables[tableNumber()];
/** The statistics of the chosen metric in the chosen table. */
export const scoreNow = () => tableNow().scores[state.metric];

/** Rows of the chosen family, best first in the chosen metric, with the difference to the chosen baseline. */
export function leaderboard() {
  const metric = metricOf(state.metric);
  const deltas = deltasNow(metric);
  const rows = entriesOf(tableNumber())
    .filter((e) => !state.family || (e.family || "other") === state.family || e.solver === state.baseline)
    .map((e) => ({ ...e, score: e.scores[state.metric], delta: deltas[e.s] }));
  const order = (e) => lossOf(metric)(e.score.mean);
  return rows.sort((x, y) => Number.isNaN(order(x)) - Number.isNaN(order(y)) || order(x) - order(y));
}

/** The report's baseline has tests of its own; differences to another row are read from the matrix of all pairs. */
function deltasNow(metric) {
  const base = data.solvers.findIndex((s) => s.solver === state.baseline);
  if (base < 0 || !ranks(metric)) return new Array(S).fill(null);
  if (base === data.baseline) return toBaseline(scoreNow());
  const pairs = pairsOf(scoreNow(), metric);
  return range(S).map((s) => (pairs ? pairs(s, base) : null));
}

/** Whether the chosen baseline has no differences here: too many tables to hold all pairs of each. */
export const baselineMissing = () =>
  state.baseline !== "" && state.baseline !== data.solvers[data.baseline]?.solver && !scoreNow().pairs;

/** Settings that the filters leave, as numbers. */
export const chosenSettings = () =>
  range(data.settings.length).filter((t) => {
    const { on } = data.settings[t];
    return AXES.every((name) => !state[name] || !(name in on) || on[name] === state[name]) && mapNow().n[t] > 0;
  });

const mapNow = () => {
  const datasets = data.axes.find((a) => a.name === "dataset");
  return data.maps[datasets ? 1 + datasets.values.indexOf(state.dataset) : 0];
};

/** The chosen metric per solver (in the given order) and setting, with the gap to the setting's best. */
export function settingMap(order) {
  const map = mapNow();
  const own = map.metrics[state.metric];
  const T = data.settings.length;
  const [mean, low, high, gap] = ["mean", "low", "high", "gap"].map((part) => unpack(own[part], S * T));
  const count = (counts, s) => (counts === 0 ? 0 : counts[s]);
  const columns = chosenSettings().map((t) => ({
    setting: t,
    cells: order.map((e) => {
      const i = e.s * T + t;
      const cells = { n: map.n[t], failed: count(map.failed[t], e.s), absent: count(map.absent[t], e.s) };
      return { mean: mean[i], low: low[i], high: high[i], gap: gap[i], best: gap[i] === 0, ...cells };
    }),
  }));
  return { columns, scale: own.scale };
}
