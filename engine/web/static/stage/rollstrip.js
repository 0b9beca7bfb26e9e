// Notes over the last steps in one small picture: all tracks on one scale of pitches, drums below.

import { palette, trackColour } from "../lib/colour.js";
import { t } from "../lib/language.js";
import { pitchName } from "../lib/net.js";
import { HELD, Rows, YOURS, barsBetween, sounded } from "../lib/notes.js";
import { Sheet, font, textSize } from "../lib/sheet.js";

// Draw frames number `from` to `to` into a rectangle.
export function drawNotes(pen, net, history, rows, from, to, x, y, width, height) {
  const one = width / (to - from);
  const tall = height / rows.count;
  for (let n = Math.max(from, history.first); n < Math.min(to, history.count); n++) {
    const frame = history.at(n);
    const next = history.at(n + 1);
    for (let slot = 0; slot < net.slots; slot++) {
      const note = sounded(frame, next, slot);
      if (!note) continue;
      const held = note & HELD;
      pen.fillStyle = note & YOURS ? palette.player : trackColour(net.tracks[net.slotTrack[slot]]);
      const left = x + (n - from) * one;
      // A held note joins the one before; a new one leaves a hair between.
      pen.fillRect(held ? left - 0.5 : left + 0.8, y + rows.ofSlot[slot] * tall, held ? one + 0.5 : one - 0.8, Math.max(tall - 0.4, 1.2));
    }
  }
}

// How wide the name of a bar is, with some air.
export function barName(pen) {
  return pen.measureText(t("bar", { number: 888 })).width + 10;
}

// Bar and beat lines of the same rectangle.
export function drawBars(pen, net, history, from, to, x, y, width, height, labels = false) {
  const one = width / (to - from);
  if (!history.last) return;
  pen.font = font(12);
  const every = barsBetween(one * net.stepsPerBar, barName(pen));
  for (let n = from; n < to; n++) {
    const { metre, bar, within, begins, accent } = history.where(n);
    if (!begins) continue;
    const down = within === 0;
    if (!down && one * metre.beat < (accent ? 9 : 18)) continue;
    pen.fillStyle = down ? "#2c3846" : accent ? "#1e2833" : "#141b24";
    pen.fillRect(x + (n - from) * one, y, 1, height);
    if (!labels || !down || bar < 0 || bar % every) continue;
    const name = t("bar", { number: bar + 1 });
    const left = (n - from) * one + 4;
    if (left + pen.measureText(name).width > width) continue;
    pen.fillStyle = palette.soft;
    pen.fillText(name, x + left, y + height - 4);
  }
}

export class RollStrip {
  constructor(parent, app, cell = 6) {
    this.app = app;
    this.cell = cell;
    this.rows = new Rows(app.net);
    this.sheet = new Sheet(parent, "small-roll", t("roll.strip"));
    this.sheet.canvas.addEventListener("click", () => app.show("roll"));
    this.sheet.canvas.style.cursor = "pointer";
  }

  draw() {
    const { net, history } = this.app;
    const pen = this.sheet.fit();
    const { width, height } = this.sheet;
    if (!width) return;
    const size = textSize(12);
    const names = 2.2 * size; // room for the names of the octaves
    const steps = Math.max(Math.floor((width - names) / this.cell), 8);
    const to = history.count;
    const from = to - steps;
    drawBars(pen, net, history, from, to, names, 0, width - names, height);
    pen.fillStyle = palette.soft;
    pen.font = font(12);
    const tall = height / this.rows.count;
    for (let pitch = Math.ceil(this.rows.low / 12) * 12; pitch <= this.rows.high; pitch += 12) {
      if (tall * 12 < size) break;
      pen.fillText(pitchName(pitch), 0, Math.max(Math.min((this.rows.high - pitch + 0.5) * tall + size / 3, height - 1), size));
    }
    drawNotes(pen, net, history, this.rows, from, to, names, 0, width - names, height);
  }
}
