// What the explorer's pages draw with: places, points, lines, curves, arrows, words.

import { palette, rgb, shade } from "../lib/colour.js";
import { font, textSize } from "../lib/sheet.js";

/** What a colour means on every page: what is wanted or said, and which way numbers travel. */
export const meaning = {
  get yes() { return palette.luts.diverging.css[219]; },
  get no() { return palette.luts.diverging.css[36]; },
  get forward() { return palette.network; },
  get back() { return palette.others[1]; },
  get wrong() { return palette.chosen; },
  get you() { return palette.player; },
};

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

  /** Draw what lies inside alone. */
  within(pen, draw) {
    pen.save();
    pen.beginPath();
    pen.rect(this.x, this.y, this.width, this.height);
    pen.clip();
    draw();
    pen.restore();
  }
}

export function dot(pen, x, y, radius, fill, ring = null, width = 2) {
  pen.beginPath();
  pen.arc(x, y, Math.max(radius, 0.5), 0, 2 * Math.PI);
  pen.fillStyle = fill;
  pen.fill();
  if (!ring) return;
  pen.strokeStyle = ring;
  pen.lineWidth = width;
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

export function box(pen, x, y, width, height, { fill = null, ring = null, radius = 6, thick = 1 } = {}) {
  pen.beginPath();
  pen.roundRect(x, y, Math.max(width, 0), Math.max(height, 0), radius);
  if (fill) {
    pen.fillStyle = fill;
    pen.fill();
  }
  if (!ring) return;
  pen.strokeStyle = ring;
  pen.lineWidth = thick;
  pen.stroke();
}

export function arrow(pen, [x0, y0], [x1, y1], colour, width = 2) {
  const angle = Math.atan2(y1 - y0, x1 - x0);
  const size = 5 + 2 * width;
  line(pen, [[x0, y0], [x1 - 0.6 * size * Math.cos(angle), y1 - 0.6 * size * Math.sin(angle)]], colour, width);
  pen.beginPath();
  pen.moveTo(x1, y1);
  for (const turn of [2.7, -2.7]) pen.lineTo(x1 + size * Math.cos(angle + turn), y1 + size * Math.sin(angle + turn));
  pen.fillStyle = colour;
  pen.fill();
}

const fonts = new Map(); // by size and weight: asking the page for its text size at every word is slow

/** The page's text has another size now. */
export const resized = () => fonts.clear();

/** How much larger than on a desk all is drawn: on a stand, seen from afar. */
export function scale() {
  if (!fonts.has("scale")) fonts.set("scale", textSize(15) / 15);
  return fonts.get("scale");
}

function fontOf(size, bold) {
  const key = bold ? -size : size;
  if (!fonts.has(key)) fonts.set(key, font(size, bold ? "600" : ""));
  return fonts.get(key);
}

/** How wide words are. */
export function wide(pen, text, size = 14, bold = false) {
  pen.font = fontOf(size, bold);
  return pen.measureText(text).width;
}

/**
 * Words; `align`: left, center, right; `halo`: a colour round them, where they lie on a picture; `most`: no wider than that;
 * `between`: what is centred is moved until all of it lies between these two.
 */
export function words(pen, text, x, y, { size = 14, colour = palette.soft, align = "left", bold = false, halo = null, most = undefined, between = null } = {}) {
  pen.font = fontOf(size, bold);
  if (between) {
    const half = Math.min(pen.measureText(text).width, most ?? Infinity) / 2;
    x = Math.max(Math.min(x, between[1] - half), between[0] + half);
  }
  pen.textAlign = align;
  pen.textBaseline = "middle";
  if (halo) {
    pen.strokeStyle = halo;
    pen.lineWidth = 4;
    pen.lineJoin = "round";
    pen.strokeText(text, x, y, most);
  }
  pen.fillStyle = colour;
  pen.fillText(text, x, y, most);
}

/** Words that run upwards from a place; what is right-aligned ends there. */
export function upright(pen, text, x, y, more = {}) {
  pen.save();
  pen.translate(x, y);
  pen.rotate(-Math.PI / 2);
  words(pen, text, 0, 0, more);
  pen.restore();
}

/** A curve of values in a frame, x from 0 on; of more values than can be told apart, some. */
export function curve(pen, frame, values, colour, width = 2) {
  const each = Math.max(Math.floor((2 * (frame.right - frame.left)) / Math.max(frame.width, 1)), 1);
  const points = [];
  for (let k = 0; k < values.length; k = k + each < values.length || k === values.length - 1 ? k + each : values.length - 1) {
    points.push([frame.px(k), frame.py(Math.min(Math.max(values[k], frame.bottom), frame.top))]);
  }
  line(pen, points, colour, width);
}

/** A chart with its title above, its highest and lowest number beside, and the name of what goes to the right below it. */
export function chart(pen, x, y, width, height, { title = "", across = "", most = 1, low = 0, count = 1, digits = 1 } = {}) {
  const left = 34 * scale();
  const frame = new Frame(x + left, y + (title ? 26 : 8), width - left - 8, height - (title ? 26 : 8) - (across ? 26 * scale() : 10), [0, count], [low, most]);
  if (title) words(pen, title, x + 2, y + 10, { size: 14, colour: palette.text, most: width });
  for (const v of [low, (low + most) / 2, most]) {
    line(pen, [[frame.x, frame.py(v)], [frame.x + frame.width, frame.py(v)]], palette.line, 1);
    words(pen, number(v, digits), frame.x - 6, frame.py(v), { size: 12, align: "right" });
  }
  if (across) words(pen, across, frame.x + frame.width, y + height - 10, { size: 12, align: "right", most: frame.width - 20 });
  if (across) words(pen, "0", frame.x, y + height - 10, { size: 12 });
  return frame;
}

/** Black or white, whichever is read better on a colour of the diverging map. */
const onShade = (value, low, high) => (Math.abs((2 * (value - low)) / (high - low) - 1) > 0.55 ? "#04060a" : palette.text);

/** A round thing with a number in it, shaded by the number: cool for less, warm for more. */
export function bead(pen, x, y, radius, value, { label = "", low = -1, high = 1, ring = palette.line, shown = true, text = number(value) } = {}) {
  dot(pen, x, y, radius, shade(palette.luts.diverging, value, low, high), ring);
  if (shown) words(pen, text, x, y + 0.5, { size: Math.max(Math.min(15, radius * 0.68), 9), colour: onShade(value, low, high), align: "center", most: 2 * radius - 3 });
  if (label) words(pen, label, x, y + radius + 14 * scale(), { size: 13, align: "center", most: 3.6 * radius, between: [4, pen.canvas.clientWidth - 4] });
}

/** A number as it is written: with a minus, not a hyphen. */
export const number = (value, digits = 2) => value.toFixed(digits).replace(/^-(?=[0.]*$)/, "").replace("-", "−");

/** A connection: as wide as its weight, cool for less, warm for more. */
export function connection(pen, from, to, weight) {
  line(pen, [from, to], shade(palette.luts.diverging, weight / 3, -1, 1), Math.min(1 + 2.2 * Math.abs(weight), 9));
}

/** A number on a connection, so far along it. */
export function onConnection(pen, from, to, text, share, colour = palette.text) {
  const [x, y] = [0, 1].map((axis) => from[axis] + share * (to[axis] - from[axis]));
  const half = wide(pen, text, 12) / 2 + 4;
  box(pen, x - half, y - 9, 2 * half, 18, { fill: palette.panel, radius: 4 });
  words(pen, text, x, y, { size: 12, colour, align: "center" });
}

const grounds = new Map(); // by their cells on each side: small pictures, drawn larger

/** Shade a frame by what `value(x, y)`, -1 to 1, says of each of its places; `strength` 0..1. */
export function shaded(pen, frame, value, strength = 0.55, cells = 40) {
  if (!grounds.has(cells)) grounds.set(cells, Object.assign(document.createElement("canvas"), { width: cells, height: cells }));
  const ground = grounds.get(cells);
  const small = ground.getContext("2d", { willReadFrequently: true });
  const picture = small.createImageData(cells, cells);
  const lut = palette.luts.diverging;
  const [r0, g0, b0] = rgb(palette.panel);
  for (let r = 0, at = 0; r < cells; r++)
    for (let c = 0; c < cells; c++, at += 4) {
      const v = value(frame.left + ((c + 0.5) / cells) * (frame.right - frame.left), frame.top - ((r + 0.5) / cells) * (frame.top - frame.bottom));
      const from = 4 * Math.round(127.5 * (1 + Math.min(Math.max(v * strength, -1), 1)));
      const share = Math.min(Math.abs(v) * 2, 1); // near nothing: the panel itself
      picture.data[at] = r0 + share * (lut[from] - r0);
      picture.data[at + 1] = g0 + share * (lut[from + 1] - g0);
      picture.data[at + 2] = b0 + share * (lut[from + 2] - b0);
      picture.data[at + 3] = 255;
    }
  small.putImageData(picture, 0, 0);
  pen.imageSmoothingEnabled = true;
  pen.drawImage(ground, frame.x, frame.y, frame.width, frame.height);
}

/** The line u x + v y + b = 0 across a frame, as two points of it, or null where there is none. */
export function boundary(frame, u, v, b) {
  if (Math.abs(u) < 1e-9 && Math.abs(v) < 1e-9) return null;
  const ends = Math.abs(v) > Math.abs(u)
    ? [frame.left, frame.right].map((x) => [x, -(u * x + b) / v])
    : [frame.bottom, frame.top].map((y) => [-(v * y + b) / u, y]);
  return ends.map(([x, y]) => [frame.px(x), frame.py(y)]);
}
