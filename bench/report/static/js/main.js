// Put the page together.
import { leaderboard, settingMap } from "./board.js";
import { drawProfile, startComparison } from "./compare.js";
import { drawCurves } from "./curves.js";
import { data } from "./data.js";
import { $ } from "./elements.js";
import { boardCsv, boardLatex, heatCsv, heatLatex, startExports } from "./export.js";
import { startFilters, startSwitch, startTheme, toggleTheme } from "./filters.js";
import { startGallery } from "./gallery.js";
import { drawHeat } from "./heat.js";
import { MODES } from "./maps.js";
import { drawPairs, startPairs } from "./pairs.js";
import { drawFamilies, drawPareto } from "./pareto.js";
import { frameOf, shown } from "./pictures.js";
import { AXES, change, follow, readHash, startState, state } from "./state.js";
import { computeBoard, drawBoard, startBoard } from "./table.js";
import { startViewer, step } from "./viewer.js";
import { setZoom, zoomNow } from "./zoom.js";

const MODE_NAMES = Object.keys(MODES);
const KEYS = {
  t: toggleTheme,
  m: () => change({ mode: MODE_NAMES[(MODE_NAMES.indexOf(state.mode) + 1) % MODE_NAMES.length] }),
  x: () => $("flip").click(),
  b: () => $("flicker").click(),
  f: () => $("full").click(),
  r: () => change({ zoom: "" }),
  "+": () => zoomBy(1.5),
  "-": () => zoomBy(1 / 1.5),
  0: () => flipTo(frameOf(shown.pictures)),
  ".": () => step(1),
  ",": () => step(-1),
  "?": () => $("keys").showModal(),
};

function zoomBy(factor) {
  const { z, x, y } = zoomNow();
  setZoom(factor * z, x, y);
}

/** Put a picture in place of A, all of it. */
function flipTo(p) {
  if (p?.src) change({ a: p.label, split: "100" });
}

function pressed(event) {
  const typing = event.target.closest("input, select, textarea, dialog");
  if (event.ctrlKey || event.metaKey || event.altKey || typing) return;
  const digit = "123456789".indexOf(event.key);
  if (!shown && !"t?".includes(event.key)) return;
  if (digit >= 0) flipTo(shown.pictures.filter((p) => p.kind === "solver")[digit]);
  else if (event.key in KEYS) KEYS[event.key]();
  else return;
  event.preventDefault();
}

/** How much of the window the bar takes, for what is to stay in sight below it; nothing where it scrolls away. */
function measureBar() {
  const bar = document.querySelector(".bar");
  const stays = getComputedStyle(bar).position === "sticky";
  document.documentElement.style.setProperty("--bar", `${stays ? bar.offsetHeight : 0}px`);
}

let waiting = 0;
function resized() {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => {
    measureBar();
    drawPareto();
    drawCurves();
    if (shown) drawProfile();
  });
}

function start() {
  const filters = ["metric", ...AXES, "family", "baseline"];
  startTheme();
  startState();
  if (location.hash) readHash();
  startFilters();
  startExports();
  startBoard();
  startPairs();
  startSwitch("costs", "cost");
  startSwitch("maps", "map");
  drawFamilies();
  follow(filters, computeBoard);
  follow(["sort", "down", "find", "hide"], drawBoard);
  follow(filters, drawPairs);
  follow([...filters, "cost"], drawPareto);
  follow([...filters, "map"], drawHeat);
  follow([...filters, "map"], drawCurves);
  if ($("viewer")) {
    startComparison();
    startViewer();
  }
  if ($("gallery")) startGallery();
  follow(filters, measureBar);
  $("show-keys").addEventListener("click", () => $("keys").showModal());
  document.addEventListener("keydown", pressed);
  window.addEventListener("resize", resized);
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}

if (data.metrics.length) start();
// For the curious at the console, and for the tests.
window.bench = { data, state, change, leaderboard, settingMap, boardCsv, boardLatex, heatCsv, heatLatex };
