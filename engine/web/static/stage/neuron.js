// One neuron: what it did over the last bars, where in the bar it fires, which notes it goes with, and its gates.

import { palette, shade, trackColour } from "../lib/colour.js";
import { chip, el, tools } from "../lib/dom.js";
import { legend } from "../lib/legend.js";
import { isSigned, pitchName, signalOf } from "../lib/net.js";
import { Rows } from "../lib/notes.js";
import { mod, signed } from "../lib/number.js";
import { Sheet, font, outlined, textSize } from "../lib/sheet.js";
import { drawBars, drawNotes } from "./rollstrip.js";

const LOOK = 256; // steps over which likings are reckoned
const REACH = 24; // notes on either side of one that sounds
const PICKS = [
  ["beat", "most tied to the beat", "The neuron whose doing the position in the bar explains best."],
  ["note", "most tied to a note", "The neuron that goes most closely with one note."],
  ["loud", "speaks up most", "The neuron farthest from nothing at this moment."],
  ["any", "any", "A neuron by chance."],
];

export class NeuronView {
  constructor(app) {
    this.app = app;
  }

  sentence() {
    return "One neuron of the network. Its line goes up when it says yes and down when it says no; below it, the notes of the same moments.";
  }

  mount(root) {
    const { app } = this;
    const { net } = app;
    this.rows = new Rows(net);
    root.append(tools(this.sentence()));
    const page = el("div", "neuron");
    const bar = el("div", "neuron-bar");
    this.buildBar(bar);
    const main = el("div", "neuron-main");
    const side = el("div", "neuron-side");
    page.append(bar, main, side);
    root.append(page);

    this.gates = [];
    this.lineTitle = el("h3", "");
    main.append(this.lineTitle);
    const lineBox = el("div", "with-scale tall");
    this.scale = el("div", "scale");
    lineBox.append(this.scale);
    main.append(lineBox);
    this.line = new Sheet(lineBox, "line", net.planes
      ? "The neuron over time (across) and notes (up): each dot is what it says while listening to one note. Click a note to follow it."
      : "What the neuron says, step by step; the newest at the right.");
    this.line.canvas.addEventListener("click", (event) => this.pickRow(event));
    this.gateBox = el("div", "gates");
    main.append(this.gateBox);
    const notes = el("h3", "", "The notes of these moments");
    notes.dataset.why = "What sounded at each step, in the same columns as above: yours amber, the network's in the colour of its instrument.";
    main.append(notes);
    const notesBox = el("div", "with-scale");
    const names = el("div", "scale");
    notesBox.append(names);
    main.append(notesBox);
    const { low, high } = this.rows;
    const top = (pitch) => `${(100 * (high - pitch + 0.5)) / this.rows.count}%`;
    for (let pitch = Math.ceil(low / 12) * 12; pitch <= high; pitch += 12) {
      const name = el("span", "", pitchName(pitch));
      name.style.top = `calc((100% - var(--least) - 4px) * ${parseFloat(top(pitch)) / 100})`;
      names.append(name);
    }
    this.notes = new Sheet(notesBox, "neuron-notes", "What sounded at each step, in the same columns as above.");

    this.value = el("p", "value");
    this.value.dataset.why = "What the neuron says at this moment.";
    const where = el("h3", "", "Where in the bar it fires");
    where.dataset.why = "Its average at each place in the bar, over the last bars: a neuron that follows the beat shows a shape here.";
    this.where = new Sheet(side, "where", "Its average at each sixteenth of the bar; the whisker is how much it varies.");
    const goes = el("h3", "", "Notes it goes with");
    goes.dataset.why = "Orange: it says yes when this note sounds. Blue: it says no. Reckoned over the last bars.";
    this.around = null;
    if (net.planes) {
      goes.textContent = "Around a note that sounds";
      goes.dataset.why = "What it says on average so many notes below or above one that sounds: above when that note begins, below while it goes on.";
      this.around = new Sheet(side, "around", "What it says on average so many notes below (left) or above (right) one that sounds.");
    }
    this.goes = new Sheet(side, "goes", "");
    this.goes.canvas.addEventListener("pointermove", (event) => this.explainNote(event));
    this.goes.canvas.addEventListener("pointerleave", () => app.why.hide());
    this.most = el("p", "most");
    this.goes.canvas.hidden = net.planes;
    side.replaceChildren(this.value, where, this.where.canvas, goes, (this.around ?? this.goes).canvas, this.most);
    this.watch = new ResizeObserver(() => this.change());
    this.watch.observe(page);
    this.change();
  }

