// untrained.js: every weight drawn anew from a seed, what says how the graph is built left as it was.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Chance } from "../../../engine/web/static/lib/nn.js";
import { readOnnx } from "../../../engine/web/static/lib/onnx.js";
import { untaught } from "../../../engine/web/static/lib/untrained.js";

const bytes = readFileSync(new URL("../../../models/festival/festival.onnx", import.meta.url));
const tables = (seed) => {
  const { graph } = readOnnx(bytes);
  if (seed) untaught(graph, 188, new Chance(seed));
  return Object.fromEntries(graph.constants.map(({ name, d }) => [name, d]));
};

test("the same seed gives the same network, another one another", () => {
  const [one, again, other] = [tables(1), tables(1), tables(2)];
  assert.deepEqual(one.layer3, again.layer3);
  assert.notDeepEqual(one.layer3, other.layer3);
});

test("weights are as wide as their unit has inputs; what nobody learned stays", () => {
  const [learned, drawn] = [tables(0), tables(1)];
  assert.ok(drawn.layer0.every((w) => Math.abs(w) <= 1 / Math.sqrt(300)));
  assert.ok(drawn.layer0.some((w) => w > 0.9 / Math.sqrt(300)));
  for (const name of ["pitch_classes", "tracks", "track_shares"]) assert.deepEqual(drawn[name], learned[name], name);
  assert.deepEqual([...new Set(drawn.scale0)], [1]);
  assert.deepEqual([drawn.bias0[0], drawn.bias0[150], drawn.bias0[300]], [0, 1, 0]);
  assert.deepEqual([drawn.ease[0], drawn.ease[187], drawn.ease[188]], [-4, -4, 0]);
});
