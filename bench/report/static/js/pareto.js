// Quality against cost: who is beaten by nobody that costs less. Drawn again whenever a filter changes.
import { arrow, FAMILIES, familyIndex, lossOf, metricOf } from "./data.js";
import { $, clamp, count, h, number, range, seconds, svg } from "./elements.js";
import { state } from "./state.js";
import { entries, highlight, intervalText } from "./table.js";

const COST_LABELS = {
  seconds: "median seconds per image",
  evaluations: "median network passes per image",
  calls: "median calls of A and Aᵀ per image",
};
const SHAPES = [
  "M-4-4H4V4H-4Z",
  "M0-5A5 5 0 1 1 0 5A5 5 0 1 1 0-5Z",
  "M0-6L6 5H-6Z",
  "M0-6L6 0 0 6-6 0Z",
  "M0 6L6-5H-6Z",
  "M-2-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z",
  "M-6 0L-3-5.2H3L6 0 3 5.2H-3Z",
  "M0-6L1.8-1.9 6-1.9 2.8 1 4 5.6 0 3 -4 5.6-2.8 1-6-1.9-1.8-1.9Z",
];
/** The mark of a family. */
export const mark = (index, x, y, extra = "") =>
  svg("path", { d: SHAPES[index], transform: `translate(${x} ${y})`, class: `mark-shape f${index} ${extra}` });

/** Round tick values between low and high. */
export function ticks(low, high, n = 5) {
  const raw = (high - low) / n || 1,
    power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 2.5, 5, 10].find((s) => raw <= s * power * 1.0001);
  return range(Math.floor(high / step) - Math.ceil(low / step) + 1).map((i) => (Math.ceil(low / step) + i) * step);
}

/** A drawing is as wide as its place, so that its type has one size everywhere. */
export function widthOf(id) {
  const W = clamp(Math.round($(id).clientWidth) || 430, 320, 1400);
  $(id).setAttribute("viewBox", `0 0 ${W} ${$(id).viewBox.baseVal.height}`);
  return W;
}

export function drawPareto() {
  const metric = metricOf(state.metric),
    loss = lossOf(metric),
    W = widthOf("pareto"),
    H = 350,
    box = { left: 56, right: 14, top: 12, bottom: 42 };
  const points = entries
    .map((e) => ({ e, x: e[state.cost], y: e.score.mean, low: e.score.low, high: e.score.high }))
    .filter((p) => p.x > 0 && Number.isFinite(p.y));
  const free = entries.filter((e) => !(e[state.cost] > 0) && Number.isFinite(e.score.mean));
  $("pareto-title").textContent =
    `${metric.label} against ${state.cost === "seconds" ? "time" : state.cost === "calls" ? "operator calls" : "network passes"}`;
  $("pareto-note").textContent = free.length
    ? `Not on a logarithmic axis: ${free.map((e) => e.solver).join(", ")} (0).`
    : "";
  if (!points.length)
    return $("pareto").replaceChildren(
      svg("text", { x: 20, y: 40, class: "axis-label" }, "No solver has this cost."),
    );
  const xs = points.map((p) => Math.log10(p.x)),
    ys = points.map((p) => p.y);
  const spread = (list, part) => {
    const a = Math.min(...list),
      b = Math.max(...list),
      pad = part * (b - a || 1);
    return [a - pad, b + pad];
  };
  const [x0, x1] = spread(xs, 0.07),
    [y0, y1] = spread(clipOutliers(points, ys), 0.05);
  const X = (v) => box.left + ((Math.log10(v) - x0) / (x1 - x0)) * (W - box.left - box.right);
  const Y = (v) => H - box.bottom - ((clamp(v, y0, y1) - y0) / (y1 - y0)) * (H - box.top - box.bottom);
  const front = paretoFront(points, loss);
  const labelled = placeLabels(
    points.map((p) => ({
      ...p,
      px: X(p.x),
      py: Y(p.y),
      important: front.includes(p) || p.e.solver === state.baseline,
    })),
    W,
    H - box.bottom,
  );
  $("pareto").replaceChildren(
    ...axes({ x0, x1, y0, y1, X, Y, W, H, box, metric }),
    svg("path", {
      class: "front",
      d: stepPath(
        front.map((p) => [X(p.x), Y(p.y)]),
        W - box.right,
      ),
    }),
    ...points.map((p) => paretoPoint(p, X, Y, metric, front.includes(p))),
    ...labelled.map((l) =>
      svg(
        "text",
        {
          x: l.x,
          y: l.y,
          "text-anchor": l.anchor,
          class: `point-label${l.important ? " on-front" : ""}`,
          "data-solver": l.e.solver,
        },
        l.e.solver,
      ),
    ),
  );
}

/** Let one hopeless solver not flatten all others: the axis begins three quartile ranges below the lower quartile. */
export function clipOutliers(points, all) {
  const y = points.map((p) => p.y).sort((a, b) => a - b),
    q = (f) => y[Math.round(f * (y.length - 1))];
  const low = q(0.25) - 3 * (q(0.75) - q(0.25)),
    high = q(0.75) + 3 * (q(0.75) - q(0.25));
  return y.length < 5 || low === high ? all : all.map((v) => clamp(v, low, high));
}

