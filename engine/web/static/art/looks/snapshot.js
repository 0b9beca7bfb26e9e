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
const ROW_PX = 2.2; // least height of a row; where neurons are more than that allows, those alike share one

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
    this.gap = Math.round(this.art.height * 0.012);
    this.room = this.art.height * (1 - NOTE_SHARE) - this.gap * layers.length;
    this.each = Math.max(Math.ceil((ROW_PX * this.units) / this.room), 1); // neurons of a row
    this.rows = layers.map(({ layer }) => new Float32Array(Math.ceil(layer.units / this.each)));
    this.flows = this.rows.map((rows) => new Waterfall(FLOW_STEPS, rows.length));
    // Every track on one scale, the drums below it.
    const slots = Array.from(net.slotPitch, (pitch, slot) => ({ pitch, drum: net.tracks[net.slotTrack[slot]].kind === "drums" }));
    const drums = slots.filter(({ drum }) => drum).length;
    const pitches = slots.filter(({ drum }) => !drum).map(({ pitch }) => pitch);
    const lowest = Math.min(...pitches, 127);
    let below = 0;
    this.rowOf = slots.map(({ pitch, drum }) => (drum ? below++ : drums + pitch - lowest));
    this.scale = Math.max(...this.rowOf) + 1;
    this.notes = new Waterfall(FLOW_STEPS, this.scale);
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
      const { pixels } = this.flows[k];
      const table = this.look.colours(one.main);
      this.strongest(one, k, past && frame).forEach((value, row) => (pixels[row] = table[place(one.main, value)]));
      this.flows[k].push(frame.step);
    });
    const { pixels } = this.notes;
    pixels.fill(0);
    for (let slot = 0; slot < net.slots; slot++) {
      if (!(frame.cells[slot] & PLAY)) continue;
      pixels[this.scale - 1 - this.rowOf[slot]] = byPlayer(frame, slot) ? hex32(colours.player) : this.hues[slot];
    }
    this.notes.push(frame.step);
  }

  // What each row of a layer says: the loudest of its neurons, now or in an earlier frame.
  strongest(one, k, frame) {
    const { rows, each } = this;
    const { main, layer } = one;
    const order = this.art.show.order(one);
    rows[k].fill(0);
    for (let u = 0; u < layer.units; u++) {
      const value = frame ? main.base + main.scale * frame.values[main.block.at + order[u]] : main.level[order[u]];
      const row = Math.floor(u / each);
      if (Math.abs(value) > Math.abs(rows[k][row])) rows[k][row] = value;
    }
    return rows[k];
  }

  draw() {
    const { context: g, width, height, show, colours } = this.art;
    const { net, frame } = show;
    this.keep(frame, false); // the newest column settles while it is drawn
    const at = show.beat * net.stepsPerBeat - this.drift(frame);
    const x = width * (1 - BELIEF_SHARE);
    const wide = x / (FLOW_STEPS - 1);
    const { gap, room } = this;
    const tall = height * NOTE_SHARE;
    g.save();
    g.beginPath();
    g.rect(0, 0, x, height);
    g.clip();
    this.notes.draw(g, at, x, wide, 0, tall);
    let y = tall + gap;
    show.layers.forEach(({ layer }, k) => {
      const part = (room * layer.units) / this.units;
      this.flows[k].draw(g, at, x, wide, y, part);
      y += part + gap;
    });
    g.restore();
    const each = tall / this.scale;
    for (let slot = 0; slot < net.slots; slot++) {
      const chance = show.chance[slot];
      if (chance < 0.01) continue;
      g.fillStyle = this.css[slot];
      g.globalAlpha = 0.25 + 0.75 * chance;
      g.fillRect(x + gap, (this.scale - 1 - this.rowOf[slot]) * each, chance * (width - x - 2 * gap), Math.max(each - 1, 1));
    }
    g.globalAlpha = 1;
    this.now(g, x, tall + gap, colours);
  }

  // The neurons now, beside their past: a bar for each, from the middle.
  now(g, x, top, colours) {
    const { show, width } = this.art;
    const { gap, room } = this;
    const half = (width - x - 2 * gap) / 2;
    let y = top;
    show.layers.forEach((one, k) => {
      const tall = (room * one.layer.units) / this.units;
      const rows = this.strongest(one, k, null);
      const each = tall / rows.length;
      const { css } = one.main.signed ? colours.luts.diverging : colours.luts.sequential;
      rows.forEach((value, row) => {
        const long = Math.abs(value) * half;
        if (long < 1) return;
        g.fillStyle = css[place(one.main, value)];
        g.fillRect(value < 0 ? x + gap + half - long : x + gap + half, y + row * each, long, Math.max(each - 1, 1));
      });
      y += tall + gap;
    });
  }

  // Steps are counted from where the network began, beats from the transport: the columns go by steps.
  drift(frame) {
    return frame.beat * this.art.show.net.stepsPerBeat - frame.step;
  }
}

// Where a value lies in a table of 256 colours.
function place(main, value) {
  const at = main.signed ? 127.5 + 127.5 * value : 255 * value;
  return at < 0 ? 0 : at > 255 ? 255 : Math.floor(at);
}
