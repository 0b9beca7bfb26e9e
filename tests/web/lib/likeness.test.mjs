import assert from "node:assert/strict";
import test from "node:test";
import { Likeness, pieces } from "../../../engine/web/static/lib/likeness.js";
import { frame, net } from "./kit.mjs";

function compared(steps) {
  const made = net();
  const likeness = new Likeness(made);
  // Four bars of states that come back every 32 steps.
  for (let s = 0; s < steps; s++) likeness.push(frame(made, s, { h: Array.from({ length: 8 }, (_, u) => Math.cos((2 * Math.PI * (u + 1) * (s % 32)) / 32 + u)) }), s);
  return likeness;
}

test("a moment is like itself, and like the one that came back", () => {
  const likeness = compared(100);
  assert.equal(likeness.of(50, 50), 1);
  assert.ok(likeness.of(50, 82) > 0.99);
  assert.equal(likeness.of(40, 70), likeness.of(70, 40));
});

test("the best are apart from each other and sorted", () => {
  const likeness = compared(200);
  const best = likeness.best(199, 4);
  assert.deepEqual(best.slice(0, 2).map((n) => (199 - n) % 32), [0, 0]);
  best.forEach((n, k) => best.slice(k + 1).forEach((m) => assert.ok(Math.abs(n - m) >= 16)));
  const likings = best.map((n) => likeness.of(n, 199));
  assert.deepEqual(likings, [...likings].sort((a, b) => b - a));
});

test("it forgets what is too old", () => {
  const likeness = compared(700);
  assert.deepEqual([likeness.length, likeness.has(187), likeness.has(188), likeness.has(699)], [512, false, true, true]);
});

test("a run on a ring in pieces that do not wrap", () => {
  assert.deepEqual(pieces(500, 30, 512), [[500, 12], [512, 18]]);
  assert.deepEqual(pieces(0, 10, 512), [[0, 10]]);
});