function paretoFront(points, loss) {
  let best = Infinity;
  return [...points]
    .sort((p, q) => p.x - q.x || loss(p.y) - loss(q.y))
    .filter((p) => {
      const ahead = loss(p.y) < best;
      if (ahead) best = loss(p.y);
      return ahead;
    });
}

/** What the front guarantees: flat until the next solver that is better. */
function stepPath(points, right) {
  if (!points.length) return "";
  return `${points.map(([x, y], i) => (i ? `H${x}V${y}` : `M${x} ${y}`)).join("")}H${right}`;
}

function axes({ x0, x1, y0, y1, X, Y, W, H, box, metric }) {
  const yTicks = ticks(y0, y1),
    step = yTicks[1] - yTicks[0],
    digits = [0, 1, 2, 3].find((n) => Math.abs(step * 10 ** n - Math.round(step * 10 ** n)) < 1e-6) ?? 0;
  const powers = range(Math.floor(x1) - Math.ceil(x0) + 1).map((i) => Math.ceil(x0) + i);
  const fine = powers.length < 2 ? [1, 2, 5] : [1];
  const xTicks = range(Math.ceil(x1) - Math.floor(x0) + 1)
    .flatMap((i) => fine.map((f) => f * 10 ** (Math.floor(x0) + i)))
    .filter((v) => Math.log10(v) >= x0 && Math.log10(v) <= x1);
  const xText = state.cost === "seconds" ? (v) => seconds(v).replace(/\.0 /, " ") : count;
  return [
    ...yTicks.flatMap((v) => [
      svg("line", { class: "grid", x1: box.left, x2: W - box.right, y1: Y(v), y2: Y(v) }),
      svg("text", { class: "tick", x: box.left - 8, y: Y(v) + 4, "text-anchor": "end" }, number(v, digits)),
    ]),
    ...xTicks.flatMap((v) => [
      svg("line", { class: "grid", x1: X(v), x2: X(v), y1: box.top, y2: H - box.bottom }),
      svg("text", { class: "tick", x: X(v), y: H - box.bottom + 16, "text-anchor": "middle" }, xText(v)),
    ]),
    svg(
      "text",
      { class: "axis-label", x: (box.left + W - box.right) / 2, y: H - 6, "text-anchor": "middle" },
      COST_LABELS[state.cost],
    ),
    svg(
      "text",
      {
        class: "axis-label",
        transform: `translate(12 ${(box.top + H - box.bottom) / 2}) rotate(-90)`,
        "text-anchor": "middle",
      },
      metric.label + (metric.unit ? ` (${metric.unit})` : "") + arrow(metric),
    ),
  ];
}

function paretoPoint(p, X, Y, metric, onFront) {
  const cost = state.cost === "seconds" ? seconds(p.x) : count(p.x);
  const text = `${p.e.solver}: ${number(p.y, metric.digits)} ${metric.unit} ${intervalText(p.e.score, metric)}, ${cost}`;
  return svg(
    "g",
    {
      class: `point${onFront ? " on-front" : ""}`,
      "data-solver": p.e.solver,
      mouseenter: () => highlight(p.e.solver),
      mouseleave: () => highlight(null),
    },
    svg("title", {}, text),
    p.high > p.low &&
      svg("line", { class: `whisker f${familyIndex(p.e)}`, x1: X(p.x), x2: X(p.x), y1: Y(p.low), y2: Y(p.high) }),
    // Larger than the mark: a point that others nearly cover can be pointed at too.
    svg("circle", { class: "target", cx: X(p.x), cy: Y(p.y), r: 9 }),
    mark(familyIndex(p.e), X(p.x), Y(p.y)),
  );
}

/** Names beside their points where there is room, those of the front first; a point without one has its tooltip. */
function placeLabels(points, W, bottom) {
  const taken = points.map((p) => [p.px - 6, p.py - 6, p.px + 6, p.py + 6]),
    placed = [];
  const crosses = (r) => taken.some((t) => r[0] < t[2] && r[2] > t[0] && r[1] < t[3] && r[3] > t[1]);
  for (const p of [...points].sort((a, b) => b.important - a.important)) {
    const width = 6.9 * p.e.solver.length;
    const spots = [
      ["start", 9, 4],
      ["end", -9, 4],
      ["middle", 0, -10],
      ["middle", 0, 18],
      ["start", 8, -8],
      ["end", -8, -8],
      ["start", 8, 16],
      ["end", -8, 16],
    ];
    for (const [anchor, dx, dy] of spots) {
      const x = p.px + dx,
        y = p.py + dy,
        left = anchor === "start" ? x : anchor === "end" ? x - width : x - width / 2;
      const r = [left, y - 11, left + width, y + 3];
      if (r[0] < 58 || r[2] > W || r[1] < 2 || r[3] > bottom || crosses(r)) continue;
      taken.push(r);
      placed.push({ ...p, x, y, anchor });
      break;
    }
  }
  return placed;
}

/** Which colour and mark is which family. */
export function drawFamilies() {
  $("families").replaceChildren(
    ...FAMILIES.map((family) => {
      const index = familyIndex({ family });
      return h(
        "span",
        {},
        svg("svg", { width: 14, height: 14, viewBox: "-8 -8 16 16", "aria-hidden": "true" }, mark(index, 0, 0)),
        family,
      );
    }),
  );
}
