import assert from "node:assert/strict";
import test from "node:test";
import { Net, isSigned, noteName, pitchName, signalOf } from "../../../engine/web/static/lib/net.js";
import { frame, net } from "./kit.mjs";

test("layers, signals and slots come from the card", () => {
  const made = net({ layers: 2 });
  assert.deepEqual(made.stack.map((l) => [l.index, l.units, l.rows]), [[0, 8, 1], [1, 8, 1]]);
  assert.deepEqual(made.signals, ["h", "c"]);
  assert.deepEqual([made.slotTrack[2], made.slotTrack[3], made.slotPitch[3]], [0, 1, 60]);
  assert.equal(made.layerName(made.stack[0]), "Layer 1");
  assert.equal(made.planes, false);
});

test("bytes are the numbers they stand for", () => {
  const made = net({ format: "u8" });
  const block = made.blocks[1];
  const values = new Uint8Array(made.values);
  values[block.at] = 255;
  values[block.at + 1] = 0;
  values[0] = 51;
  assert.deepEqual([made.value({ values }, block, 0), made.value({ values }, block, 1)], [4, -4]);
  assert.ok(Math.abs(made.probability({ values }, 0) - 0.2) < 1e-9);
});

test("bar and beat are counted from one", () => {
  const made = net();
  assert.deepEqual([0, 4, 15, 16, 67].map((s) => made.place(frame(made, s))), ["1.1", "1.2", "1.4", "2.1", "5.1"]);
  const jig = { numerator: 6, denominator: 8, groups: 0 };
  assert.deepEqual([0, 5, 6, 12, 30].map((s) => made.place({ ...frame(made, s), ...jig })), ["1.1", "1.1", "1.2", "2.1", "3.2"]);
  // The bar counts from where it begins, whatever the number of the step.
  assert.equal(made.place({ step: 400, beat: 7.5, ...jig }), "3.2");
  assert.equal(made.where({ step: 400, beat: 7.5, ...jig }, -31).bar, -1);
});

test("names of notes and of drums", () => {
  assert.deepEqual([pitchName(60), pitchName(61), pitchName(0)], ["C4", "C♯4", "C-1"]);
  const drums = { kind: "drums" };
  assert.deepEqual([noteName(drums, 36), noteName(drums, 99)], ["kick", "drum 99"]);
  assert.equal(net().slotName(3), "C4");
});

test("a table of notes by neurons is known, and chords as classes", () => {
  const card = {
    name: "t", steps_per_beat: 1, beats_per_bar: 4, classes: ["N", "C:maj"], tracks: [{ name: "p", kind: "pitched", pitches: [60, 61] }],
    activations: [
      { output: "h", layer: 0, signal: "h", shape: [2, 3], min: -1, max: 1 },
      { output: "k", layer: 1, signal: "chords", shape: [2], min: 0, max: 1 },
    ],
  };
  const made = new Net({ card, format: "f32", layout: { slots: 2, values: 12, blocks: { h: { at: 4, size: 6 }, k: { at: 10, size: 2 } } } });
  assert.equal(made.planes, true);
  assert.deepEqual(made.classes.names, ["N", "C:maj"]);
  assert.equal(made.stack.length, 1);
  assert.equal(isSigned(made.blocks[0]), true);
  assert.equal(signalOf({ signal: "mood", doc: "how it feels" }).why, "how it feels");
  assert.ok(frame(net(), 0).cells.length === 27);
});
