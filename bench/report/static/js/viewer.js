// All solvers on one measurement: panels that zoom, pan and change their mode together.
import { chosenSettings } from "./board.js";
import { showComparison } from "./compare.js";
import { data, lossOf, metricOf } from "./data.js";
import { $, fill, h, number, unique } from "./elements.js";
import { startSwitch } from "./filters.js";
import { paint, sharedScale, showScale } from "./maps.js";
import { frameOf, loadChunk, pixelsOf, show } from "./pictures.js";
import { startReadout } from "./readout.js";
import { breakable } from "./solver.js";
import { AXES, change, follow, state } from "./state.js";
import { entries } from "./table.js";
import { applyZoom, startZoom } from "./zoom.js";

export const hasPictures = (setting) => data.pictures.some((p) => p.setting === setting);
export const imageName = (p) => `${p.dataset}/${p.image}`;
export const cellName = (p) => [data.settings[p.setting].id, imageName(p), p.psf, p.rep].join(" | ");

/** The chosen picture if the filters leave it, else the first that they leave. */
function currentPicture() {
  const left = choosable();
  return left.find((p) => cellName(p) === state.cell) || left[0];
}

/** Pictures that the filters leave; all of them where they leave none. */
function choosable() {
  const settings = chosenSettings();
  const left = data.pictures.filter(
    (p) => settings.includes(p.setting) && (!state.dataset || p.dataset === state.dataset),
  );
  return left.length ? left : data.pictures;
}

export function startViewer() {
  for (const id of ["pick-setting", "pick-image", "pick-draw"]) $(id).addEventListener("change", () => picked(id));
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  $("pick-scale").addEventListener("change", (e) => change({ scale: e.target.value }));
  $("unzoom").addEventListener("click", () => change({ zoom: "" }));
  $("pick-contrast").addEventListener("change", (e) => change({ contrast: e.target.value }));
  $("show-all").addEventListener("click", () => change({ without: "" }));
  $("show-none").addEventListener("click", () => change({ without: solverNames().join(BETWEEN) }));
  startSwitch("modes", "mode");
  startSwitch("orders", "order");
  startSwitch("panel-sizes", "panels");
  startZoom($("images"));
  startReadout($("images"));
  follow(["panels"], () => $("viewer").classList.toggle("large", state.panels === "large"));
  follow([...PARTS, ...AXES], showCell);
  follow(["zoom"], applyZoom);
}

/** The parts of the state that the panels depend on, besides the filters. */
const PARTS = ["cell", "mode", "scale", "contrast", "order", "without", "metric", "family", "baseline"];
/** Between the names of hidden solvers: no name holds it. */
const BETWEEN = "\n";
const withoutNow = () => state.without.split(BETWEEN);
const solverNames = () => data.solvers.map((s) => s.solver);

/** A box for each solver of the leaderboard; what is not ticked has no panel. */
function fillChooser() {
  const hidden = withoutNow();
  const names = entries.map((e) => e.solver);
  const box = (name) => {
    const on = !hidden.includes(name);
    const rest = hidden.filter((n) => n && n !== name);
    const toggle = () => change({ without: (on ? [...rest, name] : rest).join(BETWEEN) });
    return h("label", {}, h("input", { type: "checkbox", checked: on, change: toggle }), ` ${name}`);
  };
  $("solvers-list").replaceChildren(...names.map(box));
  const shownNow = names.filter((n) => !hidden.includes(n)).length;
  $("solvers-shown").textContent = shownNow === names.length ? "" : `${shownNow} of ${names.length}`;
}

const drawOf = (p) => `PSF ${p.psf}, repetition ${p.rep}`;

/** Menus that lead to the current cell. */
function fillMenus(now) {
  const here = choosable().filter((p) => p.setting === now.setting);
  const same = here.filter((p) => imageName(p) === imageName(now));
  const datasets = unique(here.map((p) => p.dataset)).length;
  const images = unique(here.map(imageName)).map((name) => [
    name,
    datasets > 1 ? name : name.split("/").slice(1).join("/"),
  ]);
  fill(
    $("pick-setting"),
    unique(choosable().map((p) => p.setting)).map((s) => [s, data.settings[s].id]),
    String(now.setting),
  );
  fill($("pick-image"), images, imageName(now));
  fill(
    $("pick-draw"),
    same.map((p) => [drawOf(p), drawOf(p)]),
    drawOf(now),
  );
  $("draw-label").hidden = same.length < 2;
}

