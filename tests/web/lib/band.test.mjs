// band.js: the visitor's notes are dictated, the network plays the rest, whoever is silenced says nothing.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Band } from "../../../engine/web/static/lib/band.js";

const bytes = readFileSync(new URL("../../../models/festival/festival.onnx", import.meta.url));

test("the same seed plays the same, another one otherwise; notes that begin end", () => {
  const play = (seed) => {
    const band = new Band(bytes, { seed });
    return Array.from({ length: 24 }, () => band.step());
  };
  const [one, again, other] = [play(3), play(3), play(4)];
  const notes = (steps) => JSON.stringify(steps.map(({ begun }) => begun.map(({ track, pitch }) => [track, pitch])));
  assert.equal(notes(one), notes(again));
  assert.notEqual(notes(one), notes(other));
  const open = new Map();
  for (const { begun, ended } of one) {
    for (const { track, pitch } of ended) assert.ok(open.delete(`${track}/${pitch}`), "an end without a beginning");
    for (const { track, pitch } of begun) open.set(`${track}/${pitch}`, true);
  }
  assert.ok(one.some(({ begun }) => begun.length));
  assert.equal(one[0].h.length, 6);
  assert.equal(one[0].h[0].length, 150);
});

test("a key is heard in its own step, as the visitor's, and held until it is let go", () => {
  const band = new Band(bytes, { seed: 1 });
  band.step();
  band.down(72);
  const struck = band.step();
  assert.deepEqual(struck.begun.filter(({ yours }) => yours).map(({ track, pitch }) => [track, pitch]), [[4, 72]]);
  assert.equal(band.step().begun.filter(({ yours }) => yours).length, 0);
  band.up(72);
  assert.ok(band.step().ended.some(({ track, pitch }) => track === 4 && pitch === 72));
  band.down(30); // far below: an octave that the track has
  band.up(30); // within the step: it sounds for one all the same
  assert.ok(band.step().begun.some(({ yours, pitch }) => yours && pitch % 12 === 6));
  assert.ok(band.step().ended.some(({ pitch }) => pitch % 12 === 6));
});

test("who is silenced is zero within the step; a layer that is silenced changes what is played; all may speak again", () => {
  const band = new Band(bytes, { seed: 2 });
  band.silence([[2, 7], [4, -1]]);
  const { h } = band.step();
  assert.equal(h[2][7], 0);
  assert.equal(band.player.inputs.c2.d[7], 0);
  assert.ok(h[4].every((v) => v === 0));
  assert.ok(h[2].some((v) => v !== 0));
  const [whole, mute] = [[], [[0, -1]]].map((units) => {
    const one = new Band(bytes, { seed: 2 });
    one.silence(units);
    return one.step();
  });
  assert.notDeepEqual(whole.h[1], mute.h[1]); // the layer above hears of it in the same step
  assert.notDeepEqual(whole.belief, mute.belief);
  band.silence([]);
  assert.ok(band.step().h[4].some((v) => v !== 0));
});

test("warm, it plays what it would have played cold", async () => {
  const [warm, cold] = [new Band(bytes, { seed: 5 }), new Band(bytes, { seed: 5 })];
  await warm.warm(3);
  const other = await warm.stepLater();
  assert.deepEqual(other, cold.step());
});

test("untrained it is another network", () => {
  const [trained, untrained] = [false, true].map((mixed) => new Band(bytes, { seed: 1, untrained: mixed }).step());
  assert.notDeepEqual([...trained.belief], [...untrained.belief]);
  assert.ok(untrained.belief.every((p) => p >= 0 && p <= 1));
});

test("silence encourages", () => {
  const band = new Band(bytes);
  assert.equal(band.encouragement(), 1);
  band.silent = 10;
  assert.ok(Math.abs(band.encouragement() - 2.25) < 1e-9);
  band.silent = 500;
  assert.equal(band.encouragement(), 256);
});
