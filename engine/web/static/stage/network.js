// The live snapshot: every neuron of the network as it is now.
//
// A network whose layers are lists of neurons is drawn as bands, newest step on top; one whose layers are tables of notes by
// neurons (the biaxial network) is drawn as such tables, rows are notes, as in "Reading an Artificial Mind".

import { Calm } from "../lib/calm.js";
import { chip, el, tools } from "../lib/dom.js";
import { areaOf, cellAt, columnWidths, walked } from "../lib/grid.js";
import { counted, t } from "../lib/language.js";
import { isSigned, signalOf } from "../lib/net.js";
import { mod, signed } from "../lib/number.js";
import { orderOf } from "../lib/unit_order.js";
import { buildBands, buildPlanes } from "./rows.js";

const RING = 256; // steps a band can look back
const GAP = 18; // CSS pixels between two signals

export class NetworkView {
  constructor(app) {
    this.app = app;
    this.raw = false;
    this.orders = new Map();
    this.calm = new Calm();
  }

  sentence() {
    return t(this.app.net.planes ? "planes.sentence" : "bands.sentence");
  }

  mount(root) {
    const { app } = this;
    const { net } = app;
    this.root = root;
    this.shown ??= this.defaultSignals();
    this.buildTools();
    this.net = el("div", `net ${net.planes ? "planes" : "bands"}`);
    root.append(this.tools, this.net);
    this.painter = app.cellPainter();
    this.net.append(this.painter.canvas);
    this.cursor = el("div", "cursor");
    this.cursor.hidden = true;
    this.beds = [];
    this.drawn = (net.planes ? buildPlanes : buildBands)(this.net, app, this.shown, (layer, block) => this.bed(layer, block));
    this.net.append(this.cursor);
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.net);
    this.resize();
  }

  unmount() {
    this.watch.disconnect();
    this.app.why.hide();
    for (const bed of this.beds) if (bed.field) this.painter.free(bed.field);
  }

  // Let go of what outlives a view: another network has come, or another painter.
  free() {
    for (const { order } of this.orders.values()) this.painter.free(order);
    this.orders.clear();
  }

  defaultSignals() {
    const here = this.app.net.signals;
    const most = this.mostSignals();
    const wanted = ["h", "c"].filter((s) => here.includes(s));
    return (wanted.length ? wanted : here).slice(0, most);
  }

  mostSignals() {
    const { net } = this.app;
    return window.innerWidth < 700 ? 1 : net.planes ? 2 : window.innerWidth < 1500 ? 2 : 3;
  }

  buildTools() {
    const { app } = this;
    const { net } = app;
    const chips = el("div", "chips");
    chips.setAttribute("role", "group");
    chips.setAttribute("aria-label", t("signals"));
    for (const signal of net.signals.length > 1 ? net.signals : []) {
      const { verb, why } = signalOf({ signal });
      const button = chip(verb, why, () => this.choose(signal));
      button.dataset.signal = signal;
      button.setAttribute("aria-pressed", String(this.shown.includes(signal)));
      chips.append(button);
    }
    const turn = () => {
      this.raw = !this.raw;
      this.buildTools();
      document.getElementById("sort").focus();
      this.dirty = true;
    };
    const sort = chip(t(this.raw ? "stored" : "sorted"), t("sorted.why"), turn, "sort");
    sort.setAttribute("aria-pressed", String(!this.raw));
    const built = tools(this.sentence(), chips, sort);
    this.tools?.replaceWith(built);
    this.tools = built;
  }

  // Have a signal among those that are shown.
  reveal(signal) {
    this.shown ??= this.defaultSignals();
    if (this.shown.includes(signal)) return;
    this.showSignals([...this.shown, signal].slice(-this.mostSignals()));
  }

  showSignals(signals) {
    if (!signals || String(signals) === String(this.shown)) return;
    this.shown = [...signals].sort((a, b) => this.app.net.signals.indexOf(a) - this.app.net.signals.indexOf(b));
    if (this.app.current === this) this.app.show("network");
  }

  choose(signal) {
    this.app.happened("signal");
    if (!this.shown.includes(signal)) this.reveal(signal);
    else if (this.shown.length > 1) this.showSignals(this.shown.filter((s) => s !== signal));
  }

  bed(layer, block) {
    const { app } = this;
    const { net } = app;
    const signal = signalOf(block);
    const node = el("div", "bed");
    node.dataset.signal = block.signal;
    node.dataset.layer = layer.index;
    node.tabIndex = 0;
    node.setAttribute("role", "application");
    node.setAttribute("aria-label", t("bed", { layer: net.layerName(layer), verb: signal.verb, units: layer.units }));
    const bed = { node, layer, block, at: null };
    node.addEventListener("pointermove", (event) => {
      const cell = this.cellAt(bed, event);
      this.point(bed, cell, event.clientX, event.clientY);
    });
    node.addEventListener("pointerleave", () => this.point(null));
    node.addEventListener("click", (event) => {
      const cell = this.cellAt(bed, event);
      if (cell) app.happened("cell");
      if (cell) app.select({ layer: layer.index, unit: this.unitAt(layer, cell.column), row: net.planes ? cell.row : null });
    });
    node.addEventListener("keydown", (event) => this.walk(bed, event));
    node.addEventListener("blur", () => this.point(null));
    this.beds.push(bed);
    return node;
  }

  walk(bed, event) {
    const { layer } = bed;
    const cell = walked(bed.at, event.key, layer);
    if (cell) {
      const box = bed.node.getBoundingClientRect();
      this.point(bed, cell, box.left + ((cell.column + 0.5) / layer.units) * box.width, box.top + 12);
    } else if (event.key === "Enter" && bed.at) {
      this.app.select({ layer: layer.index, unit: this.unitAt(layer, bed.at.column), row: this.app.net.planes ? bed.at.row : null });
    } else return;
    event.preventDefault();
  }

  cellAt({ area, layer }, event) {
    if (!area) return null;
    const box = this.net.getBoundingClientRect();
    return cellAt(area, layer, this.app.net.planes, event.clientX - box.left, event.clientY - box.top);
  }

  unitAt(layer, column) {
    const order = this.raw ? null : this.orders.get(layer.index);
    return order ? order.units[column] : column;
  }

  // Show which neuron the pointer is on, and what it says.
  point(bed, cell, x, y) {
    const { app } = this;
    const { net, history } = app;
    for (const other of this.beds) other.at = other === bed ? cell : null;
    this.cursor.hidden = !cell;
    if (!cell) {
      app.why.hide();
      return;
    }
    const { area, layer, block } = bed;
    const one = area.width / layer.units;
    const high = net.planes ? area.height / layer.rows : area.height;
    Object.assign(this.cursor.style, {
      left: `${area.x + cell.column * one}px`,
      top: `${net.planes ? area.y + (layer.rows - 1 - cell.row) * high : area.y}px`,
      width: `${Math.max(one, 2)}px`,
      height: `${Math.max(high, 2)}px`,
    });
    const unit = this.unitAt(layer, cell.column);
    const frame = history.at(history.count - 1 - cell.age);
    const signal = signalOf(block);
    const where = { layer: net.layerName(layer), unit: unit + 1, note: net.planes ? net.slotName(cell.row) : "" };
    const name = t(net.planes ? "neuron.note" : "neuron", where);
    const value = frame ? signed(net.value(frame, block, cell.row * layer.units + unit)) : "–";
    const says = { name, verb: signal.verb, value };
    app.why.say(`${cell.age ? counted("cell.before", cell.age, says) : t("cell", says)} ${t("cell.click")}`, x, y);
    app.happened("cell");
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.net;
    if (!width || !height) return;
    this.painter.resize(Math.round(width * ratio), Math.round(height * ratio));
    this.setWidths(ratio);
    const box = this.net.getBoundingClientRect();
    for (const bed of this.beds) {
      const rect = bed.node.getBoundingClientRect();
      const within = { left: rect.left - box.left, top: rect.top - box.top, height: rect.height };
      bed.area = areaOf(within, bed.one, bed.layer, ratio, this.app.net.planes, RING - 2);
      bed.field ??= this.painter.field(bed.layer.units, this.app.net.planes ? bed.layer.rows : RING, this.app.net.u8);
    }
    this.refill();
    this.dirty = true;
  }

  // Every neuron gets whole device pixels where that leaves little room unused: no uneven columns. Bands all have the same
  // width; in tables a row of narrow layers may be drawn wider.
  setWidths(ratio) {
    const rows = [...this.net.querySelectorAll(".beds")].map((row) => ({ row, beds: this.beds.filter((b) => row.contains(b.node)) }));
    const sizes = rows.map(({ row, beds }) => ({ width: row.clientWidth, counts: beds.map((b) => b.layer.units) }));
    const { widths, least } = columnWidths(sizes, GAP, ratio, !this.app.net.planes);
    rows.forEach(({ beds }, k) => {
      for (const bed of beds) {
        bed.one = widths[k];
        bed.node.style.flex = `0 0 ${bed.one * bed.layer.units}px`;
      }
    });
    const main = Math.max(0, ...this.app.net.stack.map((l) => l.units));
    for (const head of this.net.querySelectorAll(".head")) head.style.flex = `0 0 ${least * main}px`;
  }

  // Write into the fields what came before this view was opened.
  refill() {
    const { net, history } = this.app;
    for (const bed of this.beds) {
      if (net.planes) continue;
      const { block, field, layer } = bed;
      const Values = net.u8 ? Uint8Array : Float32Array;
      const all = new Values(layer.units * RING);
      for (let n = Math.max(history.first, history.count - RING); n < history.count; n++) {
        all.set(history.at(n).values.subarray(block.at, block.at + layer.units), mod(n, RING) * layer.units);
      }
      this.painter.write(field, 0, RING, all);
      field.newest = mod(history.count - 1, RING);
    }
    if (net.planes && history.last) this.writePlanes(history.last);
  }

  writePlanes(frame) {
    const { net } = this.app;
    const strength = this.calm.take(frame, net, performance.now());
    for (const { block, field, layer } of this.beds) {
      const now = frame.values.subarray(block.at, block.at + block.size);
      this.painter.write(field, 0, layer.rows, this.calm.soften(block.output, now, strength));
    }
  }

  step(frame) {
    const { net, history } = this.app;
    this.dirty = true;
    if (!this.beds[0]?.field) return; // it has no size yet, or there are no neurons to see
    if (net.planes) this.writePlanes(frame);
    else {
      const row = mod(history.count - 1, RING);
      for (const { block, field, layer } of this.beds) {
        this.painter.write(field, row, 1, frame.values.subarray(block.at, block.at + layer.units));
        field.newest = row;
      }
    }
  }

  // The network was exchanged or the music began anew.
  restart() {
    if (this.beds[0]?.field) this.refill();
    this.dirty = true;
  }

  sortIfTime() {
    const { net, history } = this.app;
    const layer = net.stack.find((l) => !this.orders.has(l.index));
    const units = layer && orderOf(net, layer, history);
    if (!units) return;
    this.orders.set(layer.index, { units, order: this.painter.order(units) });
    this.dirty = true; // one layer a frame: no frame is late for it
  }

  draw() {
    this.sortIfTime();
    if (!this.dirty) return false;
    this.dirty = false;
    const { net, history } = this.app;
    const frame = history.last;
    const ratio = window.devicePixelRatio || 1;
    this.painter.begin();
    if (frame) {
      for (const bed of this.beds) this.drawBed(bed, frame, ratio);
    }
    for (const part of Object.values(this.drawn)) part.draw(frame);
    return frame !== null;
  }

  drawBed({ field, block, layer, area }, frame, ratio) {
    const { net, history } = this.app;
    const both = isSigned(block);
    const order = this.raw ? null : this.orders.get(layer.index)?.order;
    const part = { column: 0, columns: layer.units, low: block.min, high: block.max, lut: both ? "diverging" : "sequential", order };
    const x = Math.round(area.x * ratio);
    const width = Math.round(area.width * ratio);
    if (net.planes) {
      const y = Math.round(area.y * ratio);
      this.painter.draw(field, { ...part, x, y, width, height: Math.round(area.height * ratio), row: 0, rows: layer.rows, ages: false });
      return;
    }
    const y = area.y * ratio;
    this.painter.draw(field, { ...part, x, y: Math.round(y), width, height: Math.round(area.now * ratio), row: 0, rows: 1, ages: true });
    const rows = Math.min(area.rows, history.length - 1);
    if (rows < 1) return;
    const top = Math.round(y + (area.now + 1) * ratio);
    const { bar } = net.metre;
    const height = Math.round(rows * area.step * ratio);
    this.painter.draw(field, { ...part, x, y: top, width, height, row: 1, rows, ages: true, barAge: net.where(frame).within, bar });
  }
}
