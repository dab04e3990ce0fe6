// Photographs without sharp versions: each beside what the solvers made of it, to be compared by eye.
import { data, isReference } from "./data.js";
import { $, h, unique } from "./elements.js";
import { loadChunk } from "./pictures.js";
import { change } from "./state.js";
import { entries } from "./table.js";
import { cellName, imageName } from "./viewer.js";

/** Rows below the window whose pictures are loaded before they are scrolled to. */
const AHEAD = "600px";

export function startGallery() {
  const pictures = data.pictures.filter((p) => !p.truth);
  const several = { datasets: unique(pictures.map((p) => p.dataset)).length > 1, settings: data.settings.length > 1 };
  const observer = new IntersectionObserver(cameNear, { rootMargin: AHEAD });
  $("gallery-rows").replaceChildren(
    ...pictures.map((p) => {
      const strip = h("div", { class: "gallery-strip" });
      const row = h("article", { class: "gallery-row" }, h("h3", {}, headOf(p, several)), strip);
      unfilled.set(row, () => fillStrip(strip, p));
      observer.observe(row);
      return row;
    }),
  );
}

const unfilled = new Map();

function cameNear(seen, observer) {
  for (const { target } of seen.filter((s) => s.isIntersecting)) {
    observer.unobserve(target);
    unfilled.get(target)();
  }
}

function headOf(p, several) {
  const name = several.datasets ? imageName(p) : p.image;
  return several.settings ? `${name}, ${data.settings[p.setting].id}` : name;
}

async function fillStrip(strip, p) {
  try {
    const { pictures } = await loadChunk(p.chunk);
    const place = new Map(entries.map((e, k) => [e.solver, k]));
    // The solver `blurred` gives the measurement back, which stands here already.
    const solvers = pictures.filter((e) => e.kind === "solver" && place.has(e.label) && !isReference(e.label));
    solvers.sort((a, b) => place.get(a.label) - place.get(b.label));
    strip.replaceChildren(...[pictures.find((e) => e.kind === "y"), ...solvers].map((e) => tile(e, p)));
  } catch (error) {
    strip.textContent = error.message;
  }
}

function tile(entry, p) {
  const caption = h("figcaption", {}, entry.label);
  if (!entry.src) {
    const why = entry.failure ? `✕ ${entry.failure}` : "no picture stored";
    return h("figure", {}, h("p", { class: "failed" }, why), caption);
  }
  const image = h("img", { src: entry.src, alt: `${entry.label} of ${p.image}` });
  const open = {
    type: "button",
    title: "Compare it with the measurement, pixel by pixel",
    click: () => layOver(entry, p),
  };
  return h("figure", {}, h("button", open, image), caption);
}

/** Open the picture as A over the measurement as B. */
function layOver(entry, p) {
  change({ cell: cellName(p), a: entry.kind === "y" ? "" : entry.label, b: "measurement" });
  $("compare").scrollIntoView();
}
