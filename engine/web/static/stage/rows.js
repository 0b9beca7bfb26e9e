// The rows of the network's picture: what stands beside each band or table, and what it is called.

import { el } from "../lib/dom.js";
import { grouped, loudest } from "../lib/grid.js";
import { t } from "../lib/language.js";
import { legend } from "../lib/legend.js";
import { signalOf } from "../lib/net.js";
import { ChoiceColumns } from "./choice.js";
import { Classes } from "./classes.js";
import { RollStrip } from "./rollstrip.js";
import { BeliefStrip, HeardStrip } from "./strip.js";

// Bands in time: belief above, the layers from the choice down to the notes, what was heard below. `bed(layer, block)` makes
// the place of one band. Returns what is to be drawn at each step.
export function buildBands(parent, app, shown, bed) {
  const { net } = app;
  const drawn = { belief: new BeliefStrip(row(parent, "belief", t("believes"), t("believes.more"), t("believes.why")), app) };
  if (net.classes) {
    const box = row(parent, "classes-row", t("weighs"), t("weighs.more", { count: net.classes.names.length }), t("classes.why"));
    drawn.classes = new Classes(box, app);
  }
  heads(parent, net, shown);
  const from = [...net.stack].reverse();
  from.forEach((layer, k) => {
    const line = el("div", "row layer");
    const hint = net.stack.length === 1 ? "" : k === 0 ? t("layer.top") : k === from.length - 1 ? t("layer.bottom") : "";
    const why = t("layer.why", { layer: net.layerName(layer), units: layer.units });
    line.append(layerButton(app, layer, hint, why), bedsOf(net, [layer], shown, bed));
    parent.append(line);
  });
  drawn.heard = new HeardStrip(row(parent, "heard-row", t("heard"), "", t("heard.why")), app);
  return drawn;
}

// Tables of notes by neurons: the notes above, the layers below them, a keyboard with what was chosen at the right.
export function buildPlanes(parent, app, shown, bed) {
  const { net } = app;
  const left = el("div", "sheets");
  const drawn = { rollStrip: new RollStrip(row(left, "notes-row", t("notes"), "", t("notes.why")), app) };
  heads(left, net, shown);
  for (const group of grouped(net.stack)) {
    const line = el("div", "row layer");
    const names = el("div", "label");
    for (const layer of group) {
      const axis = layer.main.doc?.includes("note axis") ? t("layer.notes") : layer.main.doc?.includes("time axis") ? t("layer.time") : "";
      const why = t("layer.table.why", { layer: net.layerName(layer), units: layer.units, notes: layer.rows });
      names.append(layerButton(app, layer, axis, why));
    }
    line.append(names, bedsOf(net, group, shown, bed));
    left.append(line);
  }
  const right = el("div", "choices");
  drawn.choice = new ChoiceColumns(right, app);
  parent.append(left, right);
  return drawn;
}

function row(parent, kind, name, more, why) {
  const line = el("div", `row ${kind}`);
  const box = el("div", "wide");
  const label = el("div", "label");
  const text = el("span", "name", name);
  text.dataset.why = why;
  label.append(text);
  if (more) label.append(el("span", "more", more));
  line.append(label, box);
  parent.append(line);
  return box;
}

// What each column of beds shows.
function heads(parent, net, shown) {
  const titles = el("div", "beds");
  for (const signal of shown) {
    const block = net.stack.map((layer) => net.block(layer, signal)).find(Boolean);
    if (!block) continue;
    const { verb, why } = signalOf(block);
    const head = el("div", "head");
    const title = el("span", "title", t(net.planes ? "head.planes" : "head.bands", { verb }));
    title.dataset.why = why;
    head.append(title, legend(block));
    titles.append(head);
  }
  const line = el("div", "row heads");
  line.append(el("div", "label"), titles);
  parent.append(line);
}

function bedsOf(net, layers, shown, bed) {
  const beds = el("div", "beds");
  for (const layer of layers) {
    for (const signal of shown) {
      const block = net.block(layer, signal);
      const one = block ? bed(layer, block) : el("div", "bed empty");
      if (layers.length > 1) one.dataset.title = `${net.layerName(layer)} ${signalOf({ signal }).verb}`;
      beds.append(one);
    }
  }
  return beds;
}

function layerButton(app, layer, more, why) {
  const node = el("button", "label");
  node.dataset.why = why;
  node.append(el("span", "name", app.net.layerName(layer)));
  if (more) node.append(el("span", "more", more));
  node.onclick = () => app.select({ layer: layer.index, unit: loudest(app.net, app.history.last, layer), row: null });
  return node;
}
