// Which units like the downbeat: what they said over the last bars, the first step of each bar beside all the others.

const REMEMBERED = 256; // steps
export const LIKES = 2; // spreads of its other values by which a unit's mean at the downbeat lies beside them
const FIRES = 1.5; // spreads from its mean
const LEAST = 0.05; // spread: what hardly moves at all likes nothing

export class Remembered {
  /** `bar`: steps in a bar. */
  constructor(bar) {
    this.bar = bar;
    this.steps = []; // {step, h: one array a layer}
  }

  push(step, h) {
    const last = this.steps[this.steps.length - 1];
    if (last && (step < last.step || h.length !== last.h.length)) this.steps = []; // begun anew
    this.steps.push({ step, h });
    if (this.steps.length > REMEMBERED) this.steps.shift();
  }

  get last() {
    return this.steps[this.steps.length - 1] ?? null;
  }

  /** How many downbeats there were. */
  get bars() {
    return this.steps.filter(({ step }) => this.isDownbeat(step)).length;
  }

  isDownbeat(step) {
    return ((step % this.bar) + this.bar) % this.bar === 0;
  }

  values(layer, unit) {
    return this.steps.map(({ h }) => h[layer][unit]);
  }

  /** Effect size: how far a unit's mean at downbeats lies from its mean elsewhere, in its own spread there. Null before the third bar. */
  liking(layer, unit) {
    let [count, sum, others, total, squares] = [0, 0, 0, 0, 0];
    for (const { step, h } of this.steps) {
      const value = h[layer][unit];
      if (this.isDownbeat(step)) {
        count++;
        sum += value;
      } else {
        others++;
        total += value;
        squares += value * value;
      }
    }
    if (count < 3) return null;
    const mean = total / others;
    const spread = Math.sqrt(Math.max(squares / others - mean * mean, 0));
    return Math.abs(sum / count - mean) / Math.max(spread, LEAST);
  }

  /** The units that like it most, most first: [{layer, unit, effect}]. */
  best(count = 1) {
    if (this.bars < 3) return [];
    const found = this.last.h.flatMap((values, layer) => Array.from(values, (_, unit) => ({ layer, unit, effect: this.liking(layer, unit) })));
    return found.sort((a, b) => b.effect - a.effect).slice(0, count);
  }

  /** Whether a unit fires now: far from what it mostly says. */
  fires(layer, unit) {
    const values = this.values(layer, unit);
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    const spread = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
    return values.length > this.bar && Math.abs(values[values.length - 1] - mean) > FIRES * Math.max(spread, LEAST);
  }
}
