// pointing.js: a frame around what is meant, a card beside it.

import assert from "node:assert/strict";
import test from "node:test";
import { around, beside } from "../../../engine/web/static/lib/pointing.js";

test("a frame goes around all that is meant, and not beyond what can be seen", () => {
  const limit = { left: 0, top: 0, right: 100, bottom: 100 };
  const box = (left, top, right, bottom) => ({ left, top, right, bottom });
  assert.deepEqual(around([box(10, 10, 20, 20), box(50, 60, 90, 300)], limit), box(10, 10, 90, 100));
  assert.equal(around([box(10, 200, 20, 300)], limit), null);
  assert.equal(around([], limit), null);
});

test("a card stands on the screen and, where it can, not on what it speaks of", () => {
  const card = { width: 300, height: 200 };
  for (const screen of [{ width: 390, height: 844 }, { width: 1440, height: 900 }, { width: 1920, height: 1080 }]) {
    for (let x = 0; x < screen.width - 100; x += 97) {
      for (let y = 0; y < screen.height - 60; y += 83) {
        const box = { left: x, top: y, right: x + 100, bottom: y + 60 };
        const { left, top } = beside(box, card, screen);
        assert.ok(left >= 0 && top >= 0 && left + 300 <= screen.width && top + 200 <= screen.height);
        const apart = left >= box.right || left + 300 <= box.left || top >= box.bottom || top + 200 <= box.top;
        assert.ok(apart);
      }
    }
  }
  assert.ok(beside(null, card, { width: 390, height: 844 }).top > 500);
});

test("a card keeps off what is to be touched, where it can", () => {
  const screen = { width: 1920, height: 1080 };
  const card = { width: 430, height: 260 };
  const box = { left: 1000, top: 340, right: 1900, bottom: 740 };
  const above = { left: 1100, top: 80, right: 1900, bottom: 130 };
  assert.equal(beside(box, card, screen, null).top, 760);
  assert.equal(beside(box, card, screen, { left: 1000, top: 800, right: 1900, bottom: 900 }).top, 60);
  const low = { left: 1000, top: 340, right: 1900, bottom: 1000 };
  assert.equal(beside(low, card, screen, above).left, 1000 - 430 - 24);
  const all = { left: 0, top: 60, right: 1920, bottom: 1000 };
  assert.equal(beside(all, card, screen, { left: 900, top: 900, right: 1000, bottom: 1000 }).top, 8);
});
