"use strict";
// One page, no dependency, no request: pictures come from data/*.js, which call benchCell.
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("viewer-data").textContent);
  const root = document.documentElement;

  // --- theme, metric, sorting ---------------------------------------------------------------------------------
  const store = (key, value) => { try { localStorage.setItem(key, value); } catch { /* files may have no storage */ } };
  const recall = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  if (["light", "dark"].includes(recall("bench-theme"))) root.dataset.theme = recall("bench-theme");
  $("theme").addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    store("bench-theme", root.dataset.theme);
  });

  $("metric").addEventListener("change", (event) => {
    for (const element of document.querySelectorAll("[data-m]")) element.hidden = element.dataset.m !== event.target.value;
    const rank = document.querySelector(`#board th[data-m="${event.target.value}"] .sort`);
    sortBy(rank, "ascending");
    showCell();
  });
  for (const radio of document.querySelectorAll("input[name=cell]"))
    radio.addEventListener("change", () => $("settings").classList.toggle("gaps", radio.value === "gap"));

  function sortBy(button, direction) {
    const th = button.closest("th"), table = th.closest("table"), column = th.cellIndex, body = table.tBodies[0];
    for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    th.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const key = (row) => row.cells[column].dataset.v;
    const compare = (a, b) => {
      if (key(a) === "" || key(b) === "") return (key(a) === "") - (key(b) === "");
      const x = Number(key(a)), y = Number(key(b));
      return sign * (Number.isNaN(x) || Number.isNaN(y) ? key(a).localeCompare(key(b)) : x === y ? 0 : x < y ? -1 : 1);
    };
    body.append(...[...body.rows].sort(compare));
  }
  for (const button of document.querySelectorAll(".sort"))
    button.addEventListener("click", () => {
      const now = button.closest("th").getAttribute("aria-sort"), first = button.dataset.first;
      const other = first === "ascending" ? "descending" : "ascending";
      sortBy(button, now === first ? other : first);
    });

  // --- viewer -------------------------------------------------------------------------------------------------
  const viewer = $("viewer");
  const loading = new Map(), arrived = new Map();
  window.benchCell = (name, chunk) => arrived.get(name)?.(chunk);

  function load(name) {
    if (!loading.has(name))
      loading.set(name, new Promise((resolve, reject) => {
        arrived.set(name, resolve);
        const script = document.createElement("script");
        script.src = `data/${name}.js`;
        script.onerror = () => reject(new Error(`data/${name}.js is missing beside this page`));
        document.head.append(script);
      }));
    return loading.get(name);
  }

  function fill(select, values) {
    const before = select.value;
    select.replaceChildren(...values.map((v) => new Option(v, v)));
    if (values.includes(before)) select.value = before;
  }
  const draw = (cell) => `${cell.psf} · ${cell.rep}`;
  const unique = (values) => [...new Set(values)];

  function choices() {
    const here = data.cells.filter((c) => c.setting === $("pick-setting").value);
    fill($("pick-image"), unique(here.map((c) => c.image)));
    const draws = unique(here.filter((c) => c.image === $("pick-image").value).map(draw));
    fill($("pick-draw"), draws);
    $("draw-label").hidden = draws.length < 2;
  }
  function current() {
    return data.cells.find((c) => c.setting === $("pick-setting").value && c.image === $("pick-image").value && draw(c) === $("pick-draw").value);
  }

  function start() {
    fill($("pick-setting"), unique(data.cells.map((c) => c.setting)));
    choices();
    for (const id of ["pick-setting", "pick-image", "pick-draw"])
      $(id).addEventListener("change", () => { choices(); showCell(); });
    for (const id of ["pick-mode", "pick-scale"]) $(id).addEventListener("change", showCell);
    $("pick-zoom").addEventListener("change", (e) => viewer.style.setProperty("--zoom", e.target.value));
    $("previous").addEventListener("click", () => step(-1));
    $("next").addEventListener("click", () => step(1));
    viewer.addEventListener("pointermove", aim);
    showCell();
  }
  function step(by) {
    const i = data.cells.indexOf(current()), n = data.cells.length, to = data.cells[(i + by + n) % n];
    $("pick-setting").value = to.setting; choices();
    $("pick-image").value = to.image; choices();
    $("pick-draw").value = draw(to);
    showCell();
  }
  function aim(event) {
    const frame = event.target.closest(".frame");
    if (!frame) return;
    const box = frame.getBoundingClientRect();
    viewer.style.setProperty("--ox", `${100 * (event.clientX - box.left) / box.width}%`);
    viewer.style.setProperty("--oy", `${100 * (event.clientY - box.top) / box.height}%`);
  }

  let latest = 0;
  async function showCell() {
    if (!viewer) return;
    const ticket = ++latest, mode = $("pick-mode").value, scale = Number($("pick-scale").value);
    viewer.setAttribute("aria-busy", "true");
    $("scale-label").hidden = $("error-legend").hidden = mode !== "error";
    $("error-max").textContent = `≥ ${scale}`;
    try {
      const { pictures } = await load(current().chunk);
      const truth = mode === "error" ? await pixels(pictures[0].src) : null;
      const figures = await Promise.all(pictures.map((p) => figure(p, pictures, truth, scale)));
      if (ticket !== latest) return;
      viewer.replaceChildren(...figures);
    } catch (error) {
      if (ticket !== latest) return;
      viewer.textContent = error.message;
    }
    viewer.setAttribute("aria-busy", "false");
  }

  async function figure(picture, all, truth, scale) {
    const box = element("figure", picture.kind), frame = element("div", "frame");
    box.append(frame);
    if (picture.failure) frame.append(element("p", "failed", `✕ ${picture.failure}`));
    else if (!picture.src) frame.append(element("p", "failed none", "no picture stored"));
    else if (truth && (picture.kind === "solver" || picture.kind === "y")) frame.append(await errorMap(picture, truth, scale));
    else frame.append(await image(picture));
    box.append(caption(picture, all));
    return box;
  }
  function caption(picture, all) {
    const out = element("figcaption"), metric = $("metric").value, info = data.metrics.find((m) => m.name === metric);
    out.append(element("span", "name", picture.label));
    const value = picture.scores?.[metric];
    if (value !== undefined) {
      const best = picture.kind === "solver" && isBest(value, metric, all);
      out.append(element("span", best ? "score best" : "score", value.toFixed(info.digits)));
    } else if (picture.note) out.append(element("span", "score", picture.note));
    if (picture.key) out.append(element("code", "key", picture.key.slice(0, 16)));
    return out;
  }
  function isBest(value, metric, all) {
    const better = data.metrics.find((m) => m.name === metric).better;
    const loss = (v) => (better === "higher" ? -v : better === "lower" ? v : Math.abs(v - 1));
    const others = all.filter((p) => p.kind === "solver").map((p) => p.scores?.[metric]).filter((v) => v !== undefined);
    return loss(value) <= Math.min(...others.map(loss));
  }
  function element(tag, className = "", text = "") {
    const e = document.createElement(tag);
    e.className = className;
    e.textContent = text;
    return e;
  }
  function image(picture) {
    return new Promise((resolve, reject) => {
      const img = new Image();
      img.onload = () => resolve(img);
      img.onerror = () => reject(new Error(`the picture of ${picture.label} cannot be decoded`));
      img.alt = picture.label;
      img.src = picture.src;
    });
  }
  async function pixels(src) {
    const img = await image({ src, label: "" });
    const canvas = element("canvas");
    [canvas.width, canvas.height] = [img.naturalWidth, img.naturalHeight];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(img, 0, 0);
    return { canvas, context, data: context.getImageData(0, 0, canvas.width, canvas.height) };
  }
  // Black to white through violet and orange, of growing lightness: readable without colour vision.
  const RAMP = [[0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99], [212, 72, 66], [245, 125, 21], [250, 193, 39], [252, 255, 230]];
  function colour(t) {
    const s = Math.min(Math.max(t, 0), 1) * (RAMP.length - 1), i = Math.min(Math.floor(s), RAMP.length - 2);
    return RAMP[i].map((v, c) => v + (s - i) * (RAMP[i + 1][c] - v));
  }
  async function errorMap(picture, truth, scale) {
    const { canvas, context, data: own } = await pixels(picture.src);
    for (let i = 0; i < own.data.length; i += 4) {
      let error = 0;
      for (let c = 0; c < 3; c++) error += Math.abs(own.data[i + c] - truth.data.data[i + c]) / 3;
      own.data.set(colour(error / 255 / scale), i);
    }
    context.putImageData(own, 0, 0);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `absolute error of ${picture.label}`);
    return canvas;
  }

  if (viewer) start();
})();
