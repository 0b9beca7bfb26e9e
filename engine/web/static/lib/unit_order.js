// Puts units that do alike side by side, so that a picture shows bands instead of noise.

const SAMPLES = 192;
const ROUNDS = 40;

const ENOUGH = 160; // steps after which an order can be told from them

// An order for the units of a layer: the network's own where its card has one, else from the steps seen so far, when they
// are enough.
export function orderOf(net, layer, history) {
  const given = net.card.order?.[layer.index] ?? [];
  if (given.length === layer.units) return Float32Array.from(given);
  return history.length >= ENOUGH ? byCorrelation(samples(net, layer, history), layer.units) : null;
}

// Rows of the layer's main signal, one per step (and per note, for a few of the notes), standardised by column.
function samples(net, layer, history) {
  const { main, rows, units } = layer;
  const steps = Math.min(history.length, SAMPLES);
  const some = Math.min(rows, 6);
  const out = [];
  for (let k = 0; k < steps; k++) {
    const frame = history.at(history.count - 1 - k);
    for (let r = 0; r < some; r++) {
      const row = rows === 1 ? 0 : (7 * k + Math.floor((r * rows) / some)) % rows;
      out.push(Float32Array.from({ length: units }, (_, u) => net.value(frame, main, row * units + u)));
    }
  }
  for (let u = 0; u < units; u++) {
    let sum = 0;
    let square = 0;
    for (const row of out) {
      sum += row[u];
      square += row[u] ** 2;
    }
    const mean = sum / out.length;
    const spread = Math.sqrt(Math.max(square / out.length - mean ** 2, 0));
    for (const row of out) row[u] = spread > 1e-6 ? (row[u] - mean) / spread : 0;
  }
  return out;
}

// The angle of each unit in the plane of the two strongest directions of the correlations (Friendly, "Corrgrams", 2002);
// the circle is cut where its largest gap is.
function byCorrelation(rows, units) {
  const first = direction(rows, units, null);
  const second = direction(rows, units, first);
  const angles = Array.from({ length: units }, (_, u) => ({ u, angle: Math.atan2(second[u], first[u]) }));
  angles.sort((a, b) => a.angle - b.angle);
  let cut = 0;
  let widest = angles[0].angle + 2 * Math.PI - angles.at(-1).angle;
  for (let k = 1; k < units; k++) {
    const gap = angles[k].angle - angles[k - 1].angle;
    if (gap > widest) [widest, cut] = [gap, k];
  }
  return Float32Array.from({ length: units }, (_, k) => angles[(k + cut) % units].u);
}

// Power iteration on the correlation matrix, which is never written out; orthogonal to `before`.
function direction(rows, units, before) {
  let v = Float32Array.from({ length: units }, (_, u) => Math.sin(1 + 3.7 * u));
  for (let round = 0; round < ROUNDS; round++) {
    if (before) {
      let dot = 0;
      for (let u = 0; u < units; u++) dot += v[u] * before[u];
      for (let u = 0; u < units; u++) v[u] -= dot * before[u];
    }
    const next = new Float32Array(units);
    for (const row of rows) {
      let dot = 0;
      for (let u = 0; u < units; u++) dot += row[u] * v[u];
      for (let u = 0; u < units; u++) next[u] += dot * row[u];
    }
    let length = 0;
    for (let u = 0; u < units; u++) length += next[u] ** 2;
    length = Math.sqrt(length) || 1;
    for (let u = 0; u < units; u++) next[u] /= length;
    v = next;
  }
  return v;
}
