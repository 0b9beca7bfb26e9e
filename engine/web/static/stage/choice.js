// A keyboard standing upright, and beside it two pairs of columns: how likely each note was (grey), what was chosen (red).

import { palette, shade } from "../lib/colour.js";
import { t } from "../lib/language.js";
import { CLAMPED, HOLD, PLAY, pitchName } from "../lib/net.js";
import { Sheet, fitted, font, textSize } from "../lib/sheet.js";

const BLACK = [1, 3, 6, 8, 10];

export class ChoiceColumns {
  constructor(parent, app) {
    this.app = app;
    this.sheet = new Sheet(parent, "choice", "", t("choice"));
    const { canvas } = this.sheet;
    canvas.addEventListener("pointermove", (event) => {
      const slot = this.slotAt(event);
      canvas.style.cursor = slot >= 0 && app.mayChange ? "pointer" : "default";
      if (slot >= 0) this.say(slot, event);
    });
    canvas.addEventListener("pointerleave", () => app.why.hide());
    canvas.addEventListener("pointerdown", (event) => {
      const slot = this.slotAt(event);
      if (slot < 0) return;
      this.say(slot, event);
      const pitch = app.net.slotPitch[slot];
      canvas.setPointerCapture(event.pointerId);
      app.keys.press(pitch, 90);
      canvas.addEventListener("pointerup", () => app.keys.release(pitch), { once: true });
      canvas.addEventListener("pointercancel", () => app.keys.release(pitch), { once: true });
    });
  }

  say(slot, event) {
    this.app.why.say(this.sentence(slot), event.clientX, event.clientY);
    this.app.happened("belief");
  }

  // Notes from the lowest at the bottom; slots of one track lie in that order.
  slotAt(event) {
    const box = this.sheet.canvas.getBoundingClientRect();
    const { slots } = this.app.net;
    const row = Math.floor(((event.clientY - box.top - this.top) / (box.height - this.top)) * slots);
    return row >= 0 && row < slots ? slots - 1 - row : -1;
  }

  get top() {
    return 2.6 * textSize(12) + 4;
  }

  draw(frame) {
    const { net } = this.app;
    const pen = this.sheet.fit();
    const { width, height } = this.sheet;
    if (!width) return;
    const row = (height - this.top) / net.slots;
    const size = textSize(12);
    const names = 2.3 * size;
    const keys = Math.min(names + 26, width * 0.4);
    const pair = (width - keys) / 2 - 8;
    const grey = palette.luts.grey;
    pen.font = font(12);
    for (let slot = 0; slot < net.slots; slot++) {
      const y = height - (slot + 1) * row;
      const pitch = net.slotPitch[slot];
      const cell = frame ? frame.cells[slot] : 0;
      pen.fillStyle = cell & PLAY ? (cell & CLAMPED ? palette.player : palette.network) : BLACK.includes(pitch % 12) ? "#151b23" : "#39434f";
      pen.fillRect(names, y, keys - names, Math.max(row - 0.6, 1));
      if (pitch % 12 === 0) {
        pen.fillStyle = palette.soft;
        pen.fillText(pitchName(pitch), 0, Math.min(y + row / 2 + size / 3, height - 1));
      }
      if (!frame) continue;
      const strikes = cell & PLAY && !(cell & HOLD);
      this.cell(pen, keys + 8, y, pair, row, net.probability(frame, slot), cell & PLAY, cell & CLAMPED, grey);
      this.cell(pen, keys + 16 + pair, y, pair, row, 1 - net.holdProbability(frame, slot), strikes, cell & CLAMPED, grey, !(cell & PLAY));
    }
    pen.fillStyle = palette.soft;
    for (const [k, key] of ["choice.plays", "choice.strikes"].entries()) {
      const two = [t(key), t(`${key}.more`)];
      const fits = two.every((text) => pen.measureText(text).width < pair + 4);
      for (const [line, text] of (fits ? two : [fitted(pen, t(`${key}.short`), pair + 4)]).entries()) {
        pen.fillText(text, keys + 8 + k * (pair + 8), size + 1.15 * size * line);
      }
    }
  }

  cell(pen, x, y, width, row, p, chosen, clamped, grey, idle = false) {
    const part = width * 0.62;
    // A note that is silent is not struck anew: nothing to show.
    pen.fillStyle = idle ? "#0a0e13" : shade(grey, p, 0, 1);
    pen.fillRect(x, y, part, Math.max(row - 0.6, 1));
    if (!chosen) return;
    pen.beginPath();
    pen.arc(x + part + (width - part) / 2, y + row / 2, Math.max(Math.min(row, 9) * 0.48, 2), 0, 7);
    if (clamped) {
      pen.strokeStyle = palette.player;
      pen.lineWidth = 1.6;
      pen.stroke();
    } else {
      pen.fillStyle = palette.chosen;
      pen.fill();
    }
  }

  sentence(slot) {
    const { net, history } = this.app;
    const name = net.slotName(slot);
    const frame = history.last;
    if (!frame) return name;
    const cell = frame.cells[slot];
    const did = t(!(cell & PLAY) ? "belief.not" : cell & CLAMPED ? "belief.yours" : cell & HOLD ? "belief.holds" : "belief.begins");
    const percent = (100 * net.probability(frame, slot)).toFixed(0);
    return `${t("belief.says", { name, percent, did })}${this.app.mayChange ? ` ${t("belief.press")}` : ""}`;
  }
}
