// A sheet to draw on: a 2D canvas, and words on it.

import { palette } from "./colour.js";

// A 2D canvas that fills its element, sharp on every screen; `fit()` returns its context, in CSS pixels.
export class Sheet {
  // `why` explains it; `shows` is what it is called for who does not see it, where that is something else.
  constructor(parent, name, why, shows = why) {
    this.canvas = document.createElement("canvas");
    this.canvas.className = name;
    if (why) this.canvas.dataset.why = why;
    if (shows) {
      this.canvas.setAttribute("role", "img");
      this.canvas.setAttribute("aria-label", shows);
    }
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

// As much of a text as there is room for.
export function fitted(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let short = text;
  while (short.length > 1 && pen.measureText(short).width > width) short = short.slice(0, -1);
  return short;
}
