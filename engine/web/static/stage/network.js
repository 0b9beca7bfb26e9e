// The live snapshot: every neuron of the network as it is now.
//
// A network whose layers are lists of neurons is drawn as bands, newest step on top; one whose layers are tables of notes by
// neurons (the biaxial network) is drawn as such tables, rows are notes, as in "Reading an Artificial Mind".

import { Calm } from "../lib/calm.js";
import { chip, el, tools } from "../lib/dom.js";
import { legend } from "../lib/legend.js";
import { SIGNALS, isSigned, signalOf } from "../lib/net.js";
import { mod, signed } from "../lib/number.js";
import { orderOf } from "../lib/unit_order.js";
import { ChoiceColumns } from "./choice.js";
import { Classes } from "./classes.js";
import { RollStrip } from "./rollstrip.js";
import { BeliefStrip, HeardStrip } from "./strip.js";

const RING = 256; // steps a band can look back
const GAP = 18; // CSS pixels between two signals
const EVEN = 0.05; // share of the width that even columns may cost

export class NetworkView {
  constructor(app) {
    this.app = app;
    this.raw = false;
    this.orders = new Map();
    this.calm = new Calm();
  }

  sentence() {
    const { net } = this.app;
    return net.planes
      ? "Every dot is one neuron listening to one note: rows are notes, columns are neurons. Blue says no, orange yes, black nothing."
      : "Every dot is one neuron: blue says no, orange yes, black nothing. Each step enters a band at the top and sinks.";
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
    if (net.planes) this.buildPlanes();
    else this.buildBands();
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
    chips.setAttribute("aria-label", "What to show of each neuron");
    for (const signal of net.signals.length > 1 ? net.signals : []) {
      const { verb, name, plain } = SIGNALS[signal] ?? { verb: signal, name: signal, plain: signal };
      const button = chip(verb, `Show ${plain} (${name}, ${signal}).`, () => this.choose(signal));
      button.dataset.signal = signal;
      button.setAttribute("aria-pressed", String(this.shown.includes(signal)));
      chips.append(button);
    }
    const why = "Neurons that do alike stand side by side; click for the order in which the network stores them, and back.";
    const turn = () => {
      this.raw = !this.raw;
      this.buildTools();
      document.getElementById("sort").focus();
      this.dirty = true;
    };
    const sort = chip(this.raw ? "as stored" : "sorted", why, turn, "sort");
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
    if (!this.shown.includes(signal)) this.reveal(signal);
    else if (this.shown.length > 1) this.showSignals(this.shown.filter((s) => s !== signal));
  }

  heads(row) {
    for (const signal of this.shown) {
      const block = this.app.net.stack.map((l) => this.app.net.block(l, signal)).find(Boolean);
      if (!block) continue;
      const { verb, name, plain } = signalOf(block);
      const head = el("div", "head");
      const title = el("span", "title", this.app.net.planes ? `each neuron ${verb}` : `what each neuron ${verb}`);
      title.dataset.why = `${name[0].toUpperCase()}${name.slice(1)}: ${plain}.`;
      head.append(title, legend(block));
      row.append(head);
    }
  }

  buildBands() {
    const { app } = this;
    const { net } = app;
    this.beds = [];
    const belief = el("div", "row belief");
    belief.append(label("Believes", "and chooses", "How likely the network finds each note of each instrument at this step (height), and which ones it chose (blocks below)."));
    const strip = el("div", "wide");
    belief.append(strip);
    this.net.append(belief);
    this.belief = new BeliefStrip(strip, app);
    if (net.classes) {
      const row = el("div", "row classes-row");
      row.append(label("Weighs", `${net.classes.names.length} chords`, "How likely the network finds each chord: rows are kinds of chord, columns their roots."));
      const box = el("div", "wide");
      row.append(box);
      this.net.append(row);
      this.classes = new Classes(box, app);
    }
    const heads = el("div", "row heads");
    heads.append(el("div", "label"));
    const titles = el("div", "beds");
    this.heads(titles);
    heads.append(titles);
    this.net.append(heads);
    const from = [...net.stack].reverse();
    from.forEach((layer, k) => {
      const row = el("div", "row layer");
      const hint = net.stack.length === 1 ? "" : k === 0 ? "nearest the choice" : k === from.length - 1 ? "nearest the notes" : "";
      const name = button(net.layerName(layer), hint, `${net.layerName(layer)}: ${layer.units} neurons. Click to look at the one that speaks up most.`);
      name.onclick = () => app.select({ layer: layer.index, unit: this.loudest(layer), row: null });
      row.append(name);
      const beds = el("div", "beds");
      for (const signal of this.shown) {
        const block = net.block(layer, signal);
        beds.append(block ? this.bed(layer, block) : el("div", "bed empty"));
      }
      row.append(beds);
      this.net.append(row);
    });
    const heard = el("div", "row heard-row");
    heard.append(label("Heard", "", "What sounded a step ago, yours in amber: this is all the network is told."));
    const box = el("div", "wide");
    heard.append(box);
    this.net.append(heard);
    this.heard = new HeardStrip(box, app);
  }

