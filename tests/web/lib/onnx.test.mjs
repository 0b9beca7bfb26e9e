// onnx.js: what a file holds, and files that are none.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readOnnx } from "../../../engine/web/static/lib/onnx.js";

const chords = readFileSync(new URL("../../../models/chords/chords.onnx", import.meta.url));

test("graph and card of a shipped network", () => {
  const { graph, card } = readOnnx(chords);
  assert.equal(card.name, "chords");
  assert.deepEqual(graph.inputs.find(({ name }) => name === "x").s, [-1, 136, 2]);
  assert.ok(graph.inputs.find(({ name }) => name === "position").whole);
  const split = graph.nodes.find(({ op }) => op === "Split");
  assert.equal(split.attributes.axis, -1); // a negative number takes ten bytes
  for (const { d, s } of graph.constants) assert.equal(d.length, s.reduce((n, k) => n * k, 1));
});

test("half precision is widened", () => {
  const { graph } = readOnnx(readFileSync(new URL("../../../models/festival/festival.onnx", import.meta.url)));
  const weights = graph.constants.filter(({ d }) => d.length > 50000);
  assert.ok(weights.length > 5);
  for (const { d } of weights) assert.ok(d.every((v) => Number.isFinite(v)) && d.some((v) => v !== 0));
});

test("what is no network of ours is refused in words", () => {
  assert.throws(() => readOnnx(new Uint8Array(0)), /no ONNX file/);
  assert.throws(() => readOnnx(new TextEncoder().encode("<html>not found</html>")), /ONNX|ends/);
  assert.throws(() => readOnnx(chords.subarray(0, 5000)), /ends in the middle/);
});
