// The bar that stays in sight: metric, blur, noise, family, baseline; and the theme.

function startFilters() {
  const plain = (list) => list.map((v) => [v, v]);
  fill($("metric"), data.metrics.map((m) => [m.name, m.label + arrow(m)]));
  fill($("blur"), [["", "all"], ...plain(unique(data.settings.map((s) => s.blur)))]);
  fill($("noise"), [["", "all"], ...plain(unique(data.settings.map((s) => s.noise)))]);
  fill($("family"), [["", "all"], ...plain(FAMILIES)]);
  fill($("baseline"), [["", "none"], ...plain(data.solvers.map((s) => s.solver))]);
  for (const name of ["metric", "blur", "noise", "family", "baseline"]) {
    $(name).addEventListener("change", () => change({ [name]: $(name).value, ...(name === "metric" ? { sort: "score", down: "" } : {}) }));
    follow([name], () => { $(name).value = state[name]; $(name).closest(".pick").classList.toggle("active", state[name] !== DEFAULTS[name]); });
  }
  $("reset").addEventListener("click", () => change(DEFAULTS));
  follow(["metric", "blur", "noise", "family", "baseline"], () => {
    $("reset").hidden = ["metric", "blur", "noise", "family", "baseline"].every((n) => state[n] === DEFAULTS[n]);
  });
}

/** A row of buttons of which one is pressed. */
function startSwitch(id, name) {
  const buttons = [...$(id).querySelectorAll("button")];
  for (const b of buttons) b.addEventListener("click", () => change({ [name]: b.value }));
  follow([name], () => buttons.forEach((b) => b.setAttribute("aria-pressed", String(b.value === state[name]))));
}

const root = document.documentElement;
const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

function toggleTheme() {
  root.dataset.theme = dark() ? "light" : "dark";
  try { localStorage.setItem("bench-theme", root.dataset.theme); } catch { /* a page from a file may have no storage */ }
}

function startTheme() {
  let kept = null;
  try { kept = localStorage.getItem("bench-theme"); } catch { /* likewise */ }
  if (["light", "dark"].includes(kept)) root.dataset.theme = kept;
  $("theme").addEventListener("click", toggleTheme);
}
