// metre.js: bars and beats in timesteps, as engine/core/metre.py counts them.

import assert from "node:assert/strict";
import test from "node:test";
import { metreOf, placeIn } from "../../../engine/web/static/lib/metre.js";

// As in tests/core/test_metre.py: bar, beat, beats, tempo's beat in quarters, strong beats in quarters.
const METRES = {
  "4/4": [16, 4, 4, 1, [0, 1, 2, 3]],
  "3/4": [12, 4, 3, 1, [0, 1, 2]],
  "6/8": [12, 6, 2, 1.5, [0, 1.5]],
  "12/8": [24, 6, 4, 1.5, [0, 1.5, 3, 4.5]],
  "5/4": [20, 4, 5, 1, [0, 3]],
  "7/8": [14, 2, 7, 1, [0, 1, 2]],
  "2/2": [16, 8, 2, 1, [0, 2]],
};

for (const [name, [bar, beat, beats, tempoBeat, strong]] of Object.entries(METRES)) {
  test(name, () => {
    const metre = metreOf(...name.split("/").map(Number), 0, 4);
    assert.deepEqual([metre.long, metre.bar, metre.beat, metre.beats, metre.tempoBeat], [name, bar, beat, beats, tempoBeat]);
    assert.deepEqual(metre.strong, strong.map((at) => 4 * at));
  });
}

test("groups other than the usual ones", () => {
  const metre = metreOf(7, 8, 0b0101001, 4);
  assert.deepEqual([metre.long, metre.strong], ["7/8 (3+2+2)", [0, 6, 10]]);
  assert.equal(metreOf(7, 8, 0b0101001, 4), metre); // made once
});

test("where a step lies", () => {
  const metre = metreOf(7, 8, 0, 4);
  const places = [14, 16, 18, 19, -2].map((position) => placeIn(metre, position));
  assert.deepEqual(places.map(({ bar, beat }) => [bar, beat]), [[1, 0], [1, 1], [1, 2], [1, 2], [-1, 6]]);
  assert.deepEqual(places.map(({ begins, accent }) => [begins, accent]), [[true, true], [true, false], [true, true], [false, false], [true, false]]);
  assert.equal(placeIn(metreOf(3, 4, 0, 4), 4).accent, false); // where all beats are alike none stands out
});
