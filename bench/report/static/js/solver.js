// What a row says of its solver: name, marks with their meaning, and a card with all that is known about it.
import { data, familyIndex } from "./data.js";
import { $, count, h } from "./elements.js";
import { state } from "./state.js";

/** A name that may go on in the next line after an underscore. */
export const breakable = (name) => name.split(/(?<=_)/).flatMap((part, i) => [i > 0 && h("wbr"), part]);

export function solverCell(e) {
  const title = [e.summary, e.reference, e.settings].filter(Boolean).join("\n");
  const open = { type: "button", class: "solver", title, click: () => showAbout(e.s) };
  return [
    h("button", open, h("span", { class: `dot f${familyIndex(e)}`, "aria-hidden": "true" }), breakable(e.solver)),
    e.family && h("span", { class: "family" }, e.family),
    e.weights &&
      h("span", { class: "family weights", title: "Weights: name, and the beginning of their SHA-256" }, e.weights),
    ...tagsOf(e).map(([text, title, kind = ""]) => h("span", { class: `tag ${kind}`, title }, text)),
  ];
}

function tagsOf(e) {
  return [
    e.solver === state.baseline && ["baseline", "The others are compared with it"],
    e.twin && [`= ${e.twin}`, "The same estimator by another implementation: one comparison, not two"],
    e.tuning === "val" && ["tuned", "Tuned on the validation split, per setting"],
    e.tuning === "oracle" && ["oracle", "Tuned on the test images themselves: an upper bound", "warn-tag"],
    e.samples > 1 && [`mean of ${count(e.samples)}`, "A sampler: it stands by the mean of its samples"],
    e.blind && ["blind", "Saw neither PSF nor noise level"],
    e.training_note && [trainingTag(e.training_note), e.training_note, "warn-tag"],
    e.unverified && ["unverified", e.unverified, "warn-tag"],
    e.absent > 0 && [`${e.absent} cells not run`, "Its mean is over other cells than the others'", "warn-tag"],
  ].filter(Boolean);
}

const trainingTag = (note) => (note.includes("outside") ? "outside training" : "trained on this");

/** What the cautions among the marks mean, for those that occur. */
const CAUTIONS = {
  training_note: [
    "trained on this, outside training",
    "its weights were trained on the very degradation of the test, or on a range that does not hold it",
  ],
  unverified: [
    "unverified",
    "behind it is code that the keys of its cells cannot follow: an edit there reruns nothing",
  ],
};

export function drawCautions() {
  const used = Object.entries(CAUTIONS).filter(([name]) => data.solvers.some((s) => s[name]));
  const items = used.map(([, [mark, text]]) => h("li", {}, h("span", { class: "tag warn-tag" }, mark), ` ${text}`));
  $("cautions").replaceChildren(...items);
  $("cautions").hidden = !items.length;
}

/** The card of a solver: what it does, where it comes from, its settings, what tuning chose in each setting. */
export function showAbout(s) {
  const e = data.solvers[s];
  const pairs = [
    ["Reference", e.reference],
    ["Family", e.family],
    ["Settings", settingsText(e.settings)],
    ["Weights", e.weights],
    ["Training", e.training_note],
    ["Unverified", e.unverified],
  ].filter(([, text]) => text);
  const rows = e.tuned.map(([setting, values]) => [h("dt", {}, setting), h("dd", { class: "mono" }, values)]);
  $("about-solver").replaceChildren(
    h("h2", { id: "h-about" }, e.solver),
    e.summary ? h("p", {}, e.summary) : "",
    h(
      "dl",
      { class: "pairs" },
      pairs.map(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]),
    ),
    ...(rows.length ? [h("h3", {}, "Tuned values"), h("dl", { class: "pairs" }, rows)] : []),
    h("form", { method: "dialog" }, h("button", {}, "Close")),
  );
  $("about-solver").showModal();
}

function settingsText(settings) {
  try {
    const plain = (v) => (typeof v === "string" ? v : JSON.stringify(v));
    return Object.entries(JSON.parse(settings || "{}"))
      .map(([name, value]) => `${name} = ${plain(value)}`)
      .join(", ");
  } catch {
    return settings;
  }
}
