// liking.js: a unit made to like the downbeat is found, one that does not is not; in the festival network some do.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Band } from "../../../engine/web/static/lib/band.js";
import { LIKES, Remembered } from "../../../engine/web/static/lib/liking.js";
import { Chance } from "../../../engine/web/static/lib/nn.js";

test("warmer where it stirs at the downbeat, whichever way; nothing is said before the third bar", () => {
  const [seen, chance] = [new Remembered(16), new Chance(1)];
  for (let step = 0; step < 400; step++) {
    const noise = () => 0.2 * (chance.number() - 0.5);
    const down = step % 16 === 0;
    seen.push(step, [[noise(), (down ? 0.8 : 0) + noise()], [(down ? -0.3 : 0.1) + noise(), step % 8 ? noise() : 0.8 + noise()]]);
    if (step === 31) assert.equal(seen.liking(0, 1), null);
    if (step === 31) assert.deepEqual(seen.best(), []);
    if (step === 384) assert.deepEqual([seen.fires(0, 1), seen.fires(0, 0)], [true, false]);
  }
  assert.equal(seen.steps.length, 256);
  assert.equal(seen.bars, 16);
  assert.ok(seen.liking(0, 0) < 1);
  assert.ok(seen.liking(0, 1) > 5);
  assert.deepEqual(seen.best(2).map(({ layer, unit }) => [layer, unit]), [[0, 1], [1, 0]]);
  assert.equal(seen.fires(0, 1), false);
  seen.push(0, [[0, 0], [0, 0]]);
  assert.equal(seen.bars, 1, "another beginning");
});

test("some of the festival network's 900 units like the downbeat", () => {
  const band = new Band(readFileSync(new URL("../../../models/festival/festival.onnx", import.meta.url)), { seed: 1 });
  const seen = new Remembered(band.card.steps_per_beat * band.card.beats_per_bar);
  for (let k = 0; k < 256; k++) {
    const { step, h } = band.step();
    seen.push(step, h);
  }
  const found = seen.best(900).filter(({ effect }) => effect > LIKES);
  assert.ok(found.length > 5 && found.length < 200, `${found.length} of 900`);
});
