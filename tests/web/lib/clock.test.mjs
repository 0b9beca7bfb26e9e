import assert from "node:assert/strict";
import test from "node:test";
import { BeatClock } from "../../../engine/web/static/lib/clock.js";

test("time goes on between two steps, smoothly, and never far past the last", () => {
  const clock = new BeatClock();
  assert.equal(clock.beatAt(0), 0);
  for (let k = 0; k < 40; k++) clock.step(k / 4, 120, 1000 + 125 * k + (k % 2 ? 6 : -6));
  assert.ok(Math.abs(clock.beatAt(1000 + 125 * 39) - 9.75) < 0.02);
  assert.ok(Math.abs(clock.beatAt(1000 + 125 * 39.5) - 9.875) < 0.02);
  assert.ok(Math.abs(clock.beatAt(1e6) - 10.05) < 1e-9);
});

test("a jump is followed at once", () => {
  const clock = new BeatClock();
  clock.step(9, 120, 1000);
  clock.step(2, 120, 2000);
  assert.equal(clock.beatAt(2000), 2);
});
