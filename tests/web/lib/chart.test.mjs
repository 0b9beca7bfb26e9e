// The bars of a chart that stand on the page, and which of them is played.

import assert from "node:assert/strict";
import { test } from "node:test";

import { roomFor, shownBars } from "../../../engine/web/static/lib/chart.js";

const words = (shown) => shown.map(({ words }) => words).join(" ");
const here = (shown) => shown.filter(({ here }) => here).map(({ bar }) => bar);

test("a short chart stands there whole and comes round", () => {
  const bars = ["C", "G", "Am", "F"];
  for (const [beat, bar] of [[0, 1], [3.9, 1], [4, 2], [15.9, 4], [16, 1], [21, 2], [-1, 4]]) {
    const shown = shownBars(bars, beat, 4, 8);
    assert.equal(words(shown), "C G Am F");
    assert.deepEqual(here(shown), [bar]);
  }
});

test("of a long one the line that is played, the last as short as it is", () => {
  const bars = Array.from({ length: 10 }, (_, n) => String(n + 1));
  assert.equal(words(shownBars(bars, 0, 4, 4)), "1 2 3 4");
  assert.equal(words(shownBars(bars, 4 * 4, 4, 4)), "5 6 7 8");
  const last = shownBars(bars, 9 * 4 + 1, 4, 4);
  assert.equal(words(last), "9 10");
  assert.deepEqual(here(last), [10]);
});

test("bars are as long as the metre makes them, and before anything sounds none is played", () => {
  assert.deepEqual(here(shownBars(["C", "G"], 3, 3, 8)), [2]);
  assert.deepEqual(here(shownBars(["C", "G"], null, 3, 8)), []);
  assert.deepEqual(shownBars([], 0, 4, 8), []);
  assert.deepEqual(shownBars(["C"], 0, 4, 0), []);
});

test("as many bars as have room, by fours", () => {
  assert.deepEqual([30, 70, 200, 300, 700].map((width) => roomFor(width, 64)), [1, 1, 3, 4, 8]);
});