  unmount() {
    this.watch.disconnect();
    this.app.why.hide();
  }

  buildBar(bar) {
    const { app } = this;
    const { net } = app;
    const layers = el("div", "chips");
    layers.setAttribute("role", "group");
    layers.setAttribute("aria-label", "Layer");
    for (const layer of net.stack) {
      const why = `A neuron of ${net.layerName(layer).toLowerCase()}, of ${layer.units}.`;
      const unit = () => Math.min(app.selected.unit, layer.units - 1);
      const button = chip(net.layerName(layer), why, () => app.select({ ...app.selected, layer: layer.index, unit: unit() }));
      button.dataset.layer = layer.index;
      layers.append(button);
    }
    const walk = el("div", "chips");
    const before = chip("‹", "The neuron before.", () => this.move(-1));
    before.setAttribute("aria-label", "The neuron before");
    const next = chip("›", "The neuron after.", () => this.move(1));
    next.setAttribute("aria-label", "The neuron after");
    this.title = el("b", "neuron-title");
    walk.append(before, this.title, next);
    const picks = el("div", "chips");
    picks.append(el("span", "soft", "Find one:"));
    for (const [id, text, why] of PICKS) {
      const button = chip(text, why, () => this.find(id));
      button.dataset.pick = id;
      picks.append(button);
    }
    bar.append(layers, walk, picks);
    this.bar = bar;
  }

  get layer() {
    const { net, selected } = this.app;
    return net.stack.find((l) => l.index === selected.layer) ?? net.stack[0];
  }

  move(by) {
    const { app, layer } = this;
    app.select({ ...app.selected, unit: mod(app.selected.unit + by, layer.units) });
  }

  find(how) {
    const { app, layer } = this;
    const { net, history } = app;
    const from = Math.max(history.first, history.count - LOOK);
    let best = 0;
    let most = -1;
    for (let unit = 0; unit < layer.units; unit++) {
      const trace = how === "any" ? null : history.trace(layer.main, unit, from);
      const score = how === "any" ? Math.random()
        : how === "loud" ? Math.abs(trace.at(-1) ?? 0)
        : how === "beat" ? history.tiedToBeat(trace, from)
        : Math.max(...history.withNotes(trace, from).map(Math.abs));
      if (score > most) [most, best] = [score, unit];
    }
    // What it listens to is kept where it was, or set to the note it says most about.
    app.select({ layer: layer.index, unit: best, row: net.planes ? app.selected.row : null });
  }

  pickRow(event) {
    const { net, selected } = this.app;
    if (!net.planes) return;
    const box = this.line.canvas.getBoundingClientRect();
    const row = this.layer.rows - 1 - Math.floor(((event.clientY - box.top) / box.height) * this.layer.rows);
    if (row >= 0 && row < this.layer.rows) this.app.select({ ...selected, row });
  }

  change() {
    const { net, selected } = this.app;
    const { layer } = this;
    for (const chip of this.bar.querySelectorAll("[data-layer]")) {
      chip.setAttribute("aria-pressed", String(Number(chip.dataset.layer) === layer.index));
    }
    const row = net.planes && selected.row !== null ? ` at ${net.slotName(selected.row)}` : "";
    this.title.textContent = `Neuron ${selected.unit + 1}${row}`;
    const { verb, name } = signalOf(layer.main);
    this.lineTitle.replaceChildren(`What it ${verb}`, el("span", "soft", ` ${name}`), legend(layer.main));
    this.buildScale();
    this.buildGates();
    this.dirty = true;
    this.reckon = 0;
  }

