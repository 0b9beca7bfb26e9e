import assert from "node:assert/strict";
import test from "node:test";
import { PLAY } from "../../../engine/web/static/lib/net.js";
import { Ranges, laneLayout, nameColumns, rowNames } from "../../../engine/web/static/lib/roll_layout.js";
import { frame, net } from "./kit.mjs";

function planned(height, size, cells = {}) {
  const made = net();
  const ranges = new Ranges(made);
  ranges.widen(frame(made, 0, { cells }));
  return { made, ranges, plan: laneLayout(made, ranges, height, size) };
}

test("every row lies in its lane, lanes do not overlap, and all fill the height", () => {
  for (const [height, size] of [[600, 12], [300, 18], [120, 18], [1000, 24]]) {
    const { plan } = planned(height, size);
    let y = 0;
    for (const lane of plan.lanes) {
      assert.ok(lane.y >= y - 1e-6);
      y = lane.y + lane.height;
      for (const slot of lane.slots) {
        assert.ok(plan.rowOf[slot] >= lane.y - 1e-3 && plan.rowOf[slot] + plan.tallOf[slot] <= y + 1e-3);
      }
    }
    assert.ok(Math.abs(y - height) < 1e-6);
  }
});

test("the highest pitch is on top, the last track uppermost", () => {
  const { plan, made } = planned(600, 12);
  assert.deepEqual(plan.lanes.map((l) => l.track.name), ["lead", "drums"]);
  const { slots } = plan.lanes[0];
  for (let k = 1; k < slots.length; k++) {
    assert.ok(made.slotPitch[slots[k]] > made.slotPitch[slots[k - 1]] && plan.rowOf[slots[k]] < plan.rowOf[slots[k - 1]]);
  }
});

test("a range grows for what is played, or nearly, and only once", () => {
  const made = net();
  const ranges = new Ranges(made);
  const played = frame(made, 0, { cells: { 26: PLAY } });
  assert.equal(ranges.widen(played), true);
  assert.equal(ranges.widen(played), false);
  assert.ok(ranges.slots(made.tracks[1]).includes(26));
  assert.equal(ranges.widen(frame(made, 1, { probability: { 3: 0.5 } })), true);
  assert.equal(ranges.widen(frame(made, 1, { probability: { 25: 0.1 } })), false);
});

test("names never overlap, whatever the height and their size", () => {
  for (let height = 60; height < 900; height += 37) {
    for (const size of [12, 18, 25]) {
      const { made, ranges, plan } = planned(height, size, { 4: PLAY, 26: PLAY });
      const names = rowNames(made, plan, ranges, size);
      names.slice(1).forEach(({ y }, k) => assert.ok(y - names[k].y >= size, `${height} ${size}`));
    }
  }
});

test("drums get rows that their names fit in, as long as the others have room", () => {
  const { made, ranges, plan } = planned(500, 18);
  const names = rowNames(made, plan, ranges, 18).filter(({ track }) => track.kind === "drums");
  assert.deepEqual(names.map(({ text }) => text), ["closed hi-hat", "snare", "kick"]);
});

test("of two drums whose names would overlap the one that is played more has it", () => {
  const { made, ranges, plan } = planned(60, 30);
  for (let k = 0; k < 5; k++) ranges.widen(frame(made, k, { cells: { 1: PLAY } }));
  const names = rowNames(made, plan, ranges, 30).filter(({ track }) => track.kind === "drums");
  assert.deepEqual(names.map(({ text }) => text), ["snare"]);
});

test("the columns of names are as wide as the longest", () => {
  const { made, ranges, plan } = planned(600, 12);
  const { tracks, left } = nameColumns(made, rowNames(made, plan, ranges, 12), (t) => 7 * t.length, (t) => 6 * t.length);
  assert.equal(tracks, 35);
  assert.ok(left >= 35 + 6 * "closed hi-hat".length);
});
