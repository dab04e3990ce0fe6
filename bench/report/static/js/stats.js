// The statistics of bench/statistics/paired.py, to the same numbers: means clustered by image, paired t-tests, Holm, rank ranges.

/** log of the gamma function, x > 0 (Lanczos, g = 7, n = 9). */
function logGamma(x) {
  const c = [0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7];
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  let sum = c[0];
  for (let i = 1; i < 9; i++) sum += c[i] / (x - 1 + i);
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

/** Regularised incomplete beta function I_x(a, b): continued fraction (NIST DLMF 8.17.22) by Lentz's method. */
function betaRegularised(x, a, b) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - betaRegularised(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  const tiny = 1e-300;
  let c = 1, d = 1 / Math.max(Math.abs(1 - (a + b) * x / (a + 1)), tiny), f = d;
  for (let m = 1; m < 400; m++) {
    const even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / (1 + even * d || tiny);
    c = 1 + even / c || tiny;
    f *= c * d;
    const odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + odd * d || tiny);
    c = 1 + odd / c || tiny;
    f *= c * d;
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return front * f;
}

/** Two-sided p-value of Student's t. */
const tTwoSided = (t, df) => betaRegularised(df / (df + t * t), df / 2, 0.5);

/** Quantile of Student's t, p > 1/2, by bisection. */
function tQuantile(p, df) {
  let low = 0, high = 1;
  const above = (t) => tTwoSided(t, df) > 2 * (1 - p);
  while (above(high)) high *= 2;
  for (let i = 0; i < 200 && high - low > 1e-14 * high; i++) {
    const middle = (low + high) / 2;
    if (above(middle)) low = middle; else high = middle;
  }
  return (low + high) / 2;
}

/** Mean of the known values within each cluster; clusters without one are left out. */
function clusterMeans(values, clusters) {
  const total = new Map(), n = new Map();
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) continue;
    total.set(clusters[i], (total.get(clusters[i]) || 0) + values[i]);
    n.set(clusters[i], (n.get(clusters[i]) || 0) + 1);
  }
  return [...total.keys()].sort((a, b) => a - b).map((g) => total.get(g) / n.get(g));
}

const average = (m) => m.reduce((a, b) => a + b, 0) / m.length;

function standardError(m) {
  const mean = average(m);
  return Math.sqrt(m.reduce((a, b) => a + (b - mean) ** 2, 0) / (m.length - 1) / m.length);
}

function intervalOf(m, level = 0.95) {
  if (!m.length) return { mean: NaN, half: NaN };
  const mean = average(m);
  if (m.length < 2 || !m.every(Number.isFinite)) return { mean, half: NaN };
  return { mean, half: tQuantile((1 + level) / 2, m.length - 1) * standardError(m) };
}

/** Mean and half width of its t interval over cluster means. */
const clusteredMean = (values, clusters) => intervalOf(clusterMeans(values, clusters));

/** Mean of a - b where both are finite, its half width, two-sided p-value. */
function pairedDifference(a, b, clusters) {
  const d = range(a.length).map((i) => (Number.isFinite(a[i]) && Number.isFinite(b[i]) ? a[i] - b[i] : NaN));
  const m = clusterMeans(d, clusters), { mean, half } = intervalOf(m);
  if (m.length < 2) return { mean, half, p: NaN };
  const se = standardError(m);
  return { mean, half, p: se === 0 ? Number(mean === 0) : tTwoSided(mean / se, m.length - 1) };
}

/** Holm's step-down adjusted p-values; NaN stays NaN and is not counted. */
function holm(p) {
  const order = range(p.length).filter((i) => !Number.isNaN(p[i])).sort((i, j) => p[i] - p[j]);
  const adjusted = p.map(() => NaN);
  let largest = 0;
  order.forEach((i, k) => {
    largest = Math.max(largest, Math.min(1, (order.length - k) * p[i]));
    adjusted[i] = largest;
  });
  return adjusted;
}

function mix(z) {
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
}

/** How often each of G clusters is drawn in each resample: the draws of bench.statistics.paired.resample_counts, seed 0. */
function resampleCounts(resamples, G) {
  const counts = new Float64Array(resamples * G);
  for (let i = 0; i < resamples * G; i++)
    counts[Math.floor(i / G) * G + Math.floor(mix(Math.imul(i + 1, 0x9e3779b9)) * G / 4294967296)]++;
  return counts;
}

/** Studentised statistic of every column of d (G x P, flat) under cluster weights (flat, starting at `row`). */
function studentised(weights, row, d, G, P, out) {
  for (let j = 0; j < P; j++) {
    let mean = 0, square = 0;
    for (let g = 0; g < G; g++) {
      const w = weights[row * G + g];
      if (w === 0) continue;
      const v = d[j * G + g];
      mean += w * v;
      square += w * v * v;
    }
    mean /= G;
    const variance = square / G - mean * mean;
    out[j] = mean === 0 ? 0 : mean / Math.sqrt((variance > 1e-12 ? variance : 0) / (G - 1));
  }
  return out;
}

function scaled(columns, G) {
  const d = new Float64Array(columns.length * G);
  columns.forEach((column, j) => {
    const largest = Math.max(...column.map(Math.abs)) || 1;
    column.forEach((v, g) => { d[j * G + g] = v / largest; });
  });
  return d;
}

/** Ranks that the data do not rule out, jointly: [best, worst] per solver; see bench.statistics.paired.rank_ranges. */
function rankRanges(loss, clusters, level = 0.95, resamples = 2000) {
  const ranked = range(loss.length).filter((s) => loss[s].some(Number.isFinite)), S = ranked.length;
  const complete = range(clusters.length).filter((i) => ranked.every((s) => Number.isFinite(loss[s][i])));
  const groups = complete.map((i) => clusters[i]);
  const m = ranked.map((s) => clusterMeans(complete.map((i) => loss[s][i]), groups)), G = S ? m[0].length : 0;
  const pairs = range(S).flatMap((i) => range(S).slice(i + 1).map((j) => [i, j]));
  const best = range(S).map(() => 1), worst = range(S).map(() => S);
  if (G >= 2 && pairs.length) {
    const d = pairs.map(([i, j]) => range(G).map((g) => m[j][g] - m[i][g]));
    const t = studentised(new Float64Array(G).fill(1), 0, scaled(d, G), G, pairs.length, new Float64Array(pairs.length));
    const critical = criticalValue(d, G, level, resamples);
    pairs.forEach(([i, j], k) => {
      if (Math.abs(t[k]) <= critical) return;
      const [winner, loser] = t[k] > 0 ? [i, j] : [j, i];
      best[loser]++;
      worst[winner]--;
    });
  }
  const out = loss.map(() => null);
  ranked.forEach((s, i) => { out[s] = [best[i], worst[i]]; });
  return out;
}

function criticalValue(d, G, level, resamples) {
  const P = d.length, out = new Float64Array(P);
  const centred = scaled(d.map((column) => { const mean = average(column); return column.map((v) => v - mean); }), G);
  const weights = resampleCounts(resamples, G);
  const largest = Float64Array.from(range(resamples), (row) => {
    studentised(weights, row, centred, G, P, out);
    let top = 0;
    for (const t of out) if (Math.abs(t) > top) top = Math.abs(t);
    return top;
  }).sort();
  return Math.min(largest[Math.ceil((resamples - 1) * level)], tQuantile(1 - (1 - level) / (2 * P), G - 1));
}
