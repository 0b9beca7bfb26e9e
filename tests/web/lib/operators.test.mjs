// operators.js: what the player's operators compute, beside the plainest way to say the same; memory that is used again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { OPERATORS, size } from "../../../engine/web/static/lib/operators.js";

const tensor = (s, at = (k) => k + 1) => ({ d: Float32Array.from({ length: size(s) }, (_, k) => at(k)), s });
const ints = (...d) => ({ d: Int32Array.from(d), s: [d.length] });
const node = (op, count = 2, attributes = {}, outputs = 1) => ({
  op, attributes, inputs: Array.from({ length: count }, (_, k) => `in${k}`), outputs: Array.from({ length: outputs }, (_, k) => `out${k}`), constant: new Array(count).fill(true),
});
const run = (op, inputs, attributes = {}, outputs = 1) => OPERATORS[op](node(op, inputs.length, attributes, outputs))(inputs);
const told = ({ d, s }) => ({ d: [...d], s });

test("shapes are spread over each other from the right", () => {
  for (const [a, b] of [[[2, 3], [2, 3]], [[2, 3], []], [[2, 3], [3]], [[2, 1, 3], [4, 1]], [[1, 2, 1, 4], [3, 4]], [[5], [2, 3, 1]]]) {
    const [x, y] = [tensor(a), tensor(b, (k) => 10 * (k + 1))];
    const out = run("Sub", [x, y]);
    const rank = Math.max(a.length, b.length);
    const shape = Array.from({ length: rank }, (_, k) => Math.max(a[a.length - rank + k] ?? 1, b[b.length - rank + k] ?? 1));
    assert.deepEqual(out.s, shape);
    const place = (own, index) => own.reduce((at, n, k) => at * n + (n === 1 ? 0 : index[rank - own.length + k]), 0);
    for (let k = 0; k < size(shape); k++) {
      const index = shape.map((n, axis) => Math.floor(k / size(shape.slice(axis + 1))) % n);
      assert.equal(out.d[k], x.d[place(a, index)] - y.d[place(b, index)], `${a} and ${b} at ${index}`);
    }
  }
  assert.throws(() => run("Add", [tensor([2]), tensor([3])]), /do not go together/);
});

test("axes are summed, gathered, cut, turned and put together", () => {
  const cube = tensor([2, 3, 4]);
  assert.deepEqual(told(run("ReduceSum", [cube, ints(1)], { keepdims: 0 })), { d: [15, 18, 21, 24, 51, 54, 57, 60], s: [2, 4] });
  assert.deepEqual(told(run("ReduceMax", [cube, ints(-1)])), { d: [4, 8, 12, 16, 20, 24], s: [2, 3, 1] });
  assert.deepEqual(told(run("ReduceL1", [tensor([2], (k) => -k - 1)], { keepdims: 0 })), { d: [3], s: [] });
  assert.throws(() => run("ReduceSum", [cube, ints(0, 2)]), /lie apart/);
  assert.deepEqual(told(run("Gather", [cube, ints(2, -3)], { axis: 1 })), { d: [9, 10, 11, 12, 1, 2, 3, 4, 21, 22, 23, 24, 13, 14, 15, 16], s: [2, 2, 4] });
  const rows = { d: Int32Array.of(2, 0, 1, -1), s: [2, 2, 1] };
  assert.deepEqual(told(run("GatherND", [cube, rows], { batch_dims: 1 })), { d: [9, 10, 11, 12, 1, 2, 3, 4, 17, 18, 19, 20, 21, 22, 23, 24], s: [2, 2, 4] });
  assert.throws(() => run("GatherND", [cube, ints(0)], { batch_dims: 1 }), /single rows/);
  assert.deepEqual(told(run("Slice", [cube, ints(1), ints(99), ints(2)])), { d: [2, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 19, 20, 22, 23, 24], s: [2, 3, 3] });
  assert.deepEqual(told(run("Slice", [tensor([1, 3, 2]), ints(1), ints(3), ints(1)])), { d: [3, 4, 5, 6], s: [1, 2, 2] });
  assert.throws(() => run("Slice", [cube, ints(0), ints(4), ints(2), ints(2)]), /in steps/);
  assert.deepEqual(told(run("Transpose", [tensor([2, 3])], { perm: [1, 0] })), { d: [1, 4, 2, 5, 3, 6], s: [3, 2] });
  assert.deepEqual(told(run("Pad", [tensor([1, 2]), ints(0, 1, 0, 2)])), { d: [0, 1, 2, 0, 0], s: [1, 5] });
  assert.deepEqual(told(run("Concat", [tensor([2, 1]), tensor([2, 2])], { axis: 1 })), { d: [1, 1, 2, 2, 3, 4], s: [2, 3] });
  const parts = run("Split", [tensor([2, 3]), ints(1, 2)], { axis: 1 }, 2);
  assert.deepEqual(parts.map(told), [{ d: [1, 4], s: [2, 1] }, { d: [2, 3, 5, 6], s: [2, 2] }]);
  assert.deepEqual(told(run("Reshape", [tensor([2, 3]), ints(0, -1, 1)])), { d: [1, 2, 3, 4, 5, 6], s: [2, 3, 1] });
});

test("a product is the same sums in the same order, whatever rows a zero leaves out", () => {
  for (const inner of [1, 7, 8, 9, 40]) {
    const x = tensor([2, inner], (k) => (k % 3 ? Math.sin(k) : 0));
    const [w, c] = [tensor([inner, 5], (k) => Math.cos(3 * k)), tensor([1, 5])];
    const wanted = Float32Array.from({ length: 10 }, (_, k) => {
      let sum = c.d[k % 5];
      for (let n = 0; n < inner; n++) sum += x.d[Math.floor(k / 5) * inner + n] * w.d[n * 5 + (k % 5)];
      return sum;
    });
    assert.deepEqual(told(run("Gemm", [x, w, c])), { d: [...wanted], s: [2, 5] });
  }
  assert.deepEqual(told(run("MatMul", [tensor([2, 1, 2]), tensor([2, 2, 1])])), { d: [5, 25], s: [2, 1, 1] });
});

test("a step after the first makes no new arrays; another shape does", () => {
  const add = OPERATORS.Add(node("Add"));
  const [one, again] = [add([tensor([3]), tensor([3])]), add([tensor([3]), tensor([1])])];
  assert.equal(one.d, again.d);
  assert.notEqual(add([tensor([4]), tensor([4])]).d, one.d);
  const a = tensor([1, 4]);
  assert.equal(run("Unsqueeze", [a, ints(0)]).d, a.d);
});

test("numbers that have to be constants are asked to be", () => {
  assert.throws(() => OPERATORS.Reshape({ ...node("Reshape"), constant: [false, false] }), /computed/);
});