  buildPlanes() {
    const { app } = this;
    const { net } = app;
    this.beds = [];
    const left = el("div", "sheets");
    const roll = el("div", "row notes-row");
    roll.append(label("Notes", "", "The notes of the last bars, newest at the right: yours amber, the network's cyan."));
    const box = el("div", "wide");
    roll.append(box);
    left.append(roll);
    this.rollStrip = new RollStrip(box, app);
    const heads = el("div", "row heads");
    heads.append(el("div", "label"));
    const titles = el("div", "beds");
    this.heads(titles);
    heads.append(titles);
    left.append(heads);
    // Layers wide enough stand alone in a row; narrow ones share one, at the same width of a neuron.
    const widest = Math.max(...net.stack.map((l) => l.units));
    for (const group of grouped(net.stack, widest)) {
      const row = el("div", "row layer");
      const names = el("div", "label");
      for (const layer of group) {
        const axis = layer.main.doc?.includes("note axis") ? "hears the notes below" : layer.main.doc?.includes("time axis") ? "hears the time before" : "";
        const name = button(net.layerName(layer), axis, `${net.layerName(layer)}: ${layer.units} neurons for each of ${layer.rows} notes. Click to look at the one that speaks up most.`);
        name.onclick = () => app.select({ layer: layer.index, unit: this.loudest(layer), row: null });
        names.append(name);
      }
      row.append(names);
      const beds = el("div", "beds");
      for (const layer of group) {
        for (const signal of this.shown) {
          const block = net.block(layer, signal);
          const bed = block ? this.bed(layer, block) : el("div", "bed empty");
          if (group.length > 1) bed.dataset.title = `${net.layerName(layer)} ${SIGNALS[signal]?.verb ?? signal}`;
          beds.append(bed);
        }
      }
      row.append(beds);
      left.append(row);
    }
    const right = el("div", "choices");
    this.choice = new ChoiceColumns(right, app);
    this.net.append(left, right);
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
    node.setAttribute("aria-label", `${net.layerName(layer)}, what each neuron ${signal.verb}: ${layer.units} neurons. Arrow keys walk over them, Enter opens one.`);
    const bed = { node, layer, block, at: null };
    node.addEventListener("pointermove", (event) => {
      const cell = this.cellAt(bed, event);
      this.point(bed, cell, event.clientX, event.clientY);
    });
    node.addEventListener("pointerleave", () => this.point(null));
    node.addEventListener("click", (event) => {
      const cell = this.cellAt(bed, event);
      if (cell) app.select({ layer: layer.index, unit: this.unitAt(layer, cell.column), row: net.planes ? cell.row : null });
    });
    node.addEventListener("keydown", (event) => this.walk(bed, event));
    node.addEventListener("blur", () => this.point(null));
    this.beds.push(bed);
    return node;
  }

  walk(bed, event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    const { layer } = bed;
    if (steps) {
      const at = bed.at ?? { column: 0, row: 0 };
      const column = Math.min(Math.max(at.column + (bed.at ? steps[0] : 0), 0), layer.units - 1);
      const row = Math.min(Math.max(at.row + (bed.at ? steps[1] : 0), 0), layer.rows - 1);
      const box = bed.node.getBoundingClientRect();
      this.point(bed, { column, row, age: 0 }, box.left + ((column + 0.5) / layer.units) * box.width, box.top + 12);
    } else if (event.key === "Enter" && bed.at) {
      this.app.select({ layer: layer.index, unit: this.unitAt(layer, bed.at.column), row: this.app.net.planes ? bed.at.row : null });
    } else return;
    event.preventDefault();
  }

