// Pictures: the chunks that hold them, their pixels, and the chunk that is on the screen.
import { average, h, range } from "./elements.js";

/** The chunk on the screen: its pictures as ordered, their common scale, the mode. Null before the first. */
export let shown = null;
export function show(chunk) {
  shown = chunk;
}

const loading = new Map(),
  arrived = new Map();
window.benchCell = (name, chunk) => arrived.get(name)?.(chunk);

/** The chunk of one measured cell. A page from a file may neither fetch nor read image files; a script may carry both. */
export function loadChunk(name) {
  if (!loading.has(name))
    loading.set(
      name,
      inPage(name) ||
        new Promise((resolve, reject) => {
          arrived.set(name, resolve);
          const script = h("script", {
            src: `data/${name}.js`,
            error: () => reject(new Error(`data/${name}.js is missing beside this page`)),
          });
          document.head.append(script);
        }),
    );
  return loading.get(name);
}

function inPage(name) {
  const element = document.querySelector(`script[data-chunk="${CSS.escape(name)}"]`);
  return element && Promise.resolve(JSON.parse(element.textContent));
}

const decoded = new WeakMap();
/** Pixels {w, h, c: channels as Float32Array in [0, 1]} of a picture entry's field, decoded once. */
export function pixelsOf(entry, field = "src") {
  if (!decoded.has(entry)) decoded.set(entry, {});
  const fields = decoded.get(entry);
  fields[field] ??= decode(entry[field], entry.label);
  return fields[field];
}

function decode(src, label) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onerror = () => reject(new Error(`the picture of ${label} cannot be decoded`));
    image.onload = () => {
      const [w, h] = [image.naturalWidth, image.naturalHeight],
        canvas = Object.assign(document.createElement("canvas"), { width: w, height: h });
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      const rgba = context.getImageData(0, 0, w, h).data;
      resolve({ w, h, c: [0, 1, 2].map((k) => Float32Array.from(range(w * h), (i) => rgba[4 * i + k] / 255)) });
    };
    image.src = src;
  });
}

/** The true picture, or where nobody has it the measurement: what all panels of a cell share the frame of. */
export const frameOf = (entries) => entries.find((e) => e.kind === "truth") || entries.find((e) => e.kind === "y");

export const grey = (p) => Float32Array.from(p.c[0], (v, i) => (v + p.c[1][i] + p.c[2][i]) / 3);

/** log10 power spectrum with a Hann window, zero frequency in the middle, on the next power of two. */
export function spectrum(p, windowed = true) {
  const W = 2 ** Math.ceil(Math.log2(Math.max(p.w, 8))),
    H = 2 ** Math.ceil(Math.log2(Math.max(p.h, 8)));
  return spectrumOn(grey(p), p.w, p.h, W, H, windowed);
}

export function spectrumOn(x, w, h, W, H, windowed) {
  const re = new Float64Array(W * H),
    im = new Float64Array(W * H),
    hann = (i, n) => (windowed ? 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / n) : 1);
  const mean = windowed ? average([...x]) : 0;
  for (let i = 0; i < h; i++)
    for (let j = 0; j < w; j++) re[i * W + j] = (x[i * w + j] - mean) * hann(i, h) * hann(j, w);
  for (let i = 0; i < H; i++) fft(re, im, i * W, 1, W);
  for (let j = 0; j < W; j++) fft(re, im, j, W, H);
  const v = new Float32Array(W * H);
  for (let i = 0; i < H; i++)
    for (let j = 0; j < W; j++) {
      const k = i * W + j,
        at = ((i + H / 2) % H) * W + ((j + W / 2) % W);
      v[at] = Math.log10(re[k] * re[k] + im[k] * im[k] + 1e-12);
    }
  return { w: W, h: H, v };
}

/** In-place radix-2 Fourier transform of n values, `step` apart from `start` (Cooley & Tukey 1965). */
function fft(re, im, start, step, n) {
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      const a = start + i * step,
        b = start + j * step;
      [re[a], re[b]] = [re[b], re[a]];
      [im[a], im[b]] = [im[b], im[a]];
    }
  }
  for (let size = 2; size <= n; size *= 2) {
    for (let k = 0; k < size / 2; k++) {
      const angle = (-2 * Math.PI * k) / size,
        c = Math.cos(angle),
        s = Math.sin(angle);
      for (let i = k; i < n; i += size) {
        const a = start + i * step,
          b = a + (size / 2) * step;
        const x = re[b] * c - im[b] * s,
          y = re[b] * s + im[b] * c;
        re[b] = re[a] - x;
        im[b] = im[a] - y;
        re[a] += x;
        im[a] += y;
      }
    }
  }
}
