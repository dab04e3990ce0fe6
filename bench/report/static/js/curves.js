// The map of settings as curves: a panel for each blur, its noise levels from left to right, a line for each solver.
// Drawn again whenever a filter changes, as the map is.
import { arrow, data, familyIndex, metricOf } from "./data.js";
import { $, clamp, number, range, svg } from "./elements.js";
import { blurName, settingTable } from "./heat.js";
import { clipOutliers, mark, ticks, widthOf } from "./pareto.js";
import { state } from "./state.js";
import { entries, highlight, intervalText } from "./table.js";

const H = 400;
const GAP = 26;
/** Of the solvers of one family, which share a colour. */
const DASHES = ["", "7 4", "2 3", "9 3 2 3", "4 2"];
/** Pixels between the names of two lines, and of a letter. */
const [LEADING, LETTER] = [14, 6.7];

export function drawCurves() {
  const on = state.map === "curves";
  $("curves-card").hidden = !on;
  for (const part of document.querySelectorAll("#by-setting .of-map")) part.hidden = on;
  if (!on) return;
  const lines = linesNow();
  const W = widthOf("curves");
  const names = Math.min(LETTER * Math.max(...lines.map((l) => l.e.solver.length)) + 18, 0.45 * W);
  const box = { left: 56, right: names, top: 30, bottom: 46 };
  const [low, high] = limits(lines);
  const Y = (v) => H - box.bottom - ((clamp(v, low, high) - low) / (high - low)) * (H - box.top - box.bottom);
  const panels = panelsNow(W - box.left - box.right, box.left);
  $("curves").replaceChildren(
    ...yAxis(low, high, Y, box, W),
    ...heads(panels),
    ...lines.map((l) => curve(l, panels, Y)),
    ...nameTags(lines, panels, Y, W - box.right + 12, H - box.bottom),
  );
}

/** Of each solver its value in each setting that the filters leave. */
function linesNow() {
  const seen = {};
  return entries.map((e, k) => {
    const family = familyIndex(e);
    seen[family] = (seen[family] ?? -1) + 1;
    const dash = DASHES[seen[family] % DASHES.length];
    return { e, family, dash, cells: settingTable.columns.map((c) => c.cells[k]) };
  });
}

/** Settings of one blur that follow one another, and where along x they stand. */
function panelsNow(width, left) {
  const panels = [];
  settingTable.columns.forEach((c, j) => {
    const about = data.settings[c.setting];
    const blur = blurName(about);
    if (panels.at(-1)?.blur !== blur) panels.push({ blur, ticks: [] });
    panels.at(-1).ticks.push({ j, name: about.noise });
  });
  const each = (width - GAP * (panels.length - 1)) / settingTable.columns.length;
  let at = left;
  for (const p of panels) {
    p.left = at;
    p.width = each * p.ticks.length;
    p.ticks.forEach((t, i) => {
      t.x = at + (i + 0.5) * each;
    });
    at += p.width + GAP;
  }
  return panels;
}

/** What all values but hopeless ones need. */
function limits(lines) {
  const points = lines.flatMap((l) => l.cells.map((c) => ({ y: c.mean }))).filter((p) => Number.isFinite(p.y));
  const y = clipOutliers(
    points,
    points.map((p) => p.y),
  );
  const [a, b] = y.length ? [Math.min(...y), Math.max(...y)] : [0, 1];
  const pad = 0.05 * (b - a || 1);
  return [a - pad, b + pad];
}

function yAxis(low, high, Y, box, W) {
  const metric = metricOf(state.metric);
  const at = ticks(low, high);
  const step = at.length > 1 ? at[1] - at[0] : 1;
  const digits = range(4).find((n) => Math.abs(step * 10 ** n - Math.round(step * 10 ** n)) < 1e-6) ?? 3;
  const turned = `translate(12 ${(box.top + H - box.bottom) / 2}) rotate(-90)`;
  const label = metric.label + (metric.unit ? ` (${metric.unit})` : "") + arrow(metric);
  return [
    ...at.flatMap((v) => [
      svg("line", { class: "grid", x1: box.left, x2: W - box.right, y1: Y(v), y2: Y(v) }),
      svg("text", { class: "tick", x: box.left - 8, y: Y(v) + 4, "text-anchor": "end" }, number(v, digits)),
    ]),
    svg("text", { class: "axis-label", transform: turned, "text-anchor": "middle" }, label),
  ];
}

/** The blurs above their panels, the noise levels below. */
function heads(panels) {
  const blurs = panels.map((p) => ({ name: p.blur, x: p.left + p.width / 2, room: p.width + GAP }));
  const noises = panels.flatMap((p) =>
    p.ticks.map((t) => ({ name: t.name, x: t.x, room: p.width / p.ticks.length })),
  );
  return [...inRows(blurs, "axis-label", 12), ...inRows(noises, "tick", H - 46 + 17)];
}

/** Texts beside one another, in two rows where they would touch. */
function inRows(texts, look, top) {
  const tight = texts.some((t) => t.name.length * LETTER > t.room);
  return texts.map((t, i) => {
    const y = top + (tight && i % 2 ? 14 : 0);
    return svg("text", { class: look, x: t.x, y, "text-anchor": "middle" }, t.name);
  });
}

function curve(l, panels, Y) {
  const metric = metricOf(state.metric);
  const points = panels.map((p) =>
    p.ticks
      .filter((t) => Number.isFinite(l.cells[t.j].mean))
      .map((t) => ({ x: t.x, y: Y(l.cells[t.j].mean), cell: l.cells[t.j], j: t.j })),
  );
  const path = (own) => own.map((p, i) => `${i ? "L" : "M"}${p.x.toFixed(1)} ${p.y.toFixed(1)}`).join("");
  const dot = (p) => {
    const where = data.settings[settingTable.columns[p.j].setting].id;
    const value = `${number(p.cell.mean, metric.digits)} ${metric.unit} ${intervalText(p.cell, metric)}`.trim();
    return svg(
      "g",
      {},
      svg("title", {}, `${l.e.solver}, ${where}: ${value}`),
      svg("circle", { class: "target", cx: p.x, cy: p.y, r: 8 }),
      mark(l.family, p.x, p.y),
    );
  };
  return svg(
    "g",
    {
      class: `point f${l.family}`,
      "data-solver": l.e.solver,
      mouseenter: () => highlight(l.e.solver),
      mouseleave: () => highlight(null),
    },
    // From blur to blur there is nothing between: the eye is led, and no more.
    svg("path", { class: "curve between", d: path(points.flat()) }),
    svg("path", { class: "curve", d: points.map(path).join(""), "stroke-dasharray": l.dash }),
    points.flat().map(dot),
  );
}

/** Names to the right of where the lines end, one below another. */
function nameTags(lines, panels, Y, x, bottom) {
  const last = panels.at(-1)?.ticks.at(-1)?.j;
  const tags = lines.filter((l) => last !== undefined && Number.isFinite(l.cells[last].mean));
  const placed = tags.map((l) => ({ l, y: Y(l.cells[last].mean) })).sort((a, b) => a.y - b.y);
  const leading = Math.min(LEADING, (bottom - 12) / Math.max(placed.length, 1));
  placed.forEach((t, i) => {
    t.y = Math.max(t.y, i ? placed[i - 1].y + leading : 12);
  });
  placed.toReversed().forEach((t, i, all) => {
    t.y = Math.min(t.y, i ? all[i - 1].y - leading : bottom);
  });
  return placed.map(({ l, y }) =>
    svg("text", { class: `point-label f${l.family} named`, x, y: y + 4, "data-solver": l.e.solver }, l.e.solver),
  );
}
