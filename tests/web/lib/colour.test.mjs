import assert from "node:assert/strict";
import test from "node:test";
import { rgb, shade, trackColour, withAlpha } from "../../../engine/web/static/lib/colour.js";
import { palette } from "./kit.mjs";

test("the diverging map is black in the middle, cool below, warm above", () => {
  const at = (v) => shade(palette.luts.diverging, v, -1, 1).match(/\d+/g).map(Number);
  assert.ok(Math.max(...at(0)) < 24);
  const [low, high] = [at(-0.6), at(0.6)];
  assert.ok(low[2] > low[0] && high[0] > high[2]);
});

test("maps end where the palette says, and values beyond the range get the ends", () => {
  for (const name of ["diverging", "sequential", "grey"]) {
    const lut = palette.luts[name];
    assert.deepEqual([...lut.subarray(0, 3)], rgb(palette[name][0][1]));
    assert.deepEqual([...lut.subarray(1020, 1023)], rgb(palette[name].at(-1)[1]));
    assert.equal(shade(lut, -9, 0, 1), shade(lut, 0, 0, 1));
    assert.equal(shade(lut, 9, 0, 1), shade(lut, 1, 0, 1));
  }
});

test("sequential maps only grow brighter", () => {
  for (const name of ["sequential", "grey"]) {
    const lut = palette.luts[name];
    const light = Array.from({ length: 256 }, (_, i) => lut[4 * i] + lut[4 * i + 1] + lut[4 * i + 2]);
    light.slice(1).forEach((v, i) => assert.ok(v >= light[i]));
  }
});

test("an instrument has its colour in every network, another takes the next", () => {
  assert.equal(trackColour({ name: "bass", index: 3 }), palette.tracks.bass);
  assert.equal(trackColour({ name: "piano", index: 0, alone: true }), palette.network);
  assert.equal(trackColour({ name: "oboe", index: 6 }), palette.others[1]);
  assert.equal(withAlpha("#102030", 0.5), "rgba(16,32,48,0.5)");
});
