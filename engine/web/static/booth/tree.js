// The genealogy of songs: a row for each generation, a dot for each song, lines to its parents.

import { fit } from "./score.js";

const ARMS = { first: "#9aa7b8", winners: "#45d9e8", control: "#74839a", drawn: "#ffb000", composed: "#ffb000" };
const MARGIN = 14;

/** Where a row of so many lies, 0..1 from above. */
const heightOf = (row, rows) => (rows > 1 ? 0.06 + (0.88 * row) / (rows - 1) : 0.5);

/** Places of all songs, 0..1 each way: {clip, x, y}. Songs of a generation stand in order of how often they were chosen. */
export function layout({ generations, clips }) {
  const rows = generations.map(({ id }) => id);
  const out = new Map();
  for (const [row, generation] of rows.entries()) {
    const own = clips.filter((one) => one.generation === generation).sort((a, b) => b.wins - a.wins || a.clip - b.clip);
    own.forEach((one, k) => out.set(one.clip, { ...one, x: (k + 0.5) / own.length, y: heightOf(row, rows.length) + (own.length > 24 ? ((k % 3) - 1) * 0.035 : 0) }));
  }
  return out;
}

/** A song's ancestors, itself among them. */
export function ancestors(places, clip) {
  const out = new Set();
  const open = [clip];
  while (open.length) {
    const one = open.pop();
    if (out.has(one) || !places.has(one)) continue;
    out.add(one);
    open.push(...places.get(one).parents);
  }
  return out;
}

export class Tree {
  constructor(canvas) {
    this.canvas = canvas;
    this.places = new Map();
    this.chosen = null;
  }

  set(told) {
    this.places = layout(told);
    this.rows = told.generations;
    this.draw();
  }

  spot({ x, y }, width, height) {
    return [MARGIN + 24 + x * (width - 2 * MARGIN - 24), MARGIN + y * (height - 2 * MARGIN)];
  }

  draw() {
    const { pen, width, height } = fit(this.canvas);
    pen.clearRect(0, 0, width, height);
    if (!this.places.size) return;
    const lit = this.chosen === null ? new Set() : ancestors(this.places, this.chosen);
    pen.font = "600 14px system-ui, sans-serif";
    pen.fillStyle = "#9aa7b8";
    pen.textBaseline = "middle";
    this.rows.forEach(({ id }, row) => pen.fillText(id, 2, MARGIN + heightOf(row, this.rows.length) * (height - 2 * MARGIN)));
    for (const one of this.places.values()) {
      for (const parent of one.parents) {
        const from = this.places.get(parent);
        if (!from) continue;
        const on = lit.has(one.clip) && lit.has(parent);
        pen.strokeStyle = on ? "#ffb000" : "#2a3a48";
        pen.lineWidth = on ? 2.5 : 1;
        const [[x0, y0], [x1, y1]] = [this.spot(from, width, height), this.spot(one, width, height)];
        pen.beginPath();
        pen.moveTo(x0, y0);
        pen.bezierCurveTo(x0, (y0 + y1) / 2, x1, (y0 + y1) / 2, x1, y1);
        pen.stroke();
      }
    }
    const most = Math.max(...[...this.places.values()].map(({ wins }) => wins), 1);
    for (const one of this.places.values()) {
      const [x, y] = this.spot(one, width, height);
      pen.globalAlpha = lit.size && !lit.has(one.clip) ? 0.4 : 1;
      pen.fillStyle = ARMS[one.arm] ?? ARMS.first;
      pen.beginPath();
      const size = 2.5 + 6 * Math.sqrt(one.wins / most);
      if (one.arm === "control") pen.rect(x - size, y - size, 2 * size, 2 * size);
      else pen.arc(x, y, size, 0, 7);
      pen.fill();
      if (one.clip === this.chosen) {
        pen.strokeStyle = "#fff";
        pen.lineWidth = 2;
        pen.stroke();
      }
    }
    pen.globalAlpha = 1;
  }

  /** The song nearest to a place in CSS pixels; null where none is near. */
  at(x, y) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    let [best, nearest] = [null, 26];
    for (const one of this.places.values()) {
      const [px, py] = this.spot(one, width, height);
      const distance = Math.hypot(px - x, py - y);
      if (distance < nearest) [best, nearest] = [one, distance];
    }
    return best;
  }
}
