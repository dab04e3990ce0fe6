// Every row less every other, with Benjamini and Hochberg's adjusted p-values: which pairs differ, and by how much.
import { scoreNow } from "./board.js";
import { data, metricOf, pairsOf, ranks } from "./data.js";
import { $, h, number, signed } from "./elements.js";
import { breakable } from "./solver.js";
import { state } from "./state.js";
import { entries, intervalText } from "./table.js";

export function drawPairs() {
  const metric = metricOf(state.metric);
  const pairs = ranks(metric) ? pairsOf(scoreNow(), metric) : null;
  const shown = entries.filter((e) => Number.isFinite(e.score.mean));
  $("pairs").hidden = !ranks(metric) || shown.length < 2;
  if ($("pairs").hidden) return;
  $("pairs-missing").hidden = pairs !== null;
  $("pair-text").textContent = pairs ? counted(shown, pairs) : "";
  if (!pairs) return $("pairs-table").replaceChildren();
  const head = (e) => h("th", { scope: "col" }, h("span", { class: "upright" }, e.solver));
  const row = (e) => [
    h("th", { scope: "row", class: "left" }, breakable(e.solver)),
    shown.map((other) => pairCell(e, other, pairs(e.s, other.s), metric)),
  ];
  $("pairs-table").replaceChildren(
    h("thead", {}, h("tr", {}, h("td", { class: "corner" }, "row less column"), shown.map(head))),
    h(
      "tbody",
      {},
      shown.map((e) => h("tr", {}, row(e))),
    ),
  );
}

/** How many pairs of estimators differ; those of one estimator are not counted. */
function counted(shown, pairs) {
  let differ = 0;
  const all = new Set();
  const sure = new Set();
  for (const e of shown)
    for (const other of shown.slice(0, shown.indexOf(e))) {
      const name = [e.same_as, other.same_as].sort().join("\n");
      if (e.same_as === other.same_as) continue;
      all.add(name);
      if (pairs(e.s, other.s)?.verdict !== "unclear") sure.add(name);
    }
  differ = sure.size;
  return `${differ} of ${all.size} pairs differ. Point at a cell, or tap it, for the interval.`;
}

function pairCell(e, other, pair, metric) {
  if (e === other) return h("td", { class: "self" });
  if (!pair) return h("td", {}, h("span", { class: "pm" }, "–"));
  if (e.same_as === other.same_as) {
    const same = `${e.solver} and ${other.solver} implement one estimator: ${sentence(pair, metric)}`;
    return h("td", { class: "same" }, tellButton("=", same));
  }
  const p = Number.isNaN(pair.p) ? "" : `, adjusted p = ${pair.p.toPrecision(2)}`;
  const text = `${e.solver} less ${other.solver}: ${sentence(pair, metric)}${p}`;
  return h("td", { class: pair.verdict }, tellButton(signed(pair.mean, Math.min(metric.digits, 2)), text));
}

const sentence = (pair, metric) =>
  `${signed(pair.mean, metric.digits)} ${metric.unit} ${intervalText(pair, metric, signed)}`
    .replace(/\s+/g, " ")
    .trim();

function tellButton(label, text) {
  const tell = () => {
    $("pair-text").textContent = text;
  };
  return h("button", { type: "button", title: text, click: tell, mouseenter: tell }, label);
}

/** The number below which an adjusted p-value counts, for the text beside the table. */
export const startPairs = () => {
  $("pairs-level").textContent = `${number(100 * data.significant, 0)} %`;
};
