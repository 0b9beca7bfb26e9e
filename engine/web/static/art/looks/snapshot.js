// The network as it is: a pixel for each neuron. Where neurons stand for notes, the snapshot of Daniel D. Johnson's "Reading an
// Artificial Mind": notes upwards, a layer beside the other, and what it believed and chose on the right. Where they do not,
// the layers flow: a neuron a row, a timestep a column.

import { words } from "../paints.js";
import { PLAY, TOLD } from "../../lib/net.js";
import { trackColour } from "../../lib/colour.js";
import { byPlayer } from "../../lib/notes.js";
import { Waterfall } from "../waterfall.js";

const PAST_BEATS = 8;
const FLOW_STEPS = 128;
const NOTE_SHARE = 0.3; // of the height, of a picture that flows
const BELIEF_SHARE = 0.14; // of the width

export class Look {
  constructor(art) {
    this.art = art;
    this.table = { signed: words(art.colours.luts.diverging), plain: words(art.colours.luts.sequential) };
    this.inner = art.show.net.planes ? new Planes(this) : new Rows(this);
  }

  draw(now) {
    this.art.clear();
    this.art.context.imageSmoothingEnabled = false;
    this.inner.draw(now);
  }

  colours(part) {
    return part.signed ? this.table.signed : this.table.plain;
  }
}

function hex32(hex) {
  const number = parseInt(hex.slice(1), 16);
  return (0xff000000 | ((number & 255) << 16) | (number & 0xff00) | (number >> 16)) >>> 0;
}

class Planes {
  constructor(look) {
    this.look = look;
    this.art = look.art;
    const { net, layers } = look.art.show;
    this.rows = Math.max(...net.stack.map((l) => l.rows));
    this.pictures = layers.flatMap(({ layer, parts }) =>
      parts.map((part) => {
        const canvas = new OffscreenCanvas(layer.units, layer.rows);
        const context = canvas.getContext("2d", { willReadFrequently: true });
        const image = context.createImageData(layer.units, layer.rows);
        return { layer, part, canvas, context, image, pixels: new Uint32Array(image.data.buffer) };
      }),
    );
    this.steps = PAST_BEATS * net.stepsPerBeat;
    this.past = new Waterfall(this.steps, net.slots);
    this.taken = -1;
    this.hues = net.slotTrack.map((track) => hex32(trackColour(net.tracks[track])));
  }

  draw() {
    const { art } = this;
    const { context: g, width, height, show, colours } = art;
    const { net, frame } = show;
    const edge = Math.round(height * 0.03);
    const tall = height - 2 * edge;
    const roll = Math.round(width * 0.16);
    this.take(frame);
    this.past.draw(g, show.beat * net.stepsPerBeat - (frame.beat * net.stepsPerBeat - frame.step) + 1, edge + roll, roll / this.steps, edge, tall);
    const belief = Math.round(width * 0.05);
    const gap = Math.round(width * 0.006);
    const room = width - 2 * edge - roll - belief - gap * (this.pictures.length + 2);
    const units = this.pictures.reduce((n, p) => n + Math.sqrt(p.layer.units), 0);
    let x = edge + roll + 2 * gap;
    for (const { layer, part, canvas, context, image, pixels } of this.pictures) {
      const table = this.look.colours(part);
      const at = part.places();
      const order = show.order(show.layers.find((one) => one.layer === layer));
      // The highest note on top.
      for (let row = 0, to = 0; row < layer.rows; row++) {
        const from = (layer.rows - 1 - row) * layer.units;
        for (let u = 0; u < layer.units; u++) pixels[to++] = table[at[from + order[u]]];
      }
      context.putImageData(image, 0, 0);
      const wide = (room * Math.sqrt(layer.units)) / units;
      g.drawImage(canvas, x, edge, wide, tall);
      x += wide + gap;
    }
    const each = tall / net.slots;
    for (let slot = 0; slot < net.slots; slot++) {
      const y = edge + (net.slots - 1 - slot) * each;
      g.fillStyle = colours.luts.grey.css[Math.round(255 * Math.min(Math.max(show.chance[slot], 0), 1))];
      g.fillRect(x, y, belief * 0.55, Math.max(each - 1, 1));
      if (!(frame.cells[slot] & PLAY)) continue;
      g.fillStyle = byPlayer(frame, slot) ? colours.player : colours.chosen;
      g.fillRect(x + belief * 0.62, y, belief * 0.38, Math.max(each - 1, 1));
    }
  }

  take(frame) {
    if (frame.step === this.taken) return;
    this.taken = frame.step;
    const { net } = this.art.show;
    const { pixels } = this.past;
    for (let slot = 0; slot < net.slots; slot++) {
      const sounds = frame.cells[slot] & (PLAY | TOLD);
      pixels[net.slots - 1 - slot] = sounds ? (byPlayer(frame, slot) ? hex32(this.art.colours.player) : this.hues[slot]) : 0;
    }
    this.past.push(frame.step);
  }
}

