import assert from "node:assert/strict";
import test from "node:test";
import { mod, short, signed } from "../../../engine/web/static/lib/number.js";

test("a remainder is never negative", () => {
  for (let a = -40; a < 40; a++) assert.ok(mod(a, 7) >= 0 && (a - mod(a, 7)) % 7 === 0);
});

test("numbers are written as people read them", () => {
  assert.deepEqual([signed(0.314), signed(-0.02), signed(0)], ["+0.31", "−0.02", "+0.00"]);
  assert.deepEqual([short(-4), short(0.5), short(1 / 3)], ["−4", "0.5", "0.33"]);
});
