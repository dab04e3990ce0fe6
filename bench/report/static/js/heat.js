// Solver × setting: the gap to the best of each setting (or the value itself); a cell opens its images.
import { settingMap } from "./board.js";
import { data, familyIndex, metricOf } from "./data.js";
import { $, h, number, unique } from "./elements.js";
import { breakable } from "./solver.js";
import { state } from "./state.js";
import { entries, intervalText } from "./table.js";
import { hasPictures, openSetting } from "./viewer.js";

export let settingTable = { columns: [], scale: 1 };

export function drawHeat() {
  settingTable = settingMap(entries);
  const { columns, scale } = settingTable;
  const about = columns.map((c) => data.settings[c.setting]);
  const blurs = about.map(blurName);
  const plain = unique(about.map((s) => `${blurName(s)}|${s.noise}`)).length === about.length;
  const look = { metric: metricOf(state.metric), gap: state.map === "gap", scale };
  const row = (e, k) => [
    h(
      "th",
      { scope: "row", class: "left" },
      h("span", { class: `dot f${familyIndex(e)}`, "aria-hidden": "true" }),
      breakable(e.solver),
    ),
    columns.map((c, j) => heatCell(e, c.cells[k], c.setting, look, begins(blurs, j))),
  ];
  const heads = about.map((s, j) => h("th", { scope: "col", class: begins(blurs, j) }, plain ? s.noise : s.id));
  $("heat").replaceChildren(
    h("thead", {}, plain && blurHeads(blurs), h("tr", {}, !plain && solverHead(1), heads)),
    h(
      "tbody",
      {},
      entries.map((e, k) => h("tr", {}, row(e, k))),
    ),
  );
  $("heat-scale").textContent = `≥ ${number(scale, look.metric.digits)} ${look.metric.unit}`;
}

const solverHead = (rowspan) => h("th", { rowspan, class: "left", scope: "col" }, "Solver");

function blurHeads(blurs) {
  const spans = [];
  for (const b of blurs) {
    if (spans.length && spans.at(-1)[0] === b) spans.at(-1)[1]++;
    else spans.push([b, 1]);
  }
  const heads = spans.map(([b, n]) => h("th", { colspan: n, scope: "colgroup" }, b));
  return h("tr", { class: "group-head" }, solverHead(2), heads);
}

/** A blur, with its exposure where it has several. */
export function blurName(s) {
  const several = s.T !== null && data.settings.some((o) => o.blur === s.blur && o.T !== s.T);
  return several ? `${s.blur}, T = ${s.T}` : s.blur;
}
const begins = (blurs, j) => (j && blurs[j] !== blurs[j - 1] ? "begins" : "");

function heatCell(e, c, setting, look, border) {
  const { digits, unit } = look.metric;
  const heat = Number.isNaN(c.gap) ? 0 : Math.round(100 * Math.min(c.gap / look.scale, 1));
  const gap = c.best ? "0" : number(c.gap, digits);
  const inside = [
    look.gap ? gap : number(c.mean, digits),
    c.failed > 0 && h("sup", { class: "bad" }, `✕${c.failed}`),
  ];
  const parts = [
    `${e.solver}, ${data.settings[setting].id}: ${number(c.mean, digits)} ${unit} ${intervalText(c, look.metric)}`.trim(),
    `${c.n} cells`,
    c.failed && `${c.failed} failed`,
    c.absent && `${c.absent} not run`,
  ];
  const title = parts.filter(Boolean).join(", ");
  const open = {
    type: "button",
    title: `${title}. Click for its images.`,
    click: () => openSetting(setting, e.solver),
  };
  const content = hasPictures(setting) ? h("button", open, inside) : h("span", { title }, inside);
  return h("td", { class: `${c.best ? "best " : ""}${border}`, style: `--heat:${heat}` }, content);
}
