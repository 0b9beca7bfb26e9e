// What the explorer's pages draw with: places, points, lines, curves, arrows, words.

import { palette, shade } from "../lib/colour.js";
import { font, outlined } from "../lib/sheet.js";

/** A rectangle with numbers on its sides: x and y to pixels and back. */
export class Frame {
  constructor(x, y, width, height, [left, right] = [0, 1], [bottom, top] = [0, 1]) {
    Object.assign(this, { x, y, width, height, left, right, bottom, top });
  }

  px(v) {
    return this.x + ((v - this.left) / (this.right - this.left)) * this.width;
  }

  py(v) {
    return this.y + this.height - ((v - this.bottom) / (this.top - this.bottom)) * this.height;
  }

  at(px, py) {
    const v = this.left + ((px - this.x) / this.width) * (this.right - this.left);
    return [v, this.bottom + ((this.y + this.height - py) / this.height) * (this.top - this.bottom)];
  }
}

export function dot(pen, x, y, radius, fill, ring = null) {
  pen.beginPath();
  pen.arc(x, y, Math.max(radius, 0.5), 0, 2 * Math.PI);
  pen.fillStyle = fill;
  pen.fill();
  if (!ring) return;
  pen.strokeStyle = ring;
  pen.lineWidth = 2;
  pen.stroke();
}

export function line(pen, points, colour, width = 2, dash = []) {
  pen.beginPath();
  points.forEach(([x, y], k) => (k ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.lineJoin = "round";
  pen.setLineDash(dash);
  pen.stroke();
  pen.setLineDash([]);
}

export function arrow(pen, [x0, y0], [x1, y1], colour, width = 2) {
  line(pen, [[x0, y0], [x1, y1]], colour, width);
  const angle = Math.atan2(y1 - y0, x1 - x0);
  const size = 5 + 2 * width;
  pen.beginPath();
  pen.moveTo(x1, y1);
  for (const turn of [2.7, -2.7]) pen.lineTo(x1 + size * Math.cos(angle + turn), y1 + size * Math.sin(angle + turn));
  pen.fillStyle = colour;
  pen.fill();
}

/** Words; `align`: left, center, right. */
export function words(pen, text, x, y, { size = 14, colour = palette.soft, align = "left", bold = false } = {}) {
  pen.font = font(size, bold ? "600" : "");
  pen.fillStyle = colour;
  pen.textAlign = align;
  pen.textBaseline = "middle";
  outlined(pen, text, x, y);
}

/** A curve of values in a frame, x from 0 on. */
export function curve(pen, frame, values, colour, width = 2) {
  line(pen, Array.from(values, (v, k) => [frame.px(k), frame.py(Math.min(Math.max(v, frame.bottom), frame.top))]), colour, width);
}

/** The sides of a frame, with a name and the highest number. */
export function sides(pen, frame, name, highest = "") {
  pen.strokeStyle = palette.line;
  pen.lineWidth = 1;
  pen.strokeRect(frame.x, frame.y, frame.width, frame.height);
  words(pen, name, frame.x + 8, frame.y + 14, { size: 13 });
  if (highest) words(pen, highest, frame.x + frame.width - 8, frame.y + 14, { size: 13, align: "right" });
}

/** A round thing with a number in it, shaded by the number: cool for less, warm for more. */
export function bead(pen, x, y, radius, value, { label = "", low = -1, high = 1, ring = palette.line, shown = true } = {}) {
  dot(pen, x, y, radius, shade(palette.luts.diverging, value, low, high), ring);
  if (shown) words(pen, value.toFixed(2), x, y, { size: Math.min(14, radius * 0.7), colour: palette.text, align: "center" });
  if (label) words(pen, label, x, y + radius + 13, { size: 13, align: "center" });
}

/** A connection: as wide as its weight, cool for less, warm for more. */
export function connection(pen, from, to, weight) {
  line(pen, [from, to], shade(palette.luts.diverging, weight / 3, -1, 1), Math.min(1 + 2.2 * Math.abs(weight), 9));
}
