// All solvers on one measurement: panels that zoom, pan and change their mode together.
let shown = null; // the chunk on the screen
const hasPictures = (setting) => data.pictures.some((p) => data.cells.setting[p.cell] === setting);
const cellName = (p) => [data.settings[data.cells.setting[p.cell]].id, data.images[data.cells.image[p.cell]], data.cells.psf[p.cell], data.cells.rep[p.cell]].join(" | ");
const currentPicture = () => data.pictures.find((p) => cellName(p) === state.cell) || data.pictures[0];

function startViewer() {
  for (const id of ["pick-setting", "pick-image", "pick-draw"]) $(id).addEventListener("change", () => picked(id));
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  $("pick-scale").addEventListener("change", (e) => change({ scale: e.target.value }));
  $("unzoom").addEventListener("click", () => change({ zoom: "" }));
  startSwitch("modes", "mode");
  startZoom($("images"));
  follow(["cell", "mode", "scale", "metric"], showCell);
  follow(["zoom"], applyZoom);
}

const settingOf = (p) => data.cells.setting[p.cell], imageOf = (p) => data.cells.image[p.cell];
const drawOf = (p) => `PSF ${data.cells.psf[p.cell]}, repetition ${data.cells.rep[p.cell]}`;

/** Menus that lead to the current cell. */
function fillMenus(now) {
  const here = data.pictures.filter((p) => settingOf(p) === settingOf(now)), same = here.filter((p) => imageOf(p) === imageOf(now));
  fill($("pick-setting"), unique(data.pictures.map(settingOf)).map((s) => [s, data.settings[s].id]), String(settingOf(now)));
  fill($("pick-image"), unique(here.map(imageOf)).map((i) => [i, data.images[i].split("/").slice(1).join("/")]), String(imageOf(now)));
  fill($("pick-draw"), same.map((p) => [drawOf(p), drawOf(p)]), drawOf(now));
  $("draw-label").hidden = same.length < 2;
}

function picked(id) {
  const setting = Number($("pick-setting").value), image = Number($("pick-image").value);
  const here = data.pictures.filter((p) => settingOf(p) === setting);
  const same = here.filter((p) => imageOf(p) === image);
  const goal = (id === "pick-draw" && same.find((p) => drawOf(p) === $("pick-draw").value)) || same[0] || here[0];
  change({ cell: cellName(goal) });
}

function step(by) {
  const n = data.pictures.length;
  change({ cell: cellName(data.pictures[(data.pictures.indexOf(currentPicture()) + by + n) % n]) });
}

function openSetting(setting, solver) {
  const image = imageOf(currentPicture()), here = data.pictures.filter((p) => settingOf(p) === setting);
  change({ cell: cellName(here.find((p) => imageOf(p) === image) || here[0]), a: solver });
  $("images").scrollIntoView();
}

let ticket = 0;
async function showCell() {
  const mine = ++ticket, now = currentPicture(), viewer = $("viewer"), mode = state.mode;
  viewer.setAttribute("aria-busy", "true");
  fillMenus(now);
  try {
    const chunk = await loadChunk(now.chunk);
    const pictures = ordered(chunk.pictures, now.cell), scale = await sharedScale(pictures, mode);
    const figures = pictures.map((p, i) => panel(p, pictures, i - 3, mode));
    await Promise.all(pictures.map((p, i) => p.src && paint(figures[i].querySelector("canvas"), p, mode, scale)));
    if (mine !== ticket) return;
    shown = { pictures, scale, mode };
    $("residual-note").textContent = mode === "residual" ? chunk.noise || "" : "";
    showScale(mode, scale);
    viewer.replaceChildren(...figures);
    await showComparison();
  } catch (error) {
    if (mine === ticket) viewer.textContent = error.message;
  }
  if (mine === ticket) viewer.setAttribute("aria-busy", "false");
}

/** Truth, measurement and PSF first, then the solvers as the leaderboard ranks them. */
function ordered(pictures, cell) {
  const place = new Map(entries.map((e, k) => [e.solver, k]));
  const known = pictures.map((p) => ({ ...p, scores: scoresOf(p, cell) }));
  const rank = (p) => (p.kind === "solver" ? (place.has(p.label) ? place.get(p.label) : 1e6) : -1);
  return known.sort((p, q) => rank(p) - rank(q)).map((p, i) => Object.assign(pictures.find((o) => o.label === p.label && o.kind === p.kind), { scores: p.scores, at: i }));
}

function scoresOf(p, cell) {
  const s = data.solvers.findIndex((x) => x.solver === p.label);
  if (p.kind === "y") return Object.fromEntries(data.metrics.map((m) => [m.name, inputs(m.name)[cell]]));
  return p.kind === "solver" && s >= 0 ? Object.fromEntries(data.metrics.map((m) => [m.name, values(m.name)[s][cell]])) : {};
}

function panel(p, all, digit, mode) {
  const frame = h("div", { class: "frame", tabindex: "-1" });
  if (p.failure) frame.append(h("p", { class: "failed" }, `✕ ${p.failure}`));
  else if (!p.src) frame.append(h("p", { class: "failed none" }, "no picture stored"));
  else frame.append(h("canvas", { role: "img", "aria-label": `${p.label}: ${mode}` }));
  const figure = h("figure", { class: `panel ${p.kind}`, "data-label": p.label }, frame, caption(p, all, digit));
  if (p.kind === "solver" && p.src) frame.addEventListener("dblclick", () => change({ a: p.label }));
  return figure;
}

function caption(p, all, digit) {
  const metric = metricOf(state.metric), value = p.scores[state.metric];
  const known = Number.isFinite(value) && !p.failure;
  const best = known && p.kind === "solver" && isBest(value, metric, all);
  return h("figcaption", {},
    h("span", { class: "name", title: p.label }, p.kind === "solver" && digit < 9 && h("kbd", {}, String(digit + 1)), p.label),
    h("span", { class: `score${best ? " best" : ""}` }, known ? number(value, metric.digits) : p.note || ""),
    p.kind === "solver" && p.key && h("code", { class: "key", title: `bench show ${p.key}` }, p.key));
}

function isBest(value, metric, all) {
  const loss = lossOf(metric), others = all.filter((p) => p.kind === "solver" && !p.failure).map((p) => loss(p.scores[metric.name])).filter(Number.isFinite);
  return loss(value) <= Math.min(...others);
}
