// The leaderboard as numbers: what is chosen decides which cells and solvers count.

/** Cells of the chosen blur and noise. */
function chosenCells() {
  const on = data.settings.map((s) => (!state.blur || s.blur === state.blur) && (!state.noise || s.noise === state.noise));
  return range(N).filter((i) => on[data.cells.setting[i]]);
}

/** Solvers of the chosen family, and the baseline in any case. */
function chosenSolvers() {
  return range(data.solvers.length).filter((s) => {
    const { solver, family } = data.solvers[s];
    return !state.family || (family || "other") === state.family || solver === state.baseline;
  });
}

const pick = (vector, cells) => cells.map((i) => vector[i]);

/** One entry per solver: facts, costs and a score (mean, half, rank, delta) for the chosen metric, means for the rest. */
function leaderboard() {
  const cells = chosenCells(), solvers = chosenSolvers(), clusters = pick(data.cells.image, cells);
  const metric = metricOf(state.metric), base = data.solvers.findIndex((s) => s.solver === state.baseline);
  const entries = solvers.map((s) => facts(s, cells));
  for (const m of data.metrics)
    entries.forEach((e) => { e.scores[m.name] = clusteredMean(pick(values(m.name)[e.s], cells), clusters); });
  if (!metric) return entries;
  const own = solvers.map((s) => pick(values(metric.name)[s], cells));
  const places = ranks(metric) ? rankRanges(own.map((v) => v.map(lossOf(metric))), clusters) : solvers.map(() => null);
  const deltas = ranks(metric) && base >= 0 ? differences(own, solvers.indexOf(base), clusters) : solvers.map(() => null);
  entries.forEach((e, k) => Object.assign(e, { score: e.scores[metric.name], rank: places[k], delta: verdict(deltas[k], metric) }));
  const order = (e) => lossOf(metric)(e.score.mean);
  return entries.sort((x, y) => Number.isNaN(order(x)) - Number.isNaN(order(y)) || order(x) - order(y));
}

function facts(s, cells) {
  const letters = cells.map((i) => status[s][i]), cost = (name) => median(pick(costs(name)[s], cells));
  const failed = letters.filter((c) => c === "f").length, absent = letters.filter((c) => c === "a").length;
  return {
    s, ...data.solvers[s], scores: {}, failed, absent, cells: cells.length - absent,
    seconds: cost("seconds"), calls: cost("calls"), evaluations: cost("evaluations"), samples: cost("samples"),
  };
}

function differences(own, base, clusters) {
  const found = own.map((v, k) => (k === base ? null : pairedDifference(v, own[base], clusters)));
  const others = found.filter(Boolean), adjusted = holm(others.map((d) => d.p));
  others.forEach((d, k) => { d.p = adjusted[k]; });
  return found;
}

function verdict(delta, metric) {
  if (!delta || Number.isNaN(delta.mean)) return null;
  const sure = delta.p < data.significant, better = (delta.mean > 0) === (metric.better === "higher");
  return { ...delta, verdict: sure ? (better ? "better" : "worse") : "unclear" };
}

/** Means of the chosen metric per solver (in the given order) and setting, with the gap to the setting's best. */
function settingMap(order) {
  const metric = metricOf(state.metric), loss = lossOf(metric), bySetting = new Map();
  for (const i of chosenCells()) bySetting.set(data.cells.setting[i], [...(bySetting.get(data.cells.setting[i]) || []), i]);
  const columns = [...bySetting.entries()].map(([setting, cells]) => {
    const clusters = pick(data.cells.image, cells);
    const column = order.map((e) => ({
      ...clusteredMean(pick(values(metric.name)[e.s], cells), clusters),
      failed: cells.filter((i) => status[e.s][i] === "f").length,
      absent: cells.filter((i) => status[e.s][i] === "a").length, n: cells.length,
    }));
    const best = Math.min(...column.map((c) => loss(c.mean)).filter(Number.isFinite));
    column.forEach((c) => { const gap = loss(c.mean) - best; c.gap = Number.isFinite(gap) ? gap : NaN; c.best = c.gap === 0; });
    return { setting, cells: column };
  });
  const gaps = columns.flatMap((c) => c.cells.map((x) => x.gap)).filter((g) => g > 0).sort((a, b) => a - b);
  return { columns, scale: gaps.length ? gaps[Math.floor(0.75 * (gaps.length - 1))] : 1 };
}
