// Two estimates over one another with a slider, a row through them, and the posterior samples of one.
import { isReference } from "./data.js";
import { $, clamp, fill, h, number, svg } from "./elements.js";
import { colour, fillCanvas, paint, SEQUENTIAL } from "./maps.js";
import { ticks, widthOf } from "./pareto.js";
import { frameOf, grey, pixelsOf, shown } from "./pictures.js";
import { change, follow, state } from "./state.js";
import { zoomNow } from "./zoom.js";

const LINES = [
  ["truth", "ground truth"],
  ["y", "measurement"],
  ["a", "A"],
  ["b", "B"],
];

export function startComparison() {
  for (const id of ["a", "b"]) $(`pick-${id}`).addEventListener("change", (e) => change({ [id]: e.target.value }));
  $("split").addEventListener("input", (e) => change({ split: e.target.value }));
  $("row").addEventListener("input", (e) => change({ row: e.target.value }));
  $("pick-draws").addEventListener("change", (e) => change({ draws: e.target.value }));
  $("flip").addEventListener("click", () => change({ a: $("pick-b").value, b: $("pick-a").value }));
  follow(["a", "b", "draws"], () => shown && showComparison());
  follow(["row"], () => shown && drawProfile());
  follow(["zoom"], placeRow);
  follow(["split"], () => {
    $("split").value = state.split;
    $("pair").style.setProperty("--split", `${state.split}%`);
  });
}

/** The pictures that A and B stand for: by default the best solver and the baseline, or the measurement where nobody
 *  has the true picture. */
function compared() {
  const able = shown.pictures.filter((p) => p.src && p.kind !== "psf"),
    solvers = able.filter((p) => p.kind === "solver");
  const by = (label) => able.find((p) => p.label === label),
    truth = able.some((p) => p.kind === "truth"),
    own = solvers.find((p) => truth || !isReference(p.label)),
    a = by(state.a) || own || solvers[0] || able[0];
  const others = [truth ? by(state.baseline) : frameOf(able), ...solvers];
  return { able, a, b: by(state.b) || others.find((p) => p && p !== a) || able[0] };
}

export async function showComparison() {
  const { able, a, b } = compared(),
    mine = shown;
  for (const [id, p] of [
    ["a", a],
    ["b", b],
  ]) {
    fill(
      $(`pick-${id}`),
      able.map((o) => [o.label, o.label]),
      p.label,
    );
    $(`name-${id}`).textContent = `${id.toUpperCase()}: ${p.label}`;
    await paint($(`canvas-${id}`), p, mine.mode, mine.scale);
    $(`canvas-${id}`).setAttribute("aria-label", `${id.toUpperCase()}: ${p.label}, ${mine.mode}`);
  }
  if (mine !== shown) return; // the reader has gone on
  for (const f of document.querySelectorAll("#viewer .panel"))
    f.classList.toggle("is-a", f.dataset.label === a.label);
  await drawProfile();
  await showDraws();
}

const rowNow = (h) => clamp(Math.round((state.row === "" ? 0.5 : Number(state.row) / 1000 || 0) * (h - 1)), 0, h - 1);

/** The line in the pictures that says where the row is. */
function placeRow() {
  if (!shown?.height) return;
  const { z, y } = zoomNow(),
    at = ((rowNow(shown.height) + 0.5) / shown.height - y) * z + 0.5;
  $("pair").style.setProperty("--row", `${100 * at}%`);
  $("row-line").hidden = at < 0 || at > 1 || state.mode === "spectrum";
}

