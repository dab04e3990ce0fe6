// What the reader has chosen. It lives in the address after #, so that a copied address shows the same.
const DEFAULTS = {
  metric: data.metrics.length ? data.metrics[0].name : "", blur: "", noise: "", family: "",
  baseline: data.baseline === null ? "" : data.solvers[data.baseline].solver,
  sort: "score", down: "", cost: "seconds", map: "gap",
  cell: "", mode: "image", scale: "auto", zoom: "", a: "", b: "", split: "50", row: "", draws: "",
};
const state = { ...DEFAULTS };
const listeners = [];

/** Call `act` now and whenever one of the named parts of the state changes. */
function follow(names, act) {
  listeners.push([names, act]);
  act();
}

function change(changes, quiet = false) {
  const changed = Object.keys(changes).filter((k) => k in DEFAULTS && state[k] !== String(changes[k]));
  for (const k of changed) state[k] = String(changes[k]);
  if (changed.length && !quiet) for (const [names, act] of listeners) if (names.some((n) => changed.includes(n))) act();
  remember();
}

function hashOf() {
  const parts = Object.keys(DEFAULTS).filter((k) => state[k] !== DEFAULTS[k]);
  return parts.map((k) => `${k}=${encodeURIComponent(state[k])}`).join("&");
}

let pending = 0;
function remember() {
  // A browser refuses hundreds of changes in a row: dragging is written once, when it rests.
  clearTimeout(pending);
  pending = setTimeout(() => {
    const hash = hashOf();
    if (location.hash.slice(1) !== hash) history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  }, 60);
}

function readHash() {
  const text = location.hash.slice(1);
  if (text && !text.includes("=")) return document.getElementById(text)?.scrollIntoView();
  const found = { ...DEFAULTS };
  for (const part of text.split("&").filter(Boolean)) {
    const [name, value = ""] = part.split("=", 2);
    try { if (name in DEFAULTS) found[name] = decodeURIComponent(value); } catch { /* a cut-off link */ }
  }
  change(allowed(found));
}

/** Names in a link that this report does not have fall back to the default. */
function allowed(found) {
  const choices = {
    metric: data.metrics.map((m) => m.name),
    blur: ["", ...data.settings.map((s) => s.blur)],
    noise: ["", ...data.settings.map((s) => s.noise)],
    family: ["", ...FAMILIES],
    baseline: ["", ...data.solvers.map((s) => s.solver)],
  };
  for (const [name, list] of Object.entries(choices)) if (!list.includes(found[name])) found[name] = DEFAULTS[name];
  return found;
}

window.addEventListener("hashchange", readHash);
// A link to a section scrolls, and leaves the state in the address alone.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#"]');
  if (!link) return;
  event.preventDefault();
  const goal = document.getElementById(link.getAttribute("href").slice(1));
  if (goal instanceof HTMLDetailsElement) goal.open = true;
  goal?.scrollIntoView();
  goal?.querySelector("h2")?.focus({ preventScroll: true });
});
