// What one neuron did over time: a line of values, or a table of notes by time; its gates as strips.

import { palette, shade } from "../lib/colour.js";
import { isSigned } from "../lib/net.js";
import { drawBars } from "./rollstrip.js";

const lutOf = (block) => palette.luts[isSigned(block) ? "diverging" : "sequential"];

// `trace` are the values from frame number `begin` on, in a picture of the frames `from` to `to`.
export function drawLine(sheet, net, history, block, trace, from, begin, to) {
  const pen = sheet.fit();
  const { width, height } = sheet;
  drawBars(pen, net, history, from, to, 0, 0, width, height);
  const { min, max } = block;
  const y = (v) => 6 + (1 - (v - min) / (max - min)) * (height - 12);
  const zero = y(Math.max(min, 0));
  const one = width / (to - from);
  const lut = lutOf(block);
  pen.fillStyle = "#2c3846";
  pen.fillRect(0, zero, width, 1);
  trace.forEach((v, k) => {
    pen.fillStyle = shade(lut, v, min, max);
    pen.fillRect((begin - from + k) * one, Math.min(y(v), zero), one - 0.5, Math.max(Math.abs(y(v) - zero), 1));
  });
  pen.strokeStyle = palette.text;
  pen.lineWidth = 1.6;
  pen.lineJoin = "round";
  pen.beginPath();
  trace.forEach((v, k) => {
    const x = (begin - from + k) * one;
    if (k === 0) pen.moveTo(x, y(v));
    pen.lineTo(x, y(v));
    pen.lineTo(x + one, y(v));
  });
  pen.stroke();
}

export function drawGate(sheet, block, trace, from, begin, to) {
  const pen = sheet.fit();
  const one = sheet.width / (to - from);
  trace.forEach((v, k) => {
    pen.fillStyle = shade(lutOf(block), v, block.min, block.max);
    pen.fillRect((begin - from + k) * one, 0, one + 0.5, sheet.height);
  });
}

// Time across, notes up, as the article shows single neurons.
export class Table {
  draw(sheet, net, history, layer, unit, row, from, to) {
    const pen = sheet.fit();
    const { width, height } = sheet;
    const steps = to - from;
    this.make(steps, layer.rows);
    this.fill(net, history, layer, unit, from, to);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(this.scratch, 0, 0, width, height);
    const tall = height / layer.rows;
    const one = width / steps;
    // The notes that sounded, as outlines, to see what the neuron answers to.
    pen.strokeStyle = "rgba(255,255,255,.75)";
    pen.lineWidth = 1;
    for (let n = Math.max(from, history.first); n < to; n++) {
      const { cells } = history.at(n);
      for (let slot = 0; slot < net.slots; slot++) {
        if (cells[slot] & 1) pen.strokeRect((n - from) * one + 0.5, (layer.rows - 1 - slot) * tall + 0.5, one - 1, Math.max(tall - 1, 1));
      }
    }
    if (row !== null) {
      pen.fillStyle = palette.network;
      pen.fillRect(0, (layer.rows - 1 - row + 0.5) * tall - 0.5, width, 1);
    }
  }

  make(steps, rows) {
    if (this.image?.width === steps && this.image.height === rows) return;
    this.image = new ImageData(steps, rows);
    this.scratch = document.createElement("canvas");
    this.scratch.width = steps;
    this.scratch.height = rows;
  }

  fill(net, history, { main: block, rows, units }, unit, from, to) {
    const out = new Uint32Array(this.image.data.buffer);
    out.fill(0);
    const lut = new Uint32Array(lutOf(block).buffer);
    const factor = net.u8 ? 1 : 255 / (block.max - block.min);
    const shift = net.u8 ? 0 : -block.min * factor;
    const steps = to - from;
    for (let n = Math.max(from, history.first); n < to; n++) {
      const { values } = history.at(n);
      for (let r = 0; r < rows; r++) {
        const v = values[block.at + r * units + unit] * factor + shift;
        out[(rows - 1 - r) * steps + n - from] = lut[v < 0 ? 0 : v > 255 ? 255 : v | 0];
      }
    }
    this.scratch.getContext("2d").putImageData(this.image, 0, 0);
  }
}
