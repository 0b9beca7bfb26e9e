// One neuron: what it did over the last bars, where in the bar it fires, which notes it goes with, and its gates.

import { palette, shade } from "../lib/colour.js";
import { chip, el, tools } from "../lib/dom.js";
import { t } from "../lib/language.js";
import { legend } from "../lib/legend.js";
import { findUnit, isFaint, strongest } from "../lib/affinity.js";
import { isSigned, pitchName, signalOf, trackName } from "../lib/net.js";
import { Rows } from "../lib/notes.js";
import { mod, signed } from "../lib/number.js";
import { Sheet, textSize } from "../lib/sheet.js";
import { REACH, drawAround, drawGoes, drawWhere } from "./habits.js";
import { drawBars, drawNotes } from "./rollstrip.js";
import { Table, drawGate, drawLine } from "./trace.js";

export const LOOK = 256; // steps over which likings are reckoned
const PICKS = ["beat", "note", "loud", "any"];

export class NeuronView {
  constructor(app) {
    this.app = app;
  }

  sentence() {
    return t("neuron.sentence");
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
    this.line = new Sheet(lineBox, "line", t(net.planes ? "neuron.table" : "neuron.line"));
    this.table = new Table();
    this.line.canvas.addEventListener("click", (event) => this.pickRow(event));
    this.gateBox = el("div", "gates");
    main.append(this.gateBox);
    const notes = el("h3", "", t("neuron.notes"));
    notes.dataset.why = t("neuron.notes.why");
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
    this.notes = new Sheet(notesBox, "neuron-notes", t("neuron.notes.why"));

    this.value = el("p", "value");
    this.value.dataset.why = t("neuron.value.why");
    const where = el("h3", "", t("neuron.where"));
    where.dataset.why = t("neuron.where.why");
    this.where = new Sheet(side, "where", t("neuron.where.shows"));
    const goes = el("h3", "", t("neuron.goes"));
    goes.dataset.why = t("neuron.goes.why");
    this.around = null;
    if (net.planes) {
      goes.textContent = t("neuron.around");
      goes.dataset.why = t("neuron.around.why");
      this.around = new Sheet(side, "around", t("neuron.around.shows"));
    }
    this.goes = new Sheet(side, "goes", "", t("neuron.goes.why"));
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
    layers.setAttribute("aria-label", t("neuron.layer"));
    for (const layer of net.stack) {
      const why = t("neuron.layer.why", { layer: net.layerName(layer), units: layer.units });
      const unit = () => Math.min(app.selected.unit, layer.units - 1);
      const button = chip(net.layerName(layer), why, () => app.select({ ...app.selected, layer: layer.index, unit: unit() }));
      button.dataset.layer = layer.index;
      layers.append(button);
    }
    const walk = el("div", "chips");
    const before = chip("‹", t("neuron.before"), () => this.move(-1));
    before.setAttribute("aria-label", t("neuron.before"));
    const next = chip("›", t("neuron.after"), () => this.move(1));
    next.setAttribute("aria-label", t("neuron.after"));
    this.title = el("b", "neuron-title");
    walk.append(before, this.title, next);
    const picks = el("div", "chips");
    picks.append(el("span", "soft", t("find")));
    for (const id of PICKS) {
      const button = chip(t(`find.${id}`), t(`find.${id}.why`), () => {
        this.find(id);
        app.happened("found");
      });
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
    const unit = how === "any" ? app.chance.below(layer.units) : findUnit(history, layer, how, from);
    app.select({ layer: layer.index, unit, row: net.planes ? app.selected.row : null });
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
    const row = net.planes && selected.row !== null;
    this.title.textContent = t(row ? "neuron.title.note" : "neuron.title", { unit: selected.unit + 1, note: row ? net.slotName(selected.row) : "" });
    const { verb, name } = signalOf(layer.main);
    this.lineTitle.replaceChildren(t("neuron.does", { verb }), el("span", "soft", ` ${name}`), legend(layer.main));
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
      const { verb, why } = signalOf(block);
      const text = el("span", "name", verb);
      text.dataset.why = why;
      row.append(text);
      const sheet = new Sheet(row, "gate-strip", why);
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
    const begin = Math.max(from, history.first);
    const trace = history.trace(layer.main, unit, begin, row);
    if (net.planes) this.table.draw(this.line, net, history, layer, unit, row, from, to);
    else drawLine(this.line, net, history, layer.main, trace, from, begin, to);
    for (const { block, sheet } of this.gates) drawGate(sheet, block, history.trace(block, unit, begin, row), from, begin, to);
    const pen = this.notes.fit();
    drawBars(pen, net, history, from, to, 0, 0, this.notes.width, this.notes.height, true);
    drawNotes(pen, net, history, this.rows, from, to, 0, 0, this.notes.width, this.notes.height - textSize(12) - 4);
    const now = trace.at(-1);
    const lut = palette.luts[isSigned(layer.main) ? "diverging" : "sequential"];
    this.value.textContent = now === undefined ? "–" : signed(now);
    this.value.style.color = now === undefined || Math.abs(now) < 0.2 ? palette.text : shade(lut, Math.sign(now) * Math.max(Math.abs(now), 0.72), layer.main.min, layer.main.max);
    const long = Math.max(history.first, history.count - LOOK);
    const look = history.trace(layer.main, unit, long, row);
    drawWhere(this.where, net, layer.main, history.byPosition(look, long));
    // Likings change slowly: once a beat is enough.
    if (this.reckon-- <= 0) {
      this.reckon = net.stepsPerBeat - 1;
      this.likings = history.withNotes(look, long);
      this.tied = history.tiedToBeat(look, long);
      if (this.around) drawAround(this.around, layer.main, history.aroundNotes(layer.main, unit, REACH, long));
      else this.goesTall = drawGoes(this.goes, net, this.likings);
      this.sayMost();
    }
    return history.last !== null;
  }

  sayMost() {
    const { net } = this.app;
    const { yes, no } = strongest(this.likings);
    const say = (slot) => `${net.tracks.length > 1 ? `${trackName(net.tracks[net.slotTrack[slot]])} ` : ""}${net.slotName(slot)} ${signed(this.likings[slot])}`;
    const parts = [];
    if (yes.length) parts.push(t("neuron.yes", { notes: yes.map(say).join(", ") }));
    if (no.length) parts.push(t("neuron.no", { notes: no.map(say).join(", ") }));
    if (!parts.length) parts.push(t("neuron.neither"));
    parts.push(t("neuron.tied", { percent: (100 * this.tied).toFixed(0) }));
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
    const how = t(isFaint(r) ? "goes.neither" : r > 0 ? "goes.with" : "goes.against");
    app.why.say(t("goes.says", { how, note: `${trackName(track)}, ${net.slotName(slot)}`, value: signed(r) }), event.clientX, event.clientY);
  }
}
