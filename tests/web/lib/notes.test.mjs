import assert from "node:assert/strict";
import test from "node:test";
import { CLAMPED, HOLD, PLAY, TOLD } from "../../../engine/web/static/lib/net.js";
import { HELD, Rows, SOUNDED, YOURS, barsBetween, byPlayer, slotPlaces, sounded } from "../../../engine/web/static/lib/notes.js";
import { net } from "./kit.mjs";

const one = (step, cell) => ({ step, cells: Uint8Array.of(cell) });

test("what sounded is what the network was told a step later", () => {
  assert.equal(sounded(one(5, PLAY), one(6, TOLD), 0), SOUNDED);
  assert.equal(sounded(one(5, 0), one(6, TOLD), 0) & YOURS, YOURS); // came too late to be chosen
  assert.equal(sounded(one(5, PLAY), one(6, 0), 0), 0); // chosen, but did not sound
  assert.equal(sounded(one(5, 0), one(7, TOLD), 0), 0); // a step is missing: says nothing of this one
  assert.equal(sounded(one(5, PLAY | CLAMPED), null, 0) & YOURS, YOURS);
  assert.equal(sounded(one(5, PLAY | HOLD), null, 0) & HELD, HELD);
  assert.equal(byPlayer(one(0, PLAY), 0), false);
});

test("rows: the highest pitch on top, drums below, none twice", () => {
  const rows = new Rows(net());
  assert.equal(rows.ofSlot[26], 0);
  assert.equal(rows.ofSlot[3], 23);
  assert.deepEqual(rows.ofSlot.slice(0, 3), [26, 27, 28]);
  assert.equal(new Set(rows.ofSlot).size, 27);
  assert.equal(rows.count, 29);
});

test("places on a strip fill it from left to right", () => {
  const { left, wide } = slotPlaces(net(), 600);
  for (let s = 1; s < 27; s++) assert.ok(left[s] >= left[s - 1] + wide[s - 1] - 1e-3);
  assert.ok(Math.abs(left[26] + wide[26] - 600) < 1e-2);
  assert.ok(wide[0] > wide[5]);
});

test("names of bars do not run into each other", () => {
  for (const width of [5, 30, 57, 58, 200]) assert.ok(width * barsBetween(width) >= 58);
  assert.equal(barsBetween(58), 1);
});
