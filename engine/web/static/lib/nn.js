// Neurons from scratch, in float64: line for line what models/neuron, models/rnn and models/lstm compute in NumPy.
// Matrices are Float64Arrays, row by row; sequences are arrays of such rows. Golden files written by the NumPy code test it.

import { Chance } from "./chance.js";

export { Chance };

// --- ways to learn ---------------------------------------------------------------------------------------------------------

/** Squash to 0..1. */
export const sigmoid = (z) => 1 / (1 + Math.exp(-z));

/** Turn scores into probabilities. */
export function softmax(scores, temperature = 1) {
  let most = -Infinity;
  for (const score of scores) most = Math.max(most, score);
  const shares = Float64Array.from(scores, (score) => Math.exp((score - most) / temperature));
  let total = 0;
  for (const share of shares) total += share;
  for (let k = 0; k < shares.length; k++) shares[k] /= total;
  return shares;
}

/** A row of zeros with a 1 at `index`. */
export function oneHot(index, count) {
  const row = new Float64Array(count);
  row[index] = 1;
  return row;
}

/** Zeros in the shape of `values`. */
export function zerosLike(values) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, new Float64Array(value.length)]));
}

/** Add `gradients`, times `share`, to `total`. */
export function addTo(total, gradients, share = 1) {
  for (const name in total) for (let k = 0; k < total[name].length; k++) total[name][k] += gradients[name][k] * share;
}

/** Gradient descent: each value goes a little against its gradient. */
export function descend(values, gradients, rate) {
  for (const name in gradients) for (let k = 0; k < values[name].length; k++) values[name][k] -= rate * gradients[name][k];
}

/** Kingma and Ba's Adam: each value goes by the mean of its gradients over their size, remembered for a while. */
export class Adam {
  constructor(rate, keepMean = 0.9, keepSize = 0.999) {
    Object.assign(this, { rate, keepMean, keepSize, mean: null, size: null, steps: 0 });
  }

  /** Move `values` once. */
  step(values, gradients) {
    this.mean ??= zerosLike(gradients);
    this.size ??= zerosLike(gradients);
    this.steps++;
    const evenMean = 1 - this.keepMean ** this.steps;
    const evenSize = 1 - this.keepSize ** this.steps;
    for (const name in gradients) {
      const value = values[name];
      const gradient = gradients[name];
      const mean = this.mean[name];
      const size = this.size[name];
      for (let k = 0; k < value.length; k++) {
        const g = gradient[k];
        mean[k] = this.keepMean * mean[k] + (1 - this.keepMean) * g;
        size[k] = this.keepSize * size[k] + (1 - this.keepSize) * g * g;
        value[k] -= (this.rate * (mean[k] / evenMean)) / (Math.sqrt(size[k] / evenSize) + 1e-8);
      }
    }
  }
}

/** The gradients, shortened together where they are longer than `most`. */
export function clip(gradients, most) {
  let squares = 0;
  for (const name in gradients) for (const g of gradients[name]) squares += g * g;
  const length = Math.sqrt(squares);
  if (length > most) for (const name in gradients) for (let k = 0; k < gradients[name].length; k++) gradients[name][k] *= most / length;
  return gradients;
}

/** out += matrix (rows, columns) times vector. Zeros are passed over: what comes in is often a single 1. */
function addProduct(out, matrix, vector) {
  const columns = vector.length;
  const some = [];
  for (let c = 0; c < columns; c++) if (vector[c] !== 0) some.push(c);
  const few = some.length;
  for (let r = 0, at = 0; r < out.length; r++, at += columns) {
    let sum = 0;
    if (few === columns) for (let c = 0; c < columns; c++) sum += matrix[at + c] * vector[c];
    else for (let k = 0; k < few; k++) sum += matrix[at + some[k]] * vector[some[k]];
    out[r] += sum;
  }
}

/** out += the transpose of matrix (rows, columns) times vector (rows). */
function addBackProduct(out, matrix, vector) {
  const columns = out.length;
  for (let r = 0, at = 0; r < vector.length; r++) {
    const v = vector[r];
    for (let c = 0; c < columns; c++) out[c] += matrix[at++] * v;
  }
}

/** matrix (rows, columns) += vector (rows) times the transpose of other (columns). */
function addOuter(matrix, vector, other) {
  const columns = other.length;
  const some = [];
  for (let c = 0; c < columns; c++) if (other[c] !== 0) some.push(c);
  const few = some.length;
  for (let r = 0, at = 0; r < vector.length; r++, at += columns) {
    const v = vector[r];
    if (few === columns) for (let c = 0; c < columns; c++) matrix[at + c] += v * other[c];
    else for (let k = 0; k < few; k++) matrix[at + some[k]] += v * other[some[k]];
  }
}

