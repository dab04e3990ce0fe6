// The values of the pixel under the cursor, the size of a pixel, and A and B in turn or on the whole screen.
import { $, clamp, number } from "./elements.js";
import { frameOf, grey, pixelsOf, shown } from "./pictures.js";
import { state } from "./state.js";
import { setZoom, zoomNow } from "./zoom.js";

/** Milliseconds that each of A and B is shown: about what it takes to see a difference and not to tire. */
const TURN = 450;

/** Where in a picture of w × h pixels a point of its frame lies; null outside. */
function pixelAt(frame, event, { w, h }) {
  const box = frame.getBoundingClientRect();
  const { z, x, y } = zoomNow();
  const u = x + ((event.clientX - box.left) / box.width - 0.5) / z;
  const v = y + ((event.clientY - box.top) / box.height - 0.5) / z;
  const [column, row] = [Math.floor(u * w), Math.floor(v * h)];
  return column >= 0 && row >= 0 && column < w && row < h ? { column, row } : null;
}

async function valuesAt(frame, event) {
  const label = frame.closest(".panel")?.dataset.label;
  const own = shown?.pictures.find((p) => p.label === label);
  if (!own?.src || own.kind === "psf" || state.mode === "spectrum") return "";
  const truth = frameOf(shown.pictures);
  const [mine, right] = await Promise.all([pixelsOf(own), pixelsOf(truth)]);
  const at = pixelAt(frame, event, mine);
  if (!at) return "";
  const value = (p) => (at.row < p.h && at.column < p.w ? grey(p)[at.row * p.w + at.column] : Number.NaN);
  const [a, b] = [value(mine), value(right)];
  const place = `row ${at.row}, column ${at.column}`;
  if (own === truth) return `${place}: ${label} ${number(a, 3)}`;
  const other = truth.kind === "truth" ? "true" : "measurement";
  return `${place}: ${label} ${number(a, 3)}, ${other} ${number(b, 3)}, difference ${number(a - b, 3)}`;
}

export function startReadout(section) {
  section.addEventListener("pointermove", async (event) => {
    const frame = event.target.closest("#viewer .frame");
    const text = frame ? await valuesAt(frame, event) : "";
    if (text) $("readout").textContent = text;
  });
  $("one-to-one").addEventListener("click", oneToOne);
  startFlicker();
  $("full").addEventListener("click", fullScreen);
}

/** One pixel of the picture on a whole number of the screen's: one where the picture is larger than its panel. */
async function oneToOne() {
  const frame = document.querySelector("#panels .frame") || document.querySelector("#beside .frame");
  const truth = await pixelsOf(frameOf(shown.pictures));
  const width = frame.clientWidth * devicePixelRatio;
  const each = Math.max(1, Math.ceil(width / truth.w - 1e-6));
  const { x, y } = zoomNow();
  setZoom(clamp((each * truth.w) / width, 1, 32), x, y);
}

let turning = 0;
function startFlicker() {
  const pair = $("pair");
  $("flicker").addEventListener("click", () => {
    clearInterval(turning);
    const on = $("flicker").getAttribute("aria-pressed") !== "true";
    $("flicker").setAttribute("aria-pressed", String(on));
    let a = true;
    const turn = () => {
      pair.style.setProperty("--split", a ? "100%" : "0%");
      a = !a;
    };
    if (on) {
      turn();
      turning = setInterval(turn, TURN);
    } else pair.style.setProperty("--split", `${state.split}%`);
  });
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else $("compare").requestFullscreen();
}
