// Elements and numbers. Every text goes through textContent: nothing that a result says can become markup.

export const $ = (id) => document.getElementById(id);
export const SVG = "http://www.w3.org/2000/svg";
export const MISSING = "–";

/** An element with attributes (functions become listeners) and children (strings become text). */
export function h(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), attributes, children);
}

function dress(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

/** Fixed decimals with a real minus sign; ∞ and – where there is no finite number. */
export function number(value, digits) {
  if (value === null || value === undefined || Number.isNaN(value)) return MISSING;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

export function signed(value, digits) {
  const text = number(value, digits);
  return /^\d/.test(text) && Number(text) > 0 ? `+${text}` : text;
}

/** A duration at the precision that one reads. */
export function seconds(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return MISSING;
  if (value < 1e-4) return `${(1e6 * value).toFixed(0)} µs`;
  if (value < 1) return `${(1000 * value).toFixed(value >= 0.01 ? 0 : 1)} ms`;
  if (value < 120) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  const minutes = Math.round(value / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")}`;
}

/** A number of calls: digits in groups of three. */
export function count(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return MISSING;
  return value.toFixed(0).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A large number to three digits, with the letter of its thousands. */
export function amount(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return MISSING;
  const power = value < 1000 ? 0 : Math.min(5, Math.floor(Math.log10(value) / 3));
  const digits = value / 1000 ** power;
  return power ? `${digits.toPrecision(3)} ${" kMGTP"[power]}` : digits.toFixed(0);
}

export const unique = (values) => [...new Set(values)];
export const range = (n) => Array.from({ length: n }, (_, i) => i);
/** Median of what is known; NaN of nothing. */
export function median(list) {
  const known = [...list].filter((v) => !Number.isNaN(v)).sort((a, b) => a - b);
  const n = known.length;
  return n ? (known[(n - 1) >> 1] + known[n >> 1]) / 2 : NaN;
}
export const average = (values) => values.reduce((a, b) => a + b, 0) / values.length;
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** Options of a select, keeping what was chosen if it is still there. */
export function fill(select, pairs, chosen = select.value) {
  select.replaceChildren(...pairs.map(([value, text]) => new Option(text, value)));
  if (pairs.some(([value]) => String(value) === chosen)) select.value = chosen;
}

/** Say something short, also to a screen reader. */
export function say(text) {
  $("announcement").textContent = text;
  $("announcement").classList.add("shown");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => $("announcement").classList.remove("shown"), 2500);
}
