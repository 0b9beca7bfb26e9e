import assert from "node:assert/strict";
import test from "node:test";
import { Steps, around, beside, cards } from "../../../engine/web/static/lib/walk.js";
import { net } from "./kit.mjs";

test("every network gets the cards that are true of it", () => {
  const whole = cards(net({ layers: 2 }));
  assert.deepEqual(whole.map((c) => c.view), ["network", "network", "network", "network", "network", "network", "neuron", "moments", "roll", "network"]);
  assert.ok(whole.at(-1).last);
  assert.ok(!cards(net()).some((c) => c.title.startsWith("Layers"))); // one layer builds on nothing
  const recorded = net();
  recorded.recorded = true;
  assert.ok(!cards(recorded).some((c) => c.last || /look ahead|play along/i.test(c.text)));
  const blind = net();
  Object.assign(blind, { stack: [], signals: [] });
  assert.ok(cards(blind).every((c) => c.view === "network" || c.view === "roll"));
});

test("what speaks of memory points at memory, and has it shown", () => {
  const memory = cards(net()).find((c) => c.title === "It remembers");
  assert.deepEqual([memory.signal, memory.ring], ["c", '.bed[data-signal="c"]']);
});

test("steps go from the first to the last, and then there is none", () => {
  const steps = new Steps(["a", "b", "c"]);
  assert.equal(steps.card, null);
  assert.deepEqual([steps.go(0), steps.first, steps.back(), steps.next(), steps.next(), steps.last, steps.next(), steps.card], ["a", true, "a", "b", "c", true, null, null]);
});

test("without a visitor they go round", () => {
  const steps = new Steps(["a", "b"]);
  assert.deepEqual([steps.round(), steps.round(), steps.round()], ["a", "b", "a"]);
});

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
