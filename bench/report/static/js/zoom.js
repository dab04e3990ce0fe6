// One zoom for all panels: state.zoom is "magnification,x,y", x and y the centre as fractions of the picture.
import { $, clamp, number } from "./elements.js";
import { change, state } from "./state.js";

export function zoomNow() {
  const [z, x, y] = state.zoom.split(",").map(Number);
  return Number.isFinite(y) && z > 1 ? { z, x, y } : { z: 1, x: 0.5, y: 0.5 };
}

export function setZoom(z, x, y) {
  z = clamp(z, 1, 32);
  const half = 0.5 / z;
  const at = [x, y].map((v) => clamp(v, half, 1 - half).toFixed(4));
  change({ zoom: z === 1 ? "" : [Number(z.toFixed(3)), ...at].join(",") });
}

/** Positions are CSS variables of the section, so that a drag repaints nothing. */
export function applyZoom() {
  const { z, x, y } = zoomNow(),
    style = $("images").style;
  style.setProperty("--z", z);
  style.setProperty("--x", `${100 * (0.5 - x * z)}%`);
  style.setProperty("--y", `${100 * (0.5 - y * z)}%`);
  $("unzoom").hidden = z === 1;
  $("unzoom").textContent = `${number(z, 1)}× · reset`;
}

export function startZoom(section) {
  let grip = null;
  const zoomable = (event) => event.target.closest(".frame:not(.psf .frame):not(.still)");
  section.addEventListener(
    "wheel",
    (event) => {
      const frame = zoomable(event);
      // The page scrolls as ever until a picture is clicked; then the wheel belongs to the pictures.
      if (
        !frame ||
        !(event.ctrlKey || (section.contains(document.activeElement) && document.activeElement.closest(".frame")))
      )
        return;
      event.preventDefault();
      const { z, x, y } = zoomNow(),
        box = frame.getBoundingClientRect(),
        next = clamp(z * 1.0015 ** -event.deltaY, 1, 32);
      const [u, v] = [(event.clientX - box.left) / box.width - 0.5, (event.clientY - box.top) / box.height - 0.5];
      setZoom(next, x + u / z - u / next, y + v / z - v / next);
    },
    { passive: false },
  );
  section.addEventListener("pointerdown", (event) => {
    const frame = zoomable(event);
    if (!frame || event.button) return;
    frame.focus({ preventScroll: true });
    frame.setPointerCapture(event.pointerId);
    grip = { frame, from: zoomNow(), x: event.clientX, y: event.clientY };
  });
  section.addEventListener("pointermove", (event) => {
    if (!grip || zoomNow().z === 1) return;
    const box = grip.frame.getBoundingClientRect(),
      { z, x, y } = grip.from;
    setZoom(z, x - (event.clientX - grip.x) / box.width / z, y - (event.clientY - grip.y) / box.height / z);
  });
  for (const end of ["pointerup", "pointercancel"])
    section.addEventListener(end, () => {
      grip = null;
    });
}