function add(out, other) {
  for (let k = 0; k < out.length; k++) out[k] += other[k];
}

// --- one neuron --------------------------------------------------------------------------------------------------------------

/** z = w . x + b, p = sigmoid(z), L = (y - p)^2 / 2. */
export class Neuron {
  constructor(weights, bias = 0) {
    this.values = { w: Float64Array.from(weights), b: Float64Array.of(bias) };
  }

  /** Answer to x: what was weighed, what came together, what was said. */
  guess(x) {
    const weighted = this.values.w.map((w, k) => w * x[k]);
    let z = 0;
    for (const part of weighted) z += part;
    z += this.values.b[0];
    return { x, weighted, z, p: sigmoid(z) };
  }

  /** What each value has to do with the error of a guess, and the links of the chain on the way there. */
  gradients(guess, wanted) {
    const dp = guess.p - wanted;
    const dz = dp * guess.p * (1 - guess.p);
    return { dp, dz, values: { w: Float64Array.from(guess.x, (x) => dz * x), b: Float64Array.of(dz) } };
  }

  /** Guess once and learn from it; the guess as it was made before. */
  lesson(x, wanted, rate) {
    const guess = this.guess(x);
    descend(this.values, this.gradients(guess, wanted).values, rate);
    return guess;
  }

  /** How many points lie on the side that is wanted. */
  right(xs, ys) {
    return xs.filter((x, k) => this.guess(x).p > 0.5 === ys[k] > 0.5).length;
  }
}

/** L = (y - p)^2 / 2. */
export const error = (guess, wanted) => (wanted - guess.p) ** 2 / 2;

/** Weights as strong as these whose line, where the sum is nothing, goes through two points; yes stays on its side. */
export function lineThrough({ w }, [x0, y0], [x1, y1]) {
  const [u, v] = [y1 - y0, x0 - x1];
  const size = Math.hypot(...w) / (Math.hypot(u, v) || 1);
  const share = u * w[0] + v * w[1] < 0 ? -size : size;
  return { w: [share * u, share * v], b: -share * (u * x0 + v * y0) };
}

/** Notes in [-reach, reach]^2 (pitch, length), and which of them lie above a slanted line. */
export function points(seed, count = 100, reach = 3) {
  const flat = new Chance(seed).spread(2 * count, reach);
  const xs = Array.from({ length: count }, (_, k) => flat.slice(2 * k, 2 * k + 2));
  return { xs, ys: xs.map(([pitch, length]) => (length > 0.6 * pitch + 0.5 ? 1 : 0)) };
}

/** A neuron that has not learned anything about the points of this seed. */
export function beginner(seed) {
  const start = new Chance(seed + 1).spread(3);
  return new Neuron(start.slice(0, 2), start[2]);
}

export const XOR = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]; // the last input is always 1: it stands for the bias
export const XOR_WANTED = [0, 1, 1, 0];

/** One neuron learns one point of XOR after the other and forgets the one before: four curves of 1 - p(right). */
export function fourLessons(weights, each = 1000) {
  const neuron = new Neuron(weights);
  const curves = XOR.map((x, k) => {
    const curve = new Float64Array(each);
    for (let step = 0; step < each; step++) {
      const guess = neuron.guess(x);
      curve[step] = Math.abs(XOR_WANTED[k] - guess.p);
      descend(neuron.values, { w: neuron.gradients(guess, XOR_WANTED[k]).values.w }, 1);
    }
    return curve;
  });
  return { curves, neuron };
}

// --- two layers ----------------------------------------------------------------------------------------------------------------

export const CLASH = [[-1, -1], [-1, 1], [1, -1], [1, 1]]; // neither, C sharp, C, both
export const CLASH_WANTED = [0, 1, 1, 0];

/** h = tanh(W1 x + b1), p = sigmoid(w2 . h + b2), L = -log(probability of what was right), summed over points. */
export class Layers {
  constructor(units, seed) {
    const chance = new Chance(seed);
    this.units = units;
    this.values = {
      W1: chance.spread(2 * units, 0.5),
      b1: new Float64Array(units),
      w2: chance.spread(units, 0.5),
      b2: new Float64Array(1),
    };
  }