  // Numbers beside the line; notes beside the table.
  buildScale() {
    const { net } = this.app;
    const { main, rows } = this.layer;
    const marks = [];
    if (net.planes) {
      for (let slot = 0; slot < rows; slot++) {
        if (net.slotPitch[slot] % 12 === 0) marks.push([net.slotName(slot), 1 - (slot + 0.5) / rows]);
      }
    } else {
      const middle = main.min < 0 ? 0 : (main.min + main.max) / 2;
      for (const v of [main.max, middle, main.min]) marks.push([v > 0 ? `+${v}` : String(v).replace("-", "−"), (main.max - v) / (main.max - main.min)]);
    }
    this.scale.replaceChildren(...marks.map(([text, part]) => {
      const mark = el("span", "", text);
      mark.style.top = `calc(8px + (100% - 16px) * ${part})`;
      return mark;
    }));
  }

  buildGates() {
    const { layer } = this;
    this.gateBox.replaceChildren();
    this.gates = layer.blocks.filter((b) => b !== layer.main).map((block) => {
      const row = el("div", "gate");
      const { verb, plain, name } = signalOf(block);
      const text = el("span", "name", verb);
      text.dataset.why = `${name[0].toUpperCase()}${name.slice(1)}: ${plain}.`;
      row.append(text);
      const sheet = new Sheet(row, "gate-strip", `${name[0].toUpperCase()}${name.slice(1)}: ${plain}.`);
      this.gateBox.append(row);
      return { block, sheet };
    });
  }

  step() {
    this.dirty = true;
  }

  restart() {
    this.dirty = true;
  }

  draw() {
    if (!this.dirty) return false;
    this.dirty = false;
    const { net, history, selected } = this.app;
    const { layer } = this;
    const unit = Math.min(selected.unit, layer.units - 1);
    const row = net.planes ? selected.row : null;
    const width = this.line.canvas.clientWidth;
    const cell = width < 500 ? 4 : 6;
    const steps = Math.max(Math.floor(width / cell), 16);
    const to = history.count;
    const from = to - steps;
    this.place = { from, to, cell: width / steps };
    const begin = Math.max(from, history.first);
    const trace = history.trace(layer.main, unit, begin, row);
    if (net.planes) this.drawPlane(layer, unit, row, from, to);
    else this.drawLine(layer.main, trace, from, begin, to);
    for (const gate of this.gates) this.drawGate(gate, unit, row, from, begin, to);
    const pen = this.notes.fit();
    drawBars(pen, net, history, from, to, 0, 0, this.notes.width, this.notes.height, true);
    drawNotes(pen, net, history, this.rows, from, to, 0, 0, this.notes.width, this.notes.height - textSize(12) - 4);
    const now = trace.at(-1);
    const lut = palette.luts[isSigned(layer.main) ? "diverging" : "sequential"];
    this.value.textContent = now === undefined ? "–" : signed(now);
    this.value.style.color = now === undefined || Math.abs(now) < 0.2 ? palette.text : shade(lut, Math.sign(now) * Math.max(Math.abs(now), 0.72), layer.main.min, layer.main.max);
    const long = Math.max(history.first, history.count - LOOK);
    const look = history.trace(layer.main, unit, long, row);
    this.drawWhere(layer.main, history.byPosition(look, long));
    // Likings change slowly: once a beat is enough.
    if (this.reckon-- <= 0) {
      this.reckon = net.stepsPerBeat - 1;
      this.likings = history.withNotes(look, long);
      this.tied = history.tiedToBeat(look, long);
      if (this.around) this.drawAround(layer.main, history.aroundNotes(layer.main, unit, REACH, long));
      else this.drawGoes();
      this.sayMost();
    }
    return history.last !== null;
  }

