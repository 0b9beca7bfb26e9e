import assert from "node:assert/strict";
import test from "node:test";
import { History } from "../../../engine/web/static/lib/history.js";
import { orderOf } from "../../../engine/web/static/lib/unit_order.js";
import { frame, net } from "./kit.mjs";

function seen(steps, made) {
  const history = new History(made);
  for (let s = 0; s < steps; s++) {
    // Neurons of even number swing together, those of odd number a quarter of the way off.
    history.push(frame(made, s, { h: Array.from({ length: 8 }, (_, u) => Math.sin(s / 3 + (u % 2 ? Math.PI / 2 : 0))) }));
  }
  return history;
}

test("before enough was seen there is none", () => {
  const made = net();
  assert.equal(orderOf(made, made.stack[0], seen(20, made)), null);
});

test("those that do alike stand side by side, each once", () => {
  const made = net();
  const order = [...orderOf(made, made.stack[0], seen(200, made))];
  assert.deepEqual([...order].sort((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.equal(order.filter((u, k) => k && u % 2 !== order[k - 1] % 2).length, 1);
});

test("the card's own order comes first", () => {
  const given = [7, 6, 5, 4, 3, 2, 1, 0];
  const made = net({ order: { 0: given } });
  assert.deepEqual([...orderOf(made, made.stack[0], seen(1, made))], given);
});
