// affinity.js: what a neuron goes with, and which one is worth looking at.

import assert from "node:assert/strict";
import test from "node:test";
import { History } from "../../../engine/web/static/lib/history.js";
import { findUnit, isFaint, strongest } from "../../../engine/web/static/lib/affinity.js";
import { frame, net } from "./kit.mjs";

test("three notes for and three against at most, the strongest first, faint ones not at all", () => {
  const { yes, no } = strongest(Float32Array.of(0.2, -0.5, 0.05, 0.9, 0.3, 0.4, -0.1, -0.07));
  assert.deepEqual([yes, no], [[3, 5, 4], [1, 6]]);
  assert.ok(isFaint(-0.05) && !isFaint(-0.5));
});

test("each way of looking finds the unit it is meant for", () => {
  const made = net();
  const history = new History(made);
  for (let step = 0; step < 64; step++) {
    const note = step % 7 === 0;
    const h = [0.01 * (step % 3), step % 16 === 0 ? 1 : 0, note ? 1 : -1, step === 63 ? -1 : 0.1];
    history.push(frame(made, step, { h, cells: note ? { 5: 1 } : {} }));
  }
  const found = (how) => findUnit(history, made.stack[0], how, history.first);
  assert.deepEqual(["beat", "note", "loud"].map(found), [1, 2, 2]);
  history.push(frame(made, 64, { h: [0, 0, 0.1, -1] }));
  assert.equal(found("loud"), 3);
});