  drawLine(block, trace, from, begin, to) {
    const { net, history } = this.app;
    const pen = this.line.fit();
    const { width, height } = this.line;
    drawBars(pen, net, history, from, to, 0, 0, width, height);
    const { min, max } = block;
    const y = (v) => 6 + (1 - (v - min) / (max - min)) * (height - 12);
    const zero = y(Math.max(min, 0));
    const one = width / (to - from);
    const lut = palette.luts[isSigned(block) ? "diverging" : "sequential"];
    pen.fillStyle = "#2c3846";
    pen.fillRect(0, zero, width, 1);
    trace.forEach((v, k) => {
      const x = (begin - from + k) * one;
      pen.fillStyle = shade(lut, v, min, max);
      pen.fillRect(x, Math.min(y(v), zero), one - 0.5, Math.max(Math.abs(y(v) - zero), 1));
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

  // Time across, notes up, as the article shows single neurons.
  drawPlane(layer, unit, row, from, to) {
    const { net, history } = this.app;
    const pen = this.line.fit();
    const { width, height } = this.line;
    const block = layer.main;
    const steps = to - from;
    if (!this.image || this.image.width !== steps || this.image.height !== layer.rows) {
      this.image = new ImageData(steps, layer.rows);
      this.scratch = document.createElement("canvas");
      this.scratch.width = steps;
      this.scratch.height = layer.rows;
    }
    const out = new Uint32Array(this.image.data.buffer);
    out.fill(0);
    const lut = new Uint32Array(palette.luts[isSigned(block) ? "diverging" : "sequential"].buffer);
    const factor = net.u8 ? 1 : 255 / (block.max - block.min);
    const shift = net.u8 ? 0 : -block.min * factor;
    for (let n = Math.max(from, history.first); n < to; n++) {
      const { values } = history.at(n);
      for (let r = 0; r < layer.rows; r++) {
        const v = values[block.at + r * layer.units + unit] * factor + shift;
        out[(layer.rows - 1 - r) * steps + n - from] = lut[v < 0 ? 0 : v > 255 ? 255 : v | 0];
      }
    }
    this.scratch.getContext("2d").putImageData(this.image, 0, 0);
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

  drawGate({ block, sheet }, unit, row, from, begin, to) {
    const pen = sheet.fit();
    const { width, height } = sheet;
    const trace = this.app.history.trace(block, unit, begin, row);
    const lut = palette.luts[isSigned(block) ? "diverging" : "sequential"];
    const one = width / (to - from);
    trace.forEach((v, k) => {
      pen.fillStyle = shade(lut, v, block.min, block.max);
      pen.fillRect((begin - from + k) * one, 0, one + 0.5, height);
    });
  }

  drawWhere(block, places) {
    const { net } = this.app;
    const pen = this.where.fit();
    const { width, height } = this.where;
    const { min, max } = block;
    const size = textSize(12);
    const ruler = size + 5;
    // The scale is that of the averages, so that a faint habit is seen too; its ends are written beside it.
    const far = Math.min(Math.max(...places.map((p) => (p.n ? Math.abs(p.mean) + p.spread : 0)), 0.05), Math.max(max, -min));
    const [low, high] = isSigned(block) ? [-far, far] : [0, far];
    const y = (v) => 4 + (1 - (v - low) / (high - low)) * (height - ruler - 8);
    const one = width / places.length;
    const lut = palette.luts[isSigned(block) ? "diverging" : "sequential"];
    const zero = y(0);
    pen.font = font(12);
    places.forEach((place, k) => {
      const x = k * one;
      if (k % net.stepsPerBeat === 0) {
        pen.fillStyle = palette.soft;
        pen.fillText(one * net.stepsPerBeat > 3.6 * size ? `beat ${k / net.stepsPerBeat + 1}` : k / net.stepsPerBeat + 1, x + 1, height - 3);
        pen.fillStyle = "#1a222d";
        pen.fillRect(x, 0, 1, height - ruler);
      }
      if (!place.n) return;
      pen.fillStyle = shade(lut, place.mean * (isSigned(block) ? Math.max(1, 0.9 / far) : 1 / far), isSigned(block) ? -1 : 0, 1);
      pen.fillRect(x + 2, Math.min(y(place.mean), zero), one - 4, Math.max(Math.abs(y(place.mean) - zero), 1.5));
      pen.fillStyle = palette.soft;
      pen.fillRect(x + one / 2 - 0.5, y(place.mean + place.spread), 1, y(place.mean - place.spread) - y(place.mean + place.spread));
    });
    pen.fillStyle = "#3a4656";
    pen.fillRect(0, zero, width, 1);
    pen.fillStyle = palette.soft;
    pen.textAlign = "right";
    outlined(pen, signed(high), width - 1, size);
    pen.textAlign = "left";
  }

  // A strip of pitches for each track: orange goes with the neuron, blue against it.
  drawGoes() {
    const { net } = this.app;
    const pen = this.goes.fit();
    const { width, height } = this.goes;
    const size = textSize(12);
    const tall = Math.min(height / net.tracks.length, size + 32);
    const lut = palette.luts.diverging;
    this.goesTall = tall;
    pen.font = font(12);
    net.tracks.forEach((track, k) => {
      const y = k * tall;
      pen.fillStyle = trackColour(track);
      pen.fillText(track.name, 0, y + size);
      const one = width / track.pitches.length;
      track.pitches.forEach((_, i) => {
        const r = this.likings[track.start + i];
        pen.fillStyle = r ? shade(lut, r * 1.6, -1, 1) : "#0c1117";
        pen.fillRect(i * one, y + size + 4, Math.max(one - 0.7, 1), Math.max(tall - size - 9, 3));
      });
    });
  }

  drawAround(block, { begins, holds }) {
    const pen = this.around.fit();
    const { width, height } = this.around;
    const far = Math.max(...begins.map(Math.abs), ...holds.map(Math.abs), 0.05);
    const one = width / begins.length;
    const size = textSize(12);
    const half = (height - size - 5) / 2;
    const lut = palette.luts[isSigned(block) ? "diverging" : "sequential"];
    pen.font = font(12);
    for (const [k, [title, values]] of [["when it begins", begins], ["while it goes on", holds]].entries()) {
      const zero = k * half + half / 2 + 6;
      pen.fillStyle = "#3a4656";
      pen.fillRect(0, zero, width, 1);
      values.forEach((v, d) => {
        const tall = (Math.abs(v) / far) * (half / 2 - 8);
        pen.fillStyle = shade(lut, (v / far) * 0.85, -1, 1);
        pen.fillRect(d * one, v > 0 ? zero - tall : zero, one - 0.8, Math.max(tall, 1));
      });
      pen.fillStyle = palette.soft;
      pen.fillText(title, 0, k * half + size);
    }
    for (let d = -REACH; d <= REACH; d += 12) {
      const x = (d + REACH + 0.5) * one;
      pen.fillStyle = "#1a222d";
      pen.fillRect(x, 0, 1, height - size - 3);
      pen.fillStyle = palette.soft;
      pen.textAlign = d === -REACH ? "left" : d === REACH ? "right" : "center";
      pen.fillText(d === 0 ? "the note" : `${d < 0 ? "−" : "+"}${Math.abs(d) / 12} oct`, x, height - 2);
    }
    pen.textAlign = "right";
    outlined(pen, signed(far), width, size);
    pen.textAlign = "left";
  }

  sayMost() {
    const { net } = this.app;
    const order = [...this.likings.keys()].filter((s) => Math.abs(this.likings[s]) > 0.08);
    order.sort((a, b) => this.likings[b] - this.likings[a]);
    const say = (s) => `${net.tracks.length > 1 ? `${net.tracks[net.slotTrack[s]].name} ` : ""}${net.slotName(s)} ${signed(this.likings[s])}`;
    const yes = order.filter((s) => this.likings[s] > 0).slice(0, 3).map(say);
    const no = order.filter((s) => this.likings[s] < 0).slice(-3).reverse().map(say);
    const parts = [];
    if (yes.length) parts.push(`Says yes with ${yes.join(", ")}.`);
    if (no.length) parts.push(`Says no with ${no.join(", ")}.`);
    if (!parts.length) parts.push("It goes with no note in particular.");
    parts.push(`The place in the bar explains ${(100 * this.tied).toFixed(0)} % of what it does.`);
    this.most.textContent = parts.join(" ");
  }

  explainNote(event) {
    const { app } = this;
    const { net } = app;
    const box = this.goes.canvas.getBoundingClientRect();
    const track = net.tracks[Math.floor((event.clientY - box.top) / this.goesTall)];
    if (!track || !this.likings) return;
    const i = Math.floor(((event.clientX - box.left) / box.width) * track.pitches.length);
    const slot = track.start + Math.min(Math.max(i, 0), track.pitches.length - 1);
    const r = this.likings[slot];
    const how = Math.abs(r) < 0.08 ? "goes its own way from" : r > 0 ? "goes with" : "goes against";
    app.why.say(`The neuron ${how} ${track.name}, ${net.slotName(slot)} (correlation ${signed(r)} over the last bars).`, event.clientX, event.clientY);
  }
}