export async function drawProfile() {
  const { a, b } = compared(),
    W = widthOf("profile"),
    H = 400,
    box = { left: 40, right: 10, top: 10, bottom: 34 };
  const pick = {
    a,
    b,
    truth: shown.pictures.find((p) => p.kind === "truth"),
    y: shown.pictures.find((p) => p.kind === "y"),
  };
  const lines = await Promise.all(
    LINES.filter(([k]) => pick[k]).map(async ([k, name]) => {
      const p = await pixelsOf(pick[k]),
        g = grey(p),
        row = rowNow(p.h);
      shown.height = p.h;
      return {
        k,
        name: k === "a" || k === "b" ? `${name}: ${pick[k].label}` : name,
        row,
        v: g.slice(row * p.w, (row + 1) * p.w),
      };
    }),
  );
  const n = lines[0].v.length,
    X = (i) => box.left + (i / Math.max(n - 1, 1)) * (W - box.left - box.right),
    Y = (v) => box.top + (1 - v) * (H - box.top - box.bottom);
  $("row").value = state.row === "" ? "500" : state.row;
  $("row-text").textContent = `row ${lines[0].row}`;
  $("profile").replaceChildren(
    ...[0, 0.25, 0.5, 0.75, 1].flatMap((v) => [
      svg("line", { class: "grid", x1: box.left, x2: W - box.right, y1: Y(v), y2: Y(v) }),
      svg("text", { class: "tick", x: box.left - 7, y: Y(v) + 4, "text-anchor": "end" }, String(v)),
    ]),
    ...ticks(0, n - 1, 6).map((v) =>
      svg("text", { class: "tick", x: X(v), y: H - box.bottom + 15, "text-anchor": "middle" }, String(v)),
    ),
    svg(
      "text",
      { class: "axis-label", x: (box.left + W - box.right) / 2, y: H - 3, "text-anchor": "middle" },
      "column (pixels)",
    ),
    ...lines.map((l) =>
      svg("path", {
        class: `line ${l.k}`,
        d: [...l.v].map((v, i) => `${i ? "L" : "M"}${X(i).toFixed(1)} ${Y(v).toFixed(1)}`).join(""),
      }),
    ),
  );
  $("profile-keys").replaceChildren(...lines.map((l) => h("span", { class: `line-key ${l.k}` }, l.name)));
  placeRow();
}

/** Mean, standard deviation and samples of a solver that drew several. */
async function showDraws() {
  const able = shown.pictures.filter((p) => p.samples?.length);
  $("draws").hidden = !able.length;
  if (!able.length) return;
  const p = able.find((o) => o.label === state.draws) || able[0];
  fill(
    $("pick-draws"),
    able.map((o) => [o.label, o.label]),
    p.label,
  );
  const first = { label: "mean", entry: { kind: "solver", label: "mean", src: p.src } };
  const items = [
    first,
    ...p.samples.map((src, i) => ({
      label: `sample ${i + 1}`,
      entry: { kind: "solver", label: `sample ${i + 1}`, src },
    })),
  ];
  const figures = await Promise.all(
    items.map(async ({ label, entry }) => {
      const canvas = h("canvas", { role: "img", "aria-label": `${p.label}: ${label}` });
      await paint(canvas, entry, shown.mode === "error" ? "error" : "image", shown.scale);
      return h(
        "figure",
        { class: "panel" },
        h("div", { class: "frame", tabindex: "-1" }, canvas),
        h("figcaption", {}, h("span", { class: "name" }, label)),
      );
    }),
  );
  if (p.std) {
    const canvas = h("canvas", { role: "img", "aria-label": `${p.label}: standard deviation of the samples` });
    const own = await pixelsOf(p, "std");
    fillCanvas(canvas, { w: own.w, h: own.h, v: own.c[0] }, (v) => colour(SEQUENTIAL, v));
    figures.splice(
      1,
      0,
      h(
        "figure",
        { class: "panel" },
        h("div", { class: "frame", tabindex: "-1" }, canvas),
        h(
          "figcaption",
          {},
          h("span", { class: "name" }, "std"),
          h("span", { class: "score" }, `white = ${number(p.std_max, 3)}`),
        ),
      ),
    );
  }
  $("draws-strip").replaceChildren(...figures);
}
