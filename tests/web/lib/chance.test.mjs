// chance.js: lots that fall the same way for the same seed.

import assert from "node:assert/strict";
import test from "node:test";
import { Chance } from "../../../engine/web/static/lib/chance.js";

test("the same seed gives the same lots, another one others", () => {
  const lots = (seed) => Array.from({ length: 6 }, ((chance) => () => chance.below(1000))(new Chance(seed)));
  assert.deepEqual(lots(3), lots(3));
  assert.notDeepEqual(lots(3), lots(4));
});

test("lots fall as often as they are likely, and inside the range", () => {
  const chance = new Chance(5);
  const counts = [0, 0, 0];
  for (let k = 0; k < 3000; k++) counts[chance.choose([0.5, 0.3, 0.2])]++;
  [1500, 900, 600].forEach((expected, k) => assert.ok(Math.abs(counts[k] - expected) < 100, counts.join(" ")));
  assert.ok([...chance.spread(500, 2)].every((value) => value >= -2 && value < 2));
});