  /** What the hidden units and the answer make of one point. */
  look(x) {
    const { W1, b1, w2, b2 } = this.values;
    const h = new Float64Array(this.units);
    let z = 0;
    for (let k = 0; k < this.units; k++) {
      h[k] = Math.tanh(x[0] * W1[2 * k] + x[1] * W1[2 * k + 1] + b1[k]);
      z += h[k] * w2[k];
    }
    return { x, h, p: sigmoid(z + b2[0]) };
  }

  /** The same for several points. */
  forward(xs) {
    return xs.map((x) => this.look(x));
  }

  loss(done, ys) {
    let sum = 0;
    done.forEach(({ p }, k) => (sum -= Math.log(ys[k] > 0.5 ? p : 1 - p)));
    return sum;
  }

  backward(done, ys) {
    const gradients = zerosLike(this.values);
    done.forEach(({ x, h, p }, point) => {
      const dz2 = p - ys[point];
      for (let k = 0; k < this.units; k++) {
        const dz1 = dz2 * this.values.w2[k] * (1 - h[k] ** 2);
        gradients.W1[2 * k] += dz1 * x[0];
        gradients.W1[2 * k + 1] += dz1 * x[1];
        gradients.b1[k] += dz1;
        gradients.w2[k] += dz2 * h[k];
      }
      gradients.b2[0] += dz2;
    });
    return gradients;
  }

  /** Whether all points lie on the side that is wanted. */
  solved(done, ys) {
    return done.every(({ p }, k) => p > 0.5 === ys[k] > 0.5);
  }
}

// --- what comes next: losses of a sequence -----------------------------------------------------------------------------------

/** -log(probability of what came), summed over steps, and its gradient for the scores. */
export function surprise(scores, wanted) {
  let loss = 0;
  const gradients = scores.map((row, t) => {
    const p = softmax(row);
    loss -= Math.log(p[wanted[t]]);
    p[wanted[t]] -= 1;
    return p;
  });
  return { loss, gradients };
}

/** Half the squared distance, summed over steps, and its gradient for the answers. */
export function distance(answers, wanted) {
  let loss = 0;
  const gradients = answers.map((row, t) =>
    row.map((y, k) => {
      const d = y - wanted[t][k];
      loss += (d * d) / 2;
      return d;
    }),
  );
  return { loss, gradients };
}

/** The scores of every step, from the units. */
function scoresOf(hs, values, outputs) {
  if (!outputs) return hs.slice(1);
  return hs.slice(1).map((h) => {
    const row = new Float64Array(outputs);
    addProduct(row, values.V, h);
    add(row, values.c);
    return row;
  });
}

/** dh of a step from its own answer; what the answer's values have to do with it is added to `gradients`. */
function fromAnswer(dy, h, values, outputs, gradients) {
  const dh = new Float64Array(h.length);
  if (!outputs) {
    add(dh, dy);
    return dh;
  }
  addBackProduct(dh, values.V, dy);
  addOuter(gradients.V, dy, h);
  add(gradients.c, dy);
  return dh;
}

function answering(chance, units, outputs) {
  return outputs ? { V: chance.spread(outputs * units, 1 / Math.sqrt(units)), c: new Float64Array(outputs) } : {};
}

// --- a recurrent network ---------------------------------------------------------------------------------------------------------

/** h_t = tanh(W x_t + U h_(t-1) + b), y_t = V h_t + c; without `outputs` the units themselves are the answer. */
export class Rnn {
  constructor(inputs, units, outputs, seed) {
    const chance = new Chance(seed);
    Object.assign(this, { inputs, units, outputs });
    this.values = {
      W: chance.spread(units * inputs, 1 / Math.sqrt(inputs)),
      U: chance.spread(units * units, 1 / Math.sqrt(units)),
      b: new Float64Array(units),
      ...answering(chance, units, outputs),
    };
  }

  /** Go through xs from a state before them. */
  forward(xs, state = null) {
    const { W, U, b } = this.values;
    const hs = [state ?? new Float64Array(this.units)];
    for (const x of xs) {
      const h = new Float64Array(this.units);
      addProduct(h, W, x);
      addProduct(h, U, hs[hs.length - 1]);
      for (let k = 0; k < h.length; k++) h[k] = Math.tanh(h[k] + b[k]);
      hs.push(h);
    }
    return { xs, hs, ys: scoresOf(hs, this.values, this.outputs), state: hs[hs.length - 1] };
  }

