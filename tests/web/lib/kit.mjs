// What the tests of the pages' logic share: a small network, frames of it, the palette, the stage page's English texts.

import { readFileSync } from "node:fs";
import { setPalette } from "../../../engine/web/static/lib/colour.js";
import { Texts, speakWith } from "../../../engine/web/static/lib/language.js";
import { Net } from "../../../engine/web/static/lib/net.js";

export const readTexts = (page, language) => JSON.parse(readFileSync(new URL(`../../../engine/web/static/${page}/texts/${language}.json`, import.meta.url)));
speakWith(new Texts("en", readTexts("stage", "en")));

export const palette = setPalette(JSON.parse(readFileSync(new URL("../../../engine/web/static/lib/palette.json", import.meta.url))));

// Three drums and two octaves of a lead; one layer of 8 neurons with activation and memory.
export function net({ units = 8, layers = 1, format = "f32", order } = {}) {
  const tracks = [
    { name: "drums", kind: "drums", pitches: [36, 38, 42] },
    { name: "lead", kind: "pitched", pitches: Array.from({ length: 24 }, (_, k) => 60 + k) },
  ];
  const slots = 27;
  const activations = [];
  const blocks = {};
  let at = 2 * slots;
  for (let layer = 0; layer < layers; layer++) {
    for (const [signal, min, max] of [["h", -1, 1], ["c", -4, 4]]) {
      activations.push({ output: `${signal}${layer}`, layer, signal, shape: [units], min, max });
      blocks[`${signal}${layer}`] = { at, size: units };
      at += units;
    }
  }
  const card = { name: "small", steps_per_beat: 4, beats_per_bar: 4, tracks, activations, order };
  return new Net({ card, format, layout: { tracks: 2, slots, values: at, blocks } });
}

// A frame of it: `h` the activations of the first layer, `cells` {slot: bits}.
export function frame(net, step, { h = [], cells = {}, probability = {} } = {}) {
  const values = new Float32Array(net.values);
  const block = net.blocks.find((b) => b.output === "h0");
  h.forEach((v, k) => (values[block.at + k] = v));
  for (const [slot, p] of Object.entries(probability)) values[slot] = p;
  const bits = new Uint8Array(net.slots);
  for (const [slot, b] of Object.entries(cells)) bits[slot] = b;
  return { step, beat: step / 4, tempo: 120, flags: 0, values, cells: bits };
}
