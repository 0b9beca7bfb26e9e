// A sheet to draw on: a 2D canvas, and words on it.

import { palette } from "./colour.js";

// A 2D canvas that fills its element, sharp on every screen; `fit()` returns its context, in CSS pixels.
export class Sheet {
  constructor(parent, name, why) {
    this.canvas = document.createElement("canvas");
    this.canvas.className = name;
    if (why) this.canvas.dataset.why = why;
    parent.append(this.canvas);
  }

  fit() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
    }
    this.width = width;
    this.height = height;
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  }
}

// A text that can be read on whatever lies under it.
export function outlined(pen, text, x, y) {
  pen.strokeStyle = palette.ground;
  pen.lineWidth = 4;
  pen.strokeText(text, x, y);
  pen.fillText(text, x, y);
}

// The size of a text on canvases in CSS pixels: `px` on a desk, as much larger as the page's own text is, and never smaller
// than the page's smallest.
export function textSize(px) {
  const style = getComputedStyle(document.documentElement);
  const root = parseFloat(style.fontSize);
  return Math.max(Math.round((px * root) / 15), Math.ceil(parseFloat(style.getPropertyValue("--least")) * root) || 0);
}

export function font(px, weight = "") {
  return `${weight} ${textSize(px)}px system-ui, sans-serif`;
}