function picked(id) {
  const setting = Number($("pick-setting").value);
  const here = choosable().filter((p) => p.setting === setting);
  const same = here.filter((p) => imageName(p) === $("pick-image").value);
  const goal = (id === "pick-draw" && same.find((p) => drawOf(p) === $("pick-draw").value)) || same[0] || here[0];
  change({ cell: cellName(goal) });
}

export function step(by) {
  const left = choosable();
  change({ cell: cellName(left[(left.indexOf(currentPicture()) + by + left.length) % left.length]) });
}

export function openSetting(setting, solver) {
  const image = imageName(currentPicture());
  const here = data.pictures.filter((p) => p.setting === setting);
  change({ cell: cellName(here.find((p) => imageName(p) === image) || here[0]), a: solver });
  $("images").scrollIntoView();
}

let ticket = 0;
async function showCell() {
  const mine = ++ticket,
    now = currentPicture(),
    viewer = $("viewer"),
    mode = !now.truth && state.mode === "error" ? "image" : state.mode;
  viewer.setAttribute("aria-busy", "true");
  fillMenus(now);
  try {
    const chunk = await loadChunk(now.chunk);
    const pictures = ordered(chunk.pictures),
      scale = await sharedScale(pictures, mode);
    const figures = pictures.map((p) => panel(p, pictures, solversOf(pictures).indexOf(p), mode));
    await Promise.all(pictures.map((p, i) => p.src && paint(figures[i].querySelector("canvas"), p, mode, scale)));
    if (mine !== ticket) return;
    show({ pictures, scale, mode });
    fillChooser();
    $("contrast-pick").hidden = mode !== "image";
    $("modes").querySelector("[value=error]").disabled = !now.truth;
    $("pick-contrast").querySelector("[value=stretch]").textContent =
      `of the ${now.truth ? "true picture" : "measurement"}`;
    $("pick-contrast").value = state.contrast;
    $("images").style.setProperty("--aspect", await aspectOf(pictures));
    $("residual-note").textContent = mode === "residual" ? chunk.noise || "" : "";
    showScale(mode, scale);
    $("beside").replaceChildren(...figures.filter((f) => !f.classList.contains("solver")));
    $("panels").replaceChildren(...figures.filter((f) => f.classList.contains("solver")));
    await showComparison();
  } catch (error) {
    if (mine === ticket) $("panels").textContent = error.message;
  }
  if (mine === ticket) viewer.setAttribute("aria-busy", "false");
}

/** Truth, measurement and PSF first, then the solvers as the leaderboard ranks them, or as this picture does. */
function ordered(pictures) {
  const place = new Map(entries.map((e, k) => [e.solver, k]));
  const hidden = withoutNow();
  const loss = lossOf(metricOf(state.metric));
  const own = (p) => (Number.isFinite(p.scores?.[state.metric]) ? loss(p.scores[state.metric]) : Infinity);
  const rank = (p) => {
    if (p.kind !== "solver") return -Infinity;
    return state.order === "picture" ? own(p) : place.get(p.label);
  };
  const wanted = pictures.filter((p) => p.kind !== "solver" || (place.has(p.label) && !hidden.includes(p.label)));
  // Infinity - Infinity is no order: equal ranks stay as they came
  return wanted.sort((p, q) => (rank(p) === rank(q) ? 0 : rank(p) - rank(q)));
}

const solversOf = (pictures) => pictures.filter((p) => p.kind === "solver");

/** Width over height of the measured picture, which all panels have. */
async function aspectOf(pictures) {
  const frame = await pixelsOf(frameOf(pictures));
  return frame.w / frame.h;
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
  const metric = metricOf(state.metric),
    value = p.scores?.[state.metric];
  const known = Number.isFinite(value) && !p.failure;
  const best = known && p.kind === "solver" && isBest(value, metric, all);
  return h(
    "figcaption",
    {},
    h(
      "span",
      { class: "name", title: p.label },
      p.kind === "solver" && digit < 9 && h("kbd", {}, String(digit + 1)),
      breakable(p.label),
    ),
    h("span", { class: `score${best ? " best" : ""}` }, known ? number(value, metric.digits) : p.note || ""),
    p.kind === "solver" && p.key && h("code", { class: "key", title: `bench show ${p.key}` }, p.key),
  );
}

function isBest(value, metric, all) {
  const loss = lossOf(metric),
    others = all
      .filter((p) => p.kind === "solver" && !p.failure && Number.isFinite(p.scores?.[metric.name]))
      .map((p) => loss(p.scores[metric.name]));
  return loss(value) <= Math.min(...others);
}
