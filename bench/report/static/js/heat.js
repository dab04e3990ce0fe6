// Solver × setting: the gap to the best of each setting (or the value itself); a cell opens its images.
let settingTable = { columns: [], scale: 1 };

function drawHeat() {
  const metric = metricOf(state.metric), gap = state.map === "gap";
  settingTable = settingMap(entries);
  const { columns, scale } = settingTable, about = columns.map((c) => data.settings[c.setting]);
  const blurs = about.map(blurName), spans = [];
  blurs.forEach((b) => { if (spans.length && spans.at(-1)[0] === b) spans.at(-1)[1]++; else spans.push([b, 1]); });
  const plain = unique(about.map((s) => `${blurName(s)}|${s.noise}`)).length === about.length;
  $("heat").replaceChildren(
    h("thead", {},
      plain && h("tr", { class: "group-head" }, h("th", { rowspan: 2, class: "left", scope: "col" }, "Solver"), spans.map(([b, n]) => h("th", { colspan: n, scope: "colgroup" }, b))),
      h("tr", {}, !plain && h("th", { class: "left", scope: "col" }, "Solver"), about.map((s, j) => h("th", { scope: "col", class: begins(blurs, j) }, plain ? s.noise : s.id)))),
    h("tbody", {}, entries.map((e, k) => h("tr", {}, h("th", { scope: "row", class: "left" }, h("span", { class: `dot f${familyIndex(e)}`, "aria-hidden": "true" }), e.solver),
      columns.map((c, j) => heatCell(e, c.cells[k], c.setting, metric, gap, scale, begins(blurs, j)))))));
  $("heat-scale").textContent = `≥ ${number(scale, metric.digits)} ${metric.unit}`;
}

const blurName = (s) => (s.T !== null && data.settings.some((o) => o.blur === s.blur && o.T !== s.T) ? `${s.blur}, T = ${s.T}` : s.blur);
const begins = (blurs, j) => (j && blurs[j] !== blurs[j - 1] ? "begins" : "");

function heatCell(e, c, setting, metric, gap, scale, border) {
  const id = data.settings[setting].id, heat = Number.isNaN(c.gap) ? 0 : Math.round(100 * Math.min(c.gap / scale, 1));
  const text = gap ? (c.best ? "0" : number(c.gap, metric.digits)) : number(c.mean, metric.digits);
  const tip = `${e.solver}, ${id}: ${number(c.mean, metric.digits)} ± ${number(c.half, metric.digits)} ${metric.unit}, ${c.n} cells${c.failed ? `, ${c.failed} failed` : ""}${c.absent ? `, ${c.absent} not run` : ""}`;
  const inside = [text, c.failed > 0 && h("sup", { class: "bad" }, `✕${c.failed}`)];
  const shows = hasPictures(setting);
  return h("td", { class: `${c.best ? "best " : ""}${border}`, style: `--heat:${heat}` },
    shows ? h("button", { type: "button", title: `${tip}. Click for its images.`, click: () => openSetting(setting, e.solver) }, inside) : h("span", { title: tip }, inside));
}
