// Columns that flow: one for each timestep, on a ring of pixels that is written once and only moved afterwards.

import { mod } from "../lib/number.js";

export class Waterfall {
  // `steps` columns of `rows` pixels.
  constructor(steps, rows) {
    this.steps = steps;
    this.rows = rows;
    this.canvas = new OffscreenCanvas(steps, rows);
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.column = this.context.createImageData(1, rows);
    this.pixels = new Uint32Array(this.column.data.buffer);
    this.first = 0; // steps before it are not here
    this.next = null; // step whose column comes next
  }

  // Keep `pixels` as the column of a step. Steps that were left out are empty.
  push(step) {
    if (this.next === null || step < this.next - 1 || step > this.next + this.steps) {
      this.context.clearRect(0, 0, this.steps, this.rows);
      this.first = this.next = step;
    }
    for (let missing = this.next; missing < step; missing++) this.context.clearRect(mod(missing, this.steps), 0, 1, this.rows);
    this.context.putImageData(this.column, mod(step, this.steps), 0);
    this.next = step + 1;
    this.first = Math.max(this.first, this.next - this.steps);
  }

  // Draw what is here so that step `at` (a fraction is a place within it) lies at `x`, a column `wide` pixels, between top and
  // bottom; to the left of `x` only.
  draw(g, at, x, wide, top, height) {
    if (this.next === null) return;
    for (let step = this.first; step < this.next; ) {
      const place = mod(step, this.steps);
      const count = Math.min(this.next - step, this.steps - place);
      const left = x - (at - step) * wide;
      g.drawImage(this.canvas, place, 0, count, this.rows, left, top, count * wide, height);
      step += count;
    }
  }
}
