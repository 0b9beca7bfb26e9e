// How similar the network's state at each step is to every other.

import { mod } from "./number.js";

const SIZE = 512; // steps the matrix reaches back
const APART_BARS = 1; // moments nearer than this count as the same one

// The states of the last steps as unit vectors, and the matrix of their products.
export class Likeness {
  constructor(net) {
    this.net = net;
    this.size = net.stack.reduce((n, l) => n + (l.rows > 1 ? l.rows + l.units : l.units), 0);
    this.room = SIZE;
    this.vectors = new Float32Array(this.room * this.size);
    this.matrix = new Uint8Array(this.room * this.room); // at [row of the later][column of the earlier], in ring places
    this.clear();
  }

  clear() {
    this.taken = 0;
    this.firstNumber = 0;
  }

  get length() {
    return Math.min(this.taken, this.room);
  }

  // Take frame number `number` of the history.
  push(frame, number) {
    if (this.taken === 0) this.firstNumber = number;
    const at = mod(number, this.room);
    const vector = this.vectors.subarray(at * this.size, (at + 1) * this.size);
    this.summary(frame, vector);
    this.taken++;
    const { length, size } = this;
    for (let back = 0; back < length; back++) {
      const other = mod(number - back, this.room);
      const base = other * size;
      let dot = 0;
      for (let i = 0; i < size; i++) dot += vector[i] * this.vectors[base + i];
      this.matrix[at * this.room + other] = Math.round(255 * Math.min(Math.max(dot, 0), 1));
    }
  }

  // A list of neurons is taken as it is; of a table of notes by neurons, the mean of each row and of each column.
  summary(frame, out) {
    const { net } = this;
    let k = 0;
    for (const { main, rows, units } of net.stack) {
      if (rows === 1) {
        for (let u = 0; u < units; u++) out[k++] = net.value(frame, main, u);
        continue;
      }
      out.fill(0, k, k + rows + units);
      for (let r = 0; r < rows; r++) {
        for (let u = 0; u < units; u++) {
          const v = net.value(frame, main, r * units + u);
          out[k + r] += v / Math.sqrt(units);
          out[k + rows + u] += v / Math.sqrt(rows);
        }
      }
      k += rows + units;
    }
    let length = 0;
    for (const v of out) length += v * v;
    length = Math.sqrt(length) || 1;
    for (let i = 0; i < out.length; i++) out[i] /= length;
  }

  // Likeness of two frames, by number, 0 .. 1.
  of(a, b) {
    const [later, earlier] = a > b ? [a, b] : [b, a];
    return this.matrix[mod(later, this.room) * this.room + mod(earlier, this.room)] / 255;
  }

  // Number after the newest taken; the newest of all may still wait for its turn.
  get count() {
    return this.firstNumber + this.taken;
  }

  has(number) {
    return number >= this.count - this.length && number < this.count;
  }

  // The moments most like `number`, best first, each apart from the others.
  best(number, many) {
    const apart = this.net.stepsPerBar * APART_BARS;
    const found = [];
    const order = [];
    for (let n = this.count - this.length; n < this.count; n++) if (Math.abs(n - number) >= apart) order.push(n);
    order.sort((a, b) => this.of(b, number) - this.of(a, number));
    for (const n of order) {
      if (found.every((m) => Math.abs(m - n) >= apart)) found.push(n);
      if (found.length === many) break;
    }
    return found;
  }
}

// A run of numbers on a ring of `room` places, in pieces that do not wrap: [first, length].
export function pieces(from, count, room) {
  const out = [];
  for (let n = from; n < from + count; ) {
    const length = Math.min(from + count - n, room - mod(n, room));
    out.push([n, length]);
    n += length;
  }
  return out;
}
