// The bar that stays in sight: metric, the axes of the grid, family, baseline; and the theme.
import { arrow, data, FAMILIES, metrics } from "./data.js";
import { $, fill, h } from "./elements.js";
import { AXES, change, DEFAULTS, follow, state } from "./state.js";

const FILTERS = ["metric", ...AXES, "family", "baseline"];

export function startFilters() {
  const plain = (list) => list.map((v) => [v, v]);
  fill(
    $("metric"),
    metrics.map((m) => [m.name, m.label + arrow(m)]),
  );
  for (const a of data.axes) {
    const select = h("select", { id: a.name });
    $("metric")
      .closest(".filters")
      .insertBefore(h("label", { class: "pick" }, `${a.label} `, select), $("family-pick"));
    fill(select, [["", "all"], ...plain(a.values)]);
  }
  fill($("family"), [["", "all"], ...plain(FAMILIES)]);
  fill($("baseline"), [["", "none"], ...plain(data.solvers.map((s) => s.solver))]);
  for (const name of FILTERS) {
    const unsorted = name === "metric" ? { sort: "score", down: "" } : {};
    $(name).addEventListener("change", () => change({ [name]: $(name).value, ...unsorted }));
    follow([name], () => {
      $(name).value = state[name];
      $(name)
        .closest(".pick")
        .classList.toggle("active", state[name] !== DEFAULTS[name]);
    });
  }
  $("reset").addEventListener("click", () => change(DEFAULTS));
  follow(FILTERS, () => {
    $("reset").hidden = FILTERS.every((n) => state[n] === DEFAULTS[n]);
    // What shows the whole grid says so louder where a filter is set.
    const filtered = AXES.some((n) => state[n] !== DEFAULTS[n]);
    for (const note of document.querySelectorAll(".whole")) note.classList.toggle("loud", filtered);
  });
}

/** A row of buttons of which one is pressed. */
export function startSwitch(id, name) {
  const buttons = [...$(id).querySelectorAll("button")];
  for (const b of buttons) b.addEventListener("click", () => change({ [name]: b.value }));
  follow([name], () => {
    for (const b of buttons) b.setAttribute("aria-pressed", String(b.value === state[name]));
  });
}

const root = document.documentElement;
const dark = () => {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  return (root.dataset.theme || system) === "dark";
};

export function toggleTheme() {
  root.dataset.theme = dark() ? "light" : "dark";
  try {
    localStorage.setItem("bench-theme", root.dataset.theme);
  } catch {
    /* a page from a file may have no storage */
  }
}

export function startTheme() {
  let stored = null;
  try {
    stored = localStorage.getItem("bench-theme");
  } catch {
    /* likewise */
  }
  if (["light", "dark"].includes(stored)) root.dataset.theme = stored;
  $("theme").addEventListener("click", toggleTheme);
}
