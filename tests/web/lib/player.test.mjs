// player.js: our own networks note for note as onnxruntime plays them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Player } from "../../../engine/web/static/lib/player.js";

const golden = JSON.parse(readFileSync(new URL("player.json", import.meta.url)));
const file = (name) => readFileSync(new URL(`../../../models/${name}/${name}.onnx`, import.meta.url));

// The same dice as Python's: numpy's, written down as 16 bits each.
const dice = (text, count) => Float32Array.from({ length: count }, (_, k) => parseInt(text.slice(4 * k, 4 * k + 4), 16) / 65536);

for (const [name, { steps }] of Object.entries(golden))
  test(`${name} plays ${steps.length} steps as onnxruntime does`, () => {
    const player = new Player(file(name));
    const [channels, slots] = [player.card.channels.length, player.inputs.clamp_mask.d.length];
    steps.forEach(({ u, clamped, notes, nats }, number) => {
      player.inputs.u.d.set(dice(u, player.card.noise));
      player.inputs.clamp_mask.d.fill(0);
      player.inputs.clamp_value.d.fill(0);
      for (const [first, last] of clamped ? [clamped.slice(0, 2)] : []) player.inputs.clamp_mask.d.fill(1, first, last);
      if (clamped) {
        player.inputs.clamp_value.d[clamped[2] * channels] = 1;
        if (channels > 2) player.inputs.clamp_value.d[clamped[2] * channels + 2] = 0.75;
      }
      const out = player.step();
      const found = [];
      for (let slot = 0; slot < slots; slot++) if (out.notes.d[slot * channels] > 0.5) found.push(slot);
      assert.deepEqual(found, notes, `step ${number}`);
      const total = out.log_prob_tracks.d.reduce((sum, value) => sum - value, 0);
      assert.ok(Math.abs(total - nats) < 1e-3, `step ${number}: ${total} nats, not ${nats}`);
    });
  });

test("a reset network plays the same again", () => {
  const player = new Player(file("chords"));
  const heard = [0, 1].map(() => {
    player.reset();
    return Array.from({ length: 6 }, (_, k) => {
      player.inputs.u.d.fill(k / 7);
      return [...player.step().notes.d];
    });
  });
  assert.deepEqual(heard[0], heard[1]);
});
