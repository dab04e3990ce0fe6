// From pixels to what a panel shows: the image, |error|, the whitened residual, the log spectrum.
import { $, clamp, median } from "./elements.js";
import { frameOf, grey, pixelsOf, spectrum, spectrumOn } from "./pictures.js";
import { state } from "./state.js";

// Black to white through violet and orange, of growing lightness: readable without colour vision.
export const SEQUENTIAL = [
  [0, 0, 4],
  [40, 11, 84],
  [101, 21, 110],
  [159, 42, 99],
  [212, 72, 66],
  [245, 125, 21],
  [250, 193, 39],
  [252, 255, 230],
];
// Blue through white to vermilion: the Okabe-Ito pair that everybody can tell apart.
const DIVERGING = [
  [0, 50, 100],
  [0, 114, 178],
  [110, 175, 215],
  [215, 232, 242],
  [255, 255, 255],
  [248, 224, 208],
  [232, 150, 95],
  [213, 94, 0],
  [125, 45, 0],
];

export function colour(stops, t) {
  const s = clamp(t, 0, 1) * (stops.length - 1),
    i = Math.min(Math.floor(s), stops.length - 2);
  return stops[i].map((v, c) => v + (s - i) * (stops[i + 1][c] - v));
}
const gradient = (stops) => `linear-gradient(90deg, ${stops.map((s) => `rgb(${s.join(" ")})`).join(", ")})`;

/** Each mode: name, what it says, and bar: the ends and the colours of its scale. */
export const MODES = {
  image: { text: "8-bit pictures, clipped to [0, 1]" },
  error: { text: "|x̂ − x|, mean over channels; brighter is worse", stops: SEQUENTIAL },
  residual: {
    text: "(K x̂ − y) / σ: a good estimate leaves white noise, structure means that data were missed",
    stops: DIVERGING,
  },
  spectrum: {
    text: "log power spectrum, zero frequency in the middle, Hann window; dark rings or lines are the zeros of the blur",
    stops: SEQUENTIAL,
  },
};

/** Paint one panel; `scale` comes from sharedScale, the same for all panels of the cell. */
export async function paint(canvas, entry, mode, scale) {
  if (entry.kind === "psf") return paintPsf(canvas, entry, mode);
  if (mode === "error" && entry.kind !== "truth")
    return fillCanvas(canvas, await errorMap(entry, scale.truth), (v) => colour(SEQUENTIAL, v / scale.high));
  if (mode === "residual" && entry.residual) {
    const p = await pixelsOf(entry, "residual");
    return fillCanvas(canvas, { w: p.w, h: p.h, v: p.c[0] }, (v) => colour(DIVERGING, v));
  }
  if (mode === "spectrum")
    return fillCanvas(canvas, spectrum(await pixelsOf(entry)), (v) =>
      colour(SEQUENTIAL, (v - scale.low) / (scale.high - scale.low)),
    );
  return copyPixels(canvas, await pixelsOf(entry), scale.tone);
}

async function paintPsf(canvas, entry, mode) {
  const p = await pixelsOf(entry);
  if (mode !== "spectrum") return copyPixels(canvas, p);
  // Its transfer function, on a grid fine enough to show the zeros; from 0 down to -50 dB.
  const n = 128,
    x = grey(p),
    sum = x.reduce((a, b) => a + b, 0);
  const out = spectrumOn(
    x.map((v) => v / sum),
    p.w,
    p.h,
    n,
    n,
    false,
  );
  return fillCanvas(canvas, out, (v) => colour(SEQUENTIAL, 1 + v / 5));
}

export function fillCanvas(canvas, { w, h, v }, ramp) {
  const image = new ImageData(w, h);
  for (let i = 0; i < w * h; i++) {
    const [r, g, b] = ramp(v[i]);
    image.data.set([r, g, b, 255], 4 * i);
  }
  put(canvas, image);
}

function copyPixels(canvas, p, tone = (v) => v) {
  const image = new ImageData(p.w, p.h);
  const level = (c, i) => 255 * tone(p.c[c][i]);
  for (let i = 0; i < p.w * p.h; i++) image.data.set([level(0, i), level(1, i), level(2, i), 255], 4 * i);
  put(canvas, image);
}

/** How values become grey levels: as they are, from the 1st to the 99th percentile of the frame, or dark parts lifted. */
function toneOf(truth) {
  if (state.contrast === "dark") return (v) => v ** (1 / 2.2);
  if (state.contrast !== "stretch") return undefined;
  const v = grey(truth).sort();
  const [low, high] = [0.01, 0.99].map((q) => v[Math.round(q * (v.length - 1))]);
  return (x) => clamp((x - low) / (high - low || 1), 0, 1);
}

function put(canvas, image) {
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.getContext("2d").putImageData(image, 0, 0);
}

async function errorMap(entry, truth) {
  const p = await pixelsOf(entry),
    v = new Float32Array(p.w * p.h);
  for (let c = 0; c < 3; c++) for (let i = 0; i < v.length; i++) v[i] += Math.abs(p.c[c][i] - truth.c[c][i]) / 3;
  return { w: p.w, h: p.h, v };
}

/** One scale for all panels: that of the errors, or of the truth's spectrum. */
export async function sharedScale(entries, mode) {
  const truth = await pixelsOf(frameOf(entries));
  if (mode === "error")
    return { truth, low: 0, high: state.scale === "auto" ? await errorScale(entries, truth) : Number(state.scale) };
  if (mode === "residual") return { low: -4, high: 4 };
  if (mode === "spectrum") {
    const high = spectrum(truth).v.reduce((a, b) => Math.max(a, b), -99);
    return { low: high - 7, high };
  }
  return mode === "image" ? { tone: toneOf(truth) } : {};
}

/** The 98th percentile of the median solver's errors, rounded up to 1, 2, 5: most panels fill their scale. */
async function errorScale(entries, truth) {
  const tops = [];
  for (const e of entries.filter((x) => x.kind === "solver" && x.src)) {
    const v = (await errorMap(e, truth)).v.sort();
    tops.push(v[Math.floor(0.98 * (v.length - 1))]);
  }
  const wanted = median(tops) || 0.1;
  return [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1].find((s) => s >= wanted) || 1;
}

export function showScale(mode, scale) {
  const about = MODES[mode],
    bar = $("scale-bar");
  $("mode-text").textContent = about.text;
  bar.hidden = !about.stops;
  $("scale-pick").hidden = mode !== "error";
  if (!about.stops) return;
  bar.children[1].style.background = gradient(about.stops);
  bar.children[0].textContent = { error: "0", residual: "−4 σ", spectrum: "−70 dB" }[mode];
  bar.children[2].textContent = { error: `≥ ${scale.high}`, residual: "+4 σ", spectrum: "0 dB" }[mode];
}
