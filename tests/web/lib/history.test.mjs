import assert from "node:assert/strict";
import test from "node:test";
import { History } from "../../../engine/web/static/lib/history.js";
import { HOLD, Net, PLAY } from "../../../engine/web/static/lib/net.js";
import { frame, net } from "./kit.mjs";

const wave = (step) => Math.sin((2 * Math.PI * (step % 16)) / 16);

function filled(steps, made = net()) {
  const history = new History(made);
  for (let s = 0; s < steps; s++) history.push(frame(made, s, { h: [wave(s), (s * 7919) % 13 / 13], cells: s % 4 === 0 ? { 5: PLAY } : {} }));
  return history;
}

test("its room is bounded by steps and by bytes", () => {
  assert.equal(new History({ values: 5776, u8: false }).room, 512);
  for (const u8 of [true, false]) assert.ok(new History({ values: 117156, u8 }).room * 117156 * (u8 ? 1 : 4) <= 32e6);
});

test("the newest are kept, each once", () => {
  const history = filled(600);
  assert.equal(history.push({ step: 599 }), false);
  assert.deepEqual([history.length, history.first, history.count], [512, 88, 600]);
  assert.equal(history.at(87), null);
  assert.equal(history.at(88).step, 88);
  assert.equal(history.last.step, 599);
});

test("music that begins anew begins a new past", () => {
  const history = filled(40);
  history.push(frame(net(), 3));
  assert.deepEqual([history.count, history.last.step], [1, 3]);
});

test("where in the bar a neuron fires, and how well that explains it", () => {
  const history = filled(160);
  const block = history.net.blocks[0];
  const trace = history.trace(block, 0);
  const places = history.byPosition(trace);
  places.forEach(({ mean, spread, n }, k) => {
    assert.ok(Math.abs(mean - wave(k)) < 1e-6 && spread < 1e-3 && n === 10);
  });
  assert.ok(history.tiedToBeat(trace) > 0.999);
  assert.ok(history.tiedToBeat(history.trace(block, 1)) < 0.6);
  assert.equal(history.tiedToBeat(history.trace(block, 5)), 0); // always silent
});

test("which notes it goes with is a correlation", () => {
  const history = filled(160);
  const trace = Float32Array.from({ length: 160 }, (_, s) => (s % 4 === 0 ? 1 : 0));
  const likings = history.withNotes(trace);
  assert.ok(likings[5] > 0.999);
  assert.equal(likings[6], 0); // never sounds
});

test("around a note of a table of notes by neurons", () => {
  const card = {
    name: "t", steps_per_beat: 4, beats_per_bar: 4, tracks: [{ name: "p", kind: "pitched", pitches: [60, 61, 62] }],
    activations: [{ output: "h", layer: 0, signal: "h", shape: [3, 1], min: -1, max: 1 }],
  };
  const made = new Net({ card, format: "f32", layout: { slots: 3, values: 9, blocks: { h: { at: 6, size: 3 } } } });
  const history = new History(made);
  const values = Float32Array.of(0, 0, 0, 0, 0, 0, 0.1, 0.5, 0.9);
  history.push({ step: 0, values, cells: Uint8Array.of(0, PLAY, 0) });
  history.push({ step: 1, values, cells: Uint8Array.of(0, PLAY | HOLD, 0) });
  const { begins, holds } = history.aroundNotes(made.blocks[0], 0, 1);
  assert.deepEqual([...begins].map((v) => Math.round(10 * v)), [1, 5, 9]);
  assert.deepEqual([...holds], [...begins]);
});
