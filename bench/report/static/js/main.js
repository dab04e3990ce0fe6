// Put the page together.

const MODE_NAMES = Object.keys(MODES);
const KEYS = {
  t: toggleTheme,
  m: () => change({ mode: MODE_NAMES[(MODE_NAMES.indexOf(state.mode) + 1) % MODE_NAMES.length] }),
  x: () => $("flip").click(),
  r: () => change({ zoom: "" }),
  "+": () => { const { z, x, y } = zoomNow(); setZoom(1.5 * z, x, y); },
  "-": () => { const { z, x, y } = zoomNow(); setZoom(z / 1.5, x, y); },
  "0": () => flipTo(shown.pictures.find((p) => p.kind === "truth")),
  ".": () => step(1),
  ",": () => step(-1),
  "?": () => $("keys").showModal(),
};

/** Put a picture in place of A, all of it. */
function flipTo(p) {
  if (p?.src) change({ a: p.label, split: "100" });
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
  const digit = "123456789".indexOf(event.key);
  if (!shown && !"t?".includes(event.key)) return;
  if (digit >= 0) flipTo(shown.pictures.filter((p) => p.kind === "solver")[digit]);
  else if (event.key in KEYS) KEYS[event.key]();
  else return;
  event.preventDefault();
}

let waiting = 0;
function resized() {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => { drawPareto(); if (shown) drawProfile(); });
}

function start() {
  startTheme();
  if (location.hash) readHash();
  startFilters();
  startExports();
  startSwitch("costs", "cost");
  startSwitch("maps", "map");
  drawFamilies();
  follow(["metric", "blur", "noise", "family", "baseline"], computeBoard);
  follow(["sort", "down"], drawBoard);
  follow(["metric", "blur", "noise", "family", "baseline", "cost"], drawPareto);
  follow(["metric", "blur", "noise", "family", "map", "baseline"], drawHeat);
  if ($("viewer")) {
    startComparison();
    startViewer();
  }
  $("show-keys").addEventListener("click", () => $("keys").showModal());
  document.addEventListener("keydown", pressed);
  window.addEventListener("resize", resized);
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}

if (data.metrics.length) start();
// For the curious at the console, and for the tests.
window.bench = { data, state, change, tQuantile, tTwoSided, clusteredMean, pairedDifference, holm, rankRanges, resampleCounts, leaderboard, settingMap, boardCsv, boardLatex, heatCsv, heatLatex };
