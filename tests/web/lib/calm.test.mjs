import assert from "node:assert/strict";
import test from "node:test";
import { Calm } from "../../../engine/web/static/lib/calm.js";

function swing(level, ms) {
  const calm = new Calm();
  const shown = [];
  for (let step = 0; step < 64; step++) {
    const now = level(step);
    shown.push(calm.soften("x", Float32Array.of(now), calm.note(now, step * ms))[0]);
  }
  const late = shown.slice(32);
  return Math.max(...late) - Math.min(...late);
}

test("more than three flashes a second are blended until little is left", () => {
  assert.ok(swing((s) => s % 2, 62.5) < 0.2);
});

test("what is slow, slight or musical is shown as it is", () => {
  assert.equal(swing((s) => s % 2, 500), 1);
  assert.ok(Math.abs(swing((s) => 0.5 + 0.04 * (s % 2), 62.5) - 0.04) < 1e-6);
  assert.equal(swing((s) => (s >> 4) % 2, 125), 1);
});