  cellAt(bed, event) {
    if (!bed.area) return null;
    const box = this.net.getBoundingClientRect();
    const x = event.clientX - box.left - bed.area.x;
    const y = event.clientY - box.top - bed.area.y;
    const column = Math.floor((x / bed.area.width) * bed.layer.units);
    if (column < 0 || column >= bed.layer.units) return null;
    if (this.app.net.planes) {
      const row = bed.layer.rows - 1 - Math.floor((y / bed.area.height) * bed.layer.rows);
      return row < 0 || row >= bed.layer.rows ? null : { column, row, age: 0 };
    }
    const past = y - bed.area.now - 1;
    return { column, row: 0, age: past < 0 ? 0 : 1 + Math.floor(past / bed.area.step) };
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
    const name = `${net.layerName(layer)}, neuron ${unit + 1}${net.planes ? `, listening to ${net.slotName(cell.row)}` : ""}`;
    const when = cell.age === 0 ? "" : `, ${cell.age} step${cell.age > 1 ? "s" : ""} ago`;
    const value = frame ? signed(net.value(frame, block, cell.row * layer.units + unit)) : "–";
    app.why.say(`${name} ${signal.verb} ${value}${when}. Click to watch it alone.`, x, y);
  }

  loudest(layer) {
    const { net, history } = this.app;
    const frame = history.last;
    if (!frame) return 0;
    let best = 0;
    let most = -1;
    for (let i = 0; i < layer.rows * layer.units; i++) {
      const size = Math.abs(net.value(frame, layer.main, i));
      if (size > most) [most, best] = [size, i % layer.units];
    }
    return best;
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
      const units = bed.layer.units;
      const one = bed.one * ratio;
      const area = { x: Math.round((rect.left - box.left) * ratio) / ratio, y: Math.round((rect.top - box.top) * ratio) / ratio };
      area.width = (one * units) / ratio;
      area.height = rect.height;
      if (!this.app.net.planes) {
        area.now = Math.min(10, Math.max(4, rect.height / 8));
        area.step = rect.height > 240 ? 4 : rect.height > 130 ? 3 : 2;
        area.rows = Math.max(Math.min(Math.floor((rect.height - area.now - 1) / area.step), RING - 2), 1);
      } else {
        area.height = (even((rect.height * ratio) / bed.layer.rows) * bed.layer.rows) / ratio;
      }
      bed.area = area;
      bed.field ??= this.painter.field(units, this.app.net.planes ? bed.layer.rows : RING, this.app.net.u8);
    }
    this.refill();
    this.dirty = true;
  }

  // Every neuron gets whole device pixels where that leaves little room unused: no uneven columns. Bands all have the same
  // width; in tables a row of narrow layers may be drawn wider.
  setWidths(ratio) {
    const rows = [...this.net.querySelectorAll(".beds")].map((row) => ({ row, beds: this.beds.filter((b) => row.contains(b.node)) }));
    const room = Math.max(...rows.map(({ row }) => row.clientWidth));
    for (const one of rows) {
      one.units = one.beds.reduce((n, b) => n + b.layer.units, 0);
      one.width = one.units ? even(((room - GAP * (one.beds.length - 1)) * ratio) / one.units) / ratio : Infinity;
    }
    const least = Math.min(...rows.map((r) => r.width));
    for (const { beds, width } of rows) {
      for (const bed of beds) {
        bed.one = this.app.net.planes ? width : least;
        bed.node.style.flex = `0 0 ${bed.one * bed.layer.units}px`;
      }
    }
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
    this.belief?.draw(frame);
    this.heard?.draw(frame);
    this.classes?.draw(frame);
    this.choice?.draw(frame);
    this.rollStrip?.draw(net, history);
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
    const bar = net.stepsPerBar;
    const height = Math.round(rows * area.step * ratio);
    this.painter.draw(field, { ...part, x, y: top, width, height, row: 1, rows, ages: true, barAge: mod(frame.step, bar), bar });
  }
}

// A size in device pixels, made whole where that leaves little room unused.
function even(exact) {
  const whole = Math.floor(exact);
  return exact - whole < EVEN * exact ? whole : exact;
}

function grouped(layers, widest) {
  const groups = [];
  let group = [];
  let width = 0;
  for (const layer of layers) {
    if (group.length && width + layer.units > widest) {
      groups.push(group);
      group = [];
      width = 0;
    }
    group.push(layer);
    width += layer.units;
  }
  groups.push(group);
  return groups;
}

function label(name, more, why) {
  const node = el("div", "label");
  const text = el("span", "name", name);
  text.dataset.why = why;
  node.append(text);
  if (more) node.append(el("span", "more", more));
  return node;
}

function button(name, more, why) {
  const node = el("button", "label");
  node.dataset.why = why;
  node.append(el("span", "name", name));
  if (more) node.append(el("span", "more", more));
  return node;
}