  /** Go back through time: the gradient of every value, and dh and dz (before the squashing) of every moment. */
  backward(done, dys) {
    const gradients = zerosLike(this.values);
    const [dhs, dzs] = [new Array(dys.length), new Array(dys.length)];
    let dz = new Float64Array(this.units);
    for (let t = dys.length - 1; t >= 0; t--) {
      const h = done.hs[t + 1];
      const dh = (dhs[t] = fromAnswer(dys[t], h, this.values, this.outputs, gradients));
      addBackProduct(dh, this.values.U, dz);
      dz = dzs[t] = dh.map((d, k) => d * (1 - h[k] ** 2));
      addOuter(gradients.W, dz, done.xs[t]);
      addOuter(gradients.U, dz, done.hs[t]);
      add(gradients.b, dz);
    }
    return { gradients, dhs, dzs };
  }
}

// --- long short-term memory ----------------------------------------------------------------------------------------------------

export const GATES = ["i", "f", "o", "g"];

/** c_t = f c_(t-1) + i g, h_t = o tanh(c_t); W (4H, I), U (4H, H), b (4H) hold the four gates in the order of GATES. */
export class Lstm {
  constructor(inputs, units, outputs, seed, width = 1 / Math.sqrt(inputs + units)) {
    const chance = new Chance(seed);
    Object.assign(this, { inputs, units, outputs });
    this.values = {
      W: chance.spread(4 * units * inputs, width),
      U: chance.spread(4 * units * units, width),
      b: new Float64Array(4 * units).fill(1, units, 2 * units), // the forget gate: a new cell keeps what it has
      ...answering(chance, units, outputs),
    };
  }

  /** Go through xs from a state {h, c} before them. `gates` holds a step's four, one after the other. */
  forward(xs, state = null) {
    const { W, U, b } = this.values;
    const n = this.units;
    const hs = [state?.h ?? new Float64Array(n)];
    const cs = [state?.c ?? new Float64Array(n)];
    const gates = [];
    for (const x of xs) {
      const [before, belt] = [hs[hs.length - 1], cs[cs.length - 1]];
      const z = new Float64Array(4 * n);
      addProduct(z, W, x);
      addProduct(z, U, before);
      for (let k = 0; k < 4 * n; k++) z[k] = k < 3 * n ? sigmoid(z[k] + b[k]) : Math.tanh(z[k] + b[k]);
      const [h, c] = [new Float64Array(n), new Float64Array(n)];
      for (let k = 0; k < n; k++) {
        c[k] = z[n + k] * belt[k] + z[k] * z[3 * n + k];
        h[k] = z[2 * n + k] * Math.tanh(c[k]);
      }
      gates.push(z);
      hs.push(h);
      cs.push(c);
    }
    const last = { h: hs[hs.length - 1], c: cs[cs.length - 1] };
    return { xs, gates, cs, hs, ys: scoresOf(hs, this.values, this.outputs), state: last };
  }

  /** Go back through time: the gradient of every value, and dh, dc of every moment. */
  backward(done, dys) {
    const n = this.units;
    const gradients = zerosLike(this.values);
    const [dhs, dcs] = [new Array(dys.length), new Array(dys.length)];
    let [dz, along] = [new Float64Array(4 * n), new Float64Array(n)];
    for (let t = dys.length - 1; t >= 0; t--) {
      const [gate, belt, before] = [done.gates[t], done.cs[t + 1], done.cs[t]];
      const dh = (dhs[t] = fromAnswer(dys[t], done.hs[t + 1], this.values, this.outputs, gradients));
      addBackProduct(dh, this.values.U, dz);
      const dc = (dcs[t] = new Float64Array(n));
      dz = new Float64Array(4 * n);
      for (let k = 0; k < n; k++) {
        const i = gate[k];
        const f = gate[n + k];
        const o = gate[2 * n + k];
        const g = gate[3 * n + k];
        const squashed = Math.tanh(belt[k]);
        dc[k] = dh[k] * o * (1 - squashed ** 2) + along[k];
        dz[k] = dc[k] * g * i * (1 - i);
        dz[n + k] = dc[k] * before[k] * f * (1 - f);
        dz[2 * n + k] = dh[k] * squashed * o * (1 - o);
        dz[3 * n + k] = dc[k] * i * (1 - g ** 2);
      }
      along = dc.map((d, k) => d * gate[n + k]);
      addOuter(gradients.W, dz, done.xs[t]);
      addOuter(gradients.U, dz, done.hs[t]);
      add(gradients.b, dz);
    }
    return { gradients, dhs, dcs };
  }
}

