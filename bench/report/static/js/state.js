// What the reader has chosen. It lives in the address after #, so that a copied address shows the same.
import { data, FAMILIES, metrics } from "./data.js";

/** The filters that have tables of their own. */
export const AXES = data.axes.map((a) => a.name);
export const DEFAULTS = {
  metric: data.metrics.length ? data.metrics[0].name : "",
  ...Object.fromEntries(AXES.map((name) => [name, ""])),
  family: "",
  baseline: data.baseline === null ? "" : data.solvers[data.baseline].solver,
  sort: "score",
  find: "",
  hide: "",
  down: "",
  cost: "seconds",
  map: "gap",
  cell: "",
  mode: "image",
  scale: "auto",
  contrast: "plain",
  order: "table",
  without: "",
  panels: "small",
  zoom: "",
  a: "",
  b: "",
  split: "50",
  row: "",
  draws: "",
};
export const state = { ...DEFAULTS };
const listeners = [];

/** Call `act` now and whenever one of the named parts of the state changes. */
export function follow(names, act) {
  listeners.push([names, act]);
  act();
}

export function change(changes) {
  const wanted = onTables(changes);
  const changed = Object.keys(wanted).filter((k) => k in DEFAULTS && state[k] !== String(wanted[k]));
  for (const k of changed) state[k] = String(wanted[k]);
  if (changed.length) for (const [names, act] of listeners) if (names.some((n) => changed.includes(n))) act();
  remember();
}

const keyOf = (chosen) => data.axes.map((a) => 1 + a.values.indexOf(chosen[a.name])).join(",");

/** The number of the table of what is chosen. */
export const tableNumber = () => data.states[keyOf(state)];

/** The changes, with filters given up that have no table together with them: those that were not just set. */
function onTables(changes) {
  const chosen = Object.fromEntries(AXES.map((name) => [name, String(changes[name] ?? state[name])]));
  const older = AXES.filter((name) => !(name in changes) && chosen[name]);
  const newer = AXES.filter((name) => name in changes && chosen[name]);
  for (const name of [...older, ...newer]) {
    if (keyOf(chosen) in data.states) break;
    chosen[name] = "";
  }
  return AXES.length ? { ...changes, ...chosen } : changes;
}

export function hashOf() {
  const parts = Object.keys(DEFAULTS).filter((k) => state[k] !== DEFAULTS[k]);
  return parts.map((k) => `${k}=${encodeURIComponent(state[k])}`).join("&");
}

let pending = 0;
function remember() {
  // A browser refuses hundreds of changes in a row: dragging is written once, when it rests.
  clearTimeout(pending);
  pending = setTimeout(() => {
    const hash = hashOf();
    if (location.hash.slice(1) === hash) return;
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  }, 60);
}

export function readHash() {
  const text = location.hash.slice(1);
  if (text && !text.includes("=")) return document.getElementById(text)?.scrollIntoView();
  const wanted = { ...DEFAULTS };
  for (const part of text.split("&").filter(Boolean)) {
    const [name, value = ""] = part.split("=", 2);
    try {
      if (name in DEFAULTS) wanted[name] = decodeURIComponent(value);
    } catch {
      /* a cut-off link */
    }
  }
  return change(allowed(wanted));
}

/** Names in a link that this report does not have fall back to the default. */
function allowed(wanted) {
  const choices = {
    metric: metrics.map((m) => m.name),
    family: ["", ...FAMILIES],
    baseline: ["", ...data.solvers.map((s) => s.solver)],
    ...Object.fromEntries(data.axes.map((a) => [a.name, ["", ...a.values]])),
  };
  for (const [name, list] of Object.entries(choices)) {
    if (!list.includes(wanted[name])) wanted[name] = DEFAULTS[name];
  }
  return wanted;
}

export function startState() {
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
}
