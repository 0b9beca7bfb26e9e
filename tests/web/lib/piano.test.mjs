import assert from "node:assert/strict";
import test from "node:test";
import { isBlack, pianoKeys, velocityAt } from "../../../engine/web/static/lib/piano.js";

test("white keys fill the width, black ones lie over the gaps", () => {
  for (const width of [200, 390, 1440, 1920]) {
    const keys = pianoKeys(60, width, 30);
    const whites = keys.filter((k) => !k.black);
    whites.forEach((k, i) => assert.ok(Math.abs(k.left - i / whites.length) < 1e-9));
    assert.ok(Math.abs(whites.at(-1).left + whites.at(-1).width - 1) < 1e-9);
    for (const key of keys.filter((k) => k.black)) {
      const below = keys.find((k) => k.pitch === key.pitch - 1);
      assert.ok(key.left > below.left && key.left + key.width < below.left + 2 * below.width);
    }
  }
});

test("every pitch is there once, in order, and none beyond MIDI's", () => {
  for (const base of [12, 24, 60, 96, 108]) {
    const pitches = pianoKeys(base, 1900, 30).map((k) => k.pitch);
    pitches.slice(1).forEach((p, i) => assert.equal(p, pitches[i] + 1));
    assert.ok(pitches.at(-1) < 128 && pitches[0] >= 12);
  }
});

test("keys are no narrower than asked, and an octave is always there", () => {
  assert.equal(pianoKeys(60, 100, 34).filter((k) => !k.black).length, 7);
  const whites = pianoKeys(60, 390, 34).filter((k) => !k.black).length;
  assert.ok(390 / whites >= 34);
});

test("the letters of the computer begin at the base", () => {
  const keys = pianoKeys(60, 1440, 30);
  assert.equal(keys.find((k) => k.pitch === 60).letter, "A");
  assert.equal(keys.find((k) => k.pitch === 76).letter, ";");
  assert.equal(keys.find((k) => k.pitch === 59).letter, "");
  assert.deepEqual([isBlack(61), isBlack(64)], [true, false]);
});

test("lower on the key is louder, within MIDI", () => {
  assert.ok(velocityAt(1) > velocityAt(0.1));
  assert.deepEqual([velocityAt(-3), velocityAt(9)], [50, 120]);
});