class Rows {
  constructor(look) {
    this.look = look;
    this.art = look.art;
    const { net, layers } = this.art.show;
    this.units = layers.reduce((n, one) => n + one.layer.units, 0);
    this.flows = layers.map(({ layer }) => new Waterfall(FLOW_STEPS, layer.units));
    this.notes = new Waterfall(FLOW_STEPS, net.slots);
    this.hues = net.slotTrack.map((track) => hex32(trackColour(net.tracks[track])));
    this.css = net.slotTrack.map((track) => trackColour(net.tracks[track]));
    this.taken = null;
    // What came before this look was begun flows already.
    const { history } = this.art.show;
    for (let n = Math.max(history.first, history.count - FLOW_STEPS); n < history.count - 1; n++) this.keep(history.at(n), true);
  }

  keep(frame, past) {
    const { show, colours } = this.art;
    const { net } = show;
    show.layers.forEach((one, k) => {
      const { layer, main } = one;
      const { pixels } = this.flows[k];
      const table = this.look.colours(main);
      const order = show.order(one);
      const at = past ? null : main.places();
      for (let u = 0; u < layer.units; u++) {
        const place = at ? at[order[u]] : this.place(frame, main, order[u]);
        pixels[u] = table[place];
      }
      this.flows[k].push(frame.step);
    });
    const { pixels } = this.notes;
    for (let slot = 0; slot < net.slots; slot++) {
      const sounds = frame.cells[slot] & PLAY;
      pixels[net.slots - 1 - slot] = sounds ? (byPlayer(frame, slot) ? hex32(colours.player) : this.hues[slot]) : 0;
    }
    this.notes.push(frame.step);
  }

  place(frame, main, unit) {
    const value = main.base + main.scale * frame.values[main.block.at + unit];
    const at = main.signed ? 127.5 + 127.5 * value : 255 * value;
    return at < 0 ? 0 : at > 255 ? 255 : Math.floor(at);
  }

  draw() {
    const { context: g, width, height, show, colours } = this.art;
    const { net, frame } = show;
    this.keep(frame, false); // the newest column settles while it is drawn
    const at = show.beat * net.stepsPerBeat - this.drift(frame);
    const x = width * (1 - BELIEF_SHARE);
    const wide = x / (FLOW_STEPS - 1);
    const gap = Math.round(height * 0.012);
    const tall = height * NOTE_SHARE;
    g.save();
    g.beginPath();
    g.rect(0, 0, x, height);
    g.clip();
    this.notes.draw(g, at, x, wide, 0, tall);
    let y = tall + gap;
    const room = height - tall - gap * show.layers.length;
    show.layers.forEach(({ layer }, k) => {
      const part = (room * layer.units) / this.units;
      this.flows[k].draw(g, at, x, wide, y, part);
      y += part + gap;
    });
    g.restore();
    const each = tall / net.slots;
    for (let slot = 0; slot < net.slots; slot++) {
      const chance = show.chance[slot];
      if (chance < 0.01) continue;
      g.fillStyle = this.css[slot];
      g.globalAlpha = 0.25 + 0.75 * chance;
      g.fillRect(x + gap, (net.slots - 1 - slot) * each, chance * (width - x - 2 * gap), Math.max(each - 0.5, 1));
    }
    g.globalAlpha = 1;
    this.now(g, x, y, tall + gap, wide, colours);
  }

  // The neurons now, beside their past: a bar for each, from the middle.
  now(g, x, _bottom, top, _wide, colours) {
    const { width, height, show } = this.art;
    const gap = Math.round(height * 0.012);
    const room = height - top - gap * (show.layers.length - 1);
    const half = (width - x - 2 * gap) / 2;
    let y = top;
    for (const one of show.layers) {
      const { layer, main } = one;
      const tall = (room * layer.units) / this.units;
      const each = tall / layer.units;
      const order = show.order(one);
      const lut = main.signed ? colours.luts.diverging.css : colours.luts.sequential.css;
      const at = main.places();
      for (let u = 0; u < layer.units; u++) {
        const value = main.level[order[u]];
        const long = Math.abs(value) * half;
        if (long < 1) continue;
        g.fillStyle = lut[at[order[u]]];
        g.fillRect(value < 0 ? x + gap + half - long : x + gap + half, y + u * each, long, Math.max(each, 1));
      }
      y += tall + gap;
    }
  }

  // Steps are counted from where the network began, beats from the transport: the columns go by steps.
  drift(frame) {
    return frame.beat * this.art.show.net.stepsPerBeat - frame.step;
  }
}
