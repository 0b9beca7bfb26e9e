// ort.js: onnxruntime-web is an option. Where its files are not, the word says which and who plays instead; beside a stand-in for
// it, what goes in and comes out.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { openOrt } from "../../../engine/web/static/lib/ort.js";

const bytes = readFileSync(new URL("../../../models/chords/chords.onnx", import.meta.url));

test("without its files it says so", async () => {
  await assert.rejects(openOrt(bytes, "file:///nowhere/"), /onnxruntime-web is not in lib\/ort\/ .*/);
});

test("a session is fed by name, in int64 where the graph wants it; its states come back", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ort"));
  writeFileSync(
    join(folder, "ort.wasm.bundle.min.mjs"),
    `export const env = { wasm: {} };
     export class Tensor { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } }
     export const InferenceSession = { create: async () => ({ run: async (fed) => {
       const out = { notes: fed.x };
       for (const name in fed) out[name + "_next"] = { data: fed[name].data.map((v) => (typeof v === "bigint" ? v : v + 1)), dims: fed[name].dims };
       out.type = { data: [fed.position.type], dims: [1] };
       return out;
     } }) };`,
  );
  const player = await openOrt(bytes, `${pathToFileURL(folder).href}/`);
  const state = player.card.states[0];
  player.silence([[0, 1]]);
  const outputs = await player.step();
  assert.equal(outputs.type.d[0], "int64");
  assert.equal(player.inputs.position.d[0], 1n);
  assert.equal(player.inputs[state.name].d[0], (state.initial ?? 0) + 1);
  if (player.inputs.h0) assert.deepEqual([...player.inputs.h0.d.slice(0, 3)], [1, 0, 1]);
});
