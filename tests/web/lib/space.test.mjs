// space.js: turning space, and what a plane cuts out of a cube.

import assert from "node:assert/strict";
import { test } from "node:test";
import { EDGES, cut, turned } from "../../../engine/web/static/lib/space.js";

const near = (a, b) => a.forEach((v, k) => assert.ok(Math.abs(v - b[k]) < 1e-12, `${a} is not ${b}`));

test("nothing turned is nothing changed; a quarter brings the front to the side; lengths stay", () => {
  near(turned([1, 2, 3], 0, 0), [1, 2, 3]);
  near(turned([0, 0, 1], Math.PI / 2, 0), [1, 0, 0]);
  near(turned([0, 1, 0], 0, Math.PI / 2), [0, 0, 1]);
  assert.ok(Math.abs(Math.hypot(...turned([1, 2, 3], 0.7, -0.4)) - Math.hypot(1, 2, 3)) < 1e-12);
});

test("a cube has twelve edges, each as long as the other", () => {
  assert.equal(EDGES.length, 12);
  for (const [from, to] of EDGES) assert.equal(Math.hypot(...from.map((v, k) => v - to[k])), 2);
});

test("a plane cuts a square, a triangle, a hexagon or nothing, in order round it", () => {
  assert.deepEqual(cut([0, 0, 1], 5), []);
  for (const [normal, b, corners, area] of [[[0, 0, 3], 0, 4, 4], [[1, 1, 1], 2, 3, Math.sqrt(3) / 2], [[-2, 2, 2], 0, 6, 3 * Math.sqrt(3)]]) {
    const found = cut(normal, b);
    assert.equal(found.length, corners);
    for (const p of found) assert.ok(Math.abs(p.reduce((sum, v, k) => sum + v * normal[k], b)) < 1e-12);
    // Corners in another order would enclose another area.
    const whole = [0, 0, 0];
    found.forEach((p, k) => {
      const q = found[(k + 1) % found.length];
      [0, 1, 2].forEach((a) => (whole[a] += (p[(a + 1) % 3] * q[(a + 2) % 3] - p[(a + 2) % 3] * q[(a + 1) % 3]) / 2));
    });
    assert.ok(Math.abs(Math.hypot(...whole) - area) < 1e-9, `${Math.hypot(...whole)} for ${area}`);
  }
});
