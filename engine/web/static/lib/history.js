// The last steps, as they came; and what can be said of one neuron over them.

import { HOLD, PLAY } from "./net.js";
import { mod } from "./number.js";

const BYTES = 32e6;
const MOST = 512; // as far as the moments look back

export class History {
  constructor(net) {
    this.net = net;
    this.room = Math.max(Math.min(MOST, Math.floor(BYTES / (net.values * (net.u8 ? 1 : 4)))), 16);
    this.clear();
  }

  clear() {
    this.frames = new Array(this.room);
    this.count = 0; // frames taken so far; the newest is number count - 1
  }

  // Take a frame; returns false for one that is already here. A step number that jumps back begins anew.
  push(frame) {
    const last = this.last;
    if (last && frame.step === last.step) return false;
    if (last && frame.step < last.step) this.clear();
    this.frames[this.count++ % this.room] = frame;
    this.net.metre = this.net.metreOf(frame);
    return true;
  }

  get length() {
    return Math.min(this.count, this.room);
  }

  get first() {
    return this.count - this.length; // number of the oldest frame kept
  }

  get last() {
    return this.count ? this.frames[(this.count - 1) % this.room] : null;
  }

  at(number) {
    return number >= this.first && number < this.count ? this.frames[number % this.room] : null;
  }

  // Values of one unit over the frames from number `from` on; missing rows of a 2-D block are averaged.
  trace(block, unit, from = this.first, row = null) {
    const [rows, units] = block.shape.length === 2 ? block.shape : [1, block.size];
    const out = new Float32Array(this.count - from);
    for (let n = from; n < this.count; n++) {
      const frame = this.frames[n % this.room];
      if (rows === 1 || row !== null) out[n - from] = this.net.value(frame, block, (row ?? 0) * units + unit);
      else {
        let sum = 0;
        for (let r = 0; r < rows; r++) sum += this.net.value(frame, block, r * units + unit);
        out[n - from] = sum / rows;
      }
    }
    return out;
  }

  // Where in the bars frame `number` lies, or would if it were here.
  where(number) {
    const frame = this.at(number);
    return frame ? this.net.where(frame) : this.net.where(this.last, number - (this.count - 1));
  }

  // Mean and spread of one unit at each position in the bar, of bars in the metre of now: where in the bar it fires.
  byPosition(trace, from = this.first) {
    const { metre } = this.net;
    const { bar } = metre;
    const sum = new Float64Array(bar);
    const square = new Float64Array(bar);
    const count = new Float64Array(bar);
    for (let k = 0; k < trace.length; k++) {
      const { metre: of, within: at } = this.net.where(this.frames[(from + k) % this.room]);
      if (of !== metre) continue;
      sum[at] += trace[k];
      square[at] += trace[k] ** 2;
      count[at]++;
    }
    return Array.from(sum, (s, at) => {
      const n = count[at];
      const mean = n ? s / n : NaN;
      return { mean, spread: n ? Math.sqrt(Math.max(square[at] / n - mean ** 2, 0)) : NaN, n };
    });
  }

  // How well the position in the bar explains a trace: 0 not at all, 1 wholly.
  tiedToBeat(trace, from = this.first) {
    const places = this.byPosition(trace, from).filter((p) => p.n > 1);
    let total = 0;
    let mean = 0;
    for (const v of trace) mean += v / trace.length;
    for (const v of trace) total += (v - mean) ** 2;
    const between = places.reduce((s, p) => s + p.n * (p.mean - mean) ** 2, 0);
    return total > 1e-9 ? between / total : 0;
  }

  // For a table of notes by neurons: what one unit says so many notes above or below a note that begins, and one that goes
  // on: {begins, holds}, each a mean for the intervals -reach .. reach.
  aroundNotes(block, unit, reach, from = this.first) {
    const [rows, units] = block.shape;
    const make = () => ({ sum: new Float64Array(2 * reach + 1), count: new Float64Array(2 * reach + 1) });
    const [begins, holds] = [make(), make()];
    for (let n = from; n < this.count; n++) {
      const frame = this.frames[n % this.room];
      for (let note = 0; note < rows; note++) {
        const cell = frame.cells[note];
        if (!(cell & PLAY)) continue;
        const into = cell & HOLD ? holds : begins;
        for (let d = Math.max(-reach, -note); d <= Math.min(reach, rows - 1 - note); d++) {
          into.sum[d + reach] += this.net.value(frame, block, (note + d) * units + unit);
          into.count[d + reach]++;
        }
      }
    }
    const mean = ({ sum, count }) => Float32Array.from(sum, (s, k) => (count[k] ? s / count[k] : 0));
    return { begins: mean(begins), holds: mean(holds) };
  }

  // Correlation of a trace with each slot's sounding, -1 .. 1; 0 for a slot that always or never sounds.
  withNotes(trace, from = this.first) {
    const { slots } = this.net;
    const n = trace.length;
    const both = new Float64Array(slots);
    const played = new Float64Array(slots);
    let sum = 0;
    let square = 0;
    for (let k = 0; k < n; k++) {
      const { cells } = this.frames[(from + k) % this.room];
      const v = trace[k];
      sum += v;
      square += v * v;
      for (let s = 0; s < slots; s++) {
        if (cells[s] & PLAY) {
          both[s] += v;
          played[s]++;
        }
      }
    }
    const spread = Math.sqrt(Math.max(square / n - (sum / n) ** 2, 0));
    return Float32Array.from(both, (b, s) => {
      const p = played[s] / n;
      const noteSpread = Math.sqrt(p * (1 - p));
      return played[s] < 3 || spread < 1e-6 || noteSpread < 1e-6 ? 0 : (b / n - (sum / n) * p) / (spread * noteSpread);
    });
  }
}