/** Let a network with outputs go on after the class `first`: each class it draws is what it is given next. */
export function continuation(network, first, count, chance, temperature = 1, state = null) {
  const found = [];
  let given = first;
  for (let k = 0; k < count; k++) {
    const done = network.forward([oneHot(given, network.outputs)], state);
    given = chance.choose(softmax(done.ys[0], temperature));
    state = done.state;
    found.push(given);
  }
  return found;
}

// --- hold the accented note -------------------------------------------------------------------------------------------------------

export const ACCENT = { steps: 75, batch: 4, rate: 0.2, length: 12, share: 0.2 };

/** Notes of -1 or 1 with their accents 0 or 1, and what is wanted: the note accented last. */
export function accents(chance, length) {
  const [xs, wanted] = [[], []];
  let last = 0;
  for (let t = 0; t < length; t++) {
    const note = chance.number() < 0.5 ? 1 : -1;
    const accent = t === 0 || chance.number() < ACCENT.share;
    if (accent) last = note;
    xs.push(Float64Array.of(note, accent ? 1 : 0));
    wanted.push(Float64Array.of(last));
  }
  return { xs, wanted };
}

/** One step of teaching a network (units are its answer) to hold the accented note; its mean loss before the step. */
export function accentStep(network, chance, adam) {
  const total = zerosLike(network.values);
  const share = 1 / (ACCENT.batch * ACCENT.length);
  let sum = 0;
  for (let k = 0; k < ACCENT.batch; k++) {
    const { xs, wanted } = accents(chance, ACCENT.length);
    const done = network.forward(xs);
    const { loss, gradients } = distance(done.ys, wanted);
    sum += loss;
    addTo(total, network.backward(done, gradients).gradients, share);
  }
  adam.step(network.values, total);
  return sum * share;
}

/** Teach one LSTM cell from the beginning. */
export function learnAccents(seed, steps = ACCENT.steps) {
  const network = new Lstm(2, 1, 0, seed, 0.1);
  const [chance, adam] = [new Chance(seed + 1), new Adam(ACCENT.rate)];
  const losses = Array.from({ length: steps }, () => accentStep(network, chance, adam));
  return { network, losses };
}

/** Share of the moments in which the answer lies on the wanted side. */
export function held(answers, wanted) {
  return answers.filter((y, t) => y[0] > 0 === wanted[t][0] > 0).length / answers.length;
}

// --- eight bars by heart ------------------------------------------------------------------------------------------------------------

export const TUNE = { steps: 64, pitches: 16, hold: 16, rest: 17, signs: 18, units: 16, rate: 0.03, enough: 0.05, most: 400 };

/** A tune as a visitor would play it: walks and leaps, longer notes, rests, a phrase that comes again. */
export function madeUp(seed) {
  const chance = new Chance(seed);
  const within = (pitch) => Math.min(Math.max(pitch, 0), TUNE.pitches - 1);
  const phrase = [];
  let pitch = 4 + chance.below(8);
  while (phrase.length < TUNE.steps / 4) {
    const kind = chance.number();
    if (phrase.length && kind < 0.2) phrase.push(TUNE.hold);
    else if (phrase.length && kind < 0.3) phrase.push(TUNE.rest);
    else phrase.push((pitch = within(pitch + chance.below(5) - 2)));
  }
  const answer = phrase.map((p) => (p < TUNE.pitches ? within(p + chance.below(3) - 1) : p));
  const eighth = TUNE.steps / 8;
  return [...phrase, ...answer, ...phrase, ...answer.slice(0, eighth), ...phrase.slice(eighth)];
}

/** A network that learns a tune: `step()` learns all of it once and returns the nats a step of the tune. */
export class TuneLearner {
  constructor(tune, seed) {
    this.tune = tune;
    this.network = new Lstm(TUNE.signs, TUNE.units, TUNE.signs, seed);
    this.adam = new Adam(TUNE.rate);
    this.given = [TUNE.rest, ...tune.slice(0, -1)].map((sign) => oneHot(sign, TUNE.signs));
    this.losses = [];
  }

  get known() {
    return this.losses.length > 0 && this.losses[this.losses.length - 1] < TUNE.enough;
  }

  step() {
    const done = this.network.forward(this.given);
    const { loss, gradients } = surprise(done.ys, this.tune);
    this.losses.push(loss / this.tune.length);
    if (!this.known) {
      for (const row of gradients) for (let k = 0; k < row.length; k++) row[k] /= this.tune.length;
      this.adam.step(this.network.values, this.network.backward(done, gradients).gradients);
    }
    return this.losses[this.losses.length - 1];
  }
}
