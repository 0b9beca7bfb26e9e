import assert from "node:assert/strict";
import test from "node:test";
import { readFileSync } from "node:fs";
import { PAST, decode } from "../../../engine/web/static/lib/frames.js";

// Written by Python: tests/web/test_lib.py holds the file to what engine/web/frames.py packs now.
const golden = JSON.parse(readFileSync(new URL("frames.json", import.meta.url)));
const bytes = (hex) => Uint8Array.from(hex.match(/../g), (two) => parseInt(two, 16)).buffer;

for (const format of ["f32", "u8"]) {
  test(`a step as ${format}`, () => {
    const { hex, step, beat, tempo, mode, cells, values } = golden[format];
    const { kind, content } = decode(bytes(hex), golden.layout);
    assert.equal(kind, "step");
    assert.deepEqual([content.step, content.beat, content.tempo, content.mode], [step, beat, tempo, mode]);
    assert.equal(content.flags & PAST, PAST);
    assert.deepEqual([...content.cells], cells);
    assert.deepEqual([...content.values], values);
  });
}

test("notes that begin and end", () => {
  assert.deepEqual(decode(bytes(golden.notes.hex), null), { kind: "notes", content: { events: golden.notes.events, lost: true } });
});

test("continuations", () => {
  const { content } = decode(bytes(golden.futures.hex), golden.layout);
  assert.deepEqual([content.step, content.count, content.steps], [golden.futures.step, golden.futures.count, golden.futures.steps]);
  assert.deepEqual([...content.notes], golden.futures.notes);
});

test("what moves between the steps", () => {
  for (const raw of [false, true]) {
    const { hex, beat, values, raw: own, trails } = golden.signals[raw ? "raw" : "plain"];
    const { kind, content } = decode(bytes(hex), null);
    assert.deepEqual([kind, content.beat, [...content.values], [...content.trails]], ["signals", beat, values, trails]);
    assert.deepEqual(content.raw && [...content.raw], own);
  }
});

test("sound", () => {
  assert.deepEqual([...decode(bytes(golden.sound.hex), null).content], golden.sound.samples);
});

test("what is not understood is nothing, and never an error", () => {
  assert.equal(decode(new ArrayBuffer(0), golden.layout), null);
  assert.equal(decode(new ArrayBuffer(40), golden.layout), null);
  assert.equal(decode(bytes(golden.f32.hex), null), null); // no hello yet
  const other = new Uint8Array(bytes(golden.notes.hex));
  other[5] = 99;
  assert.equal(decode(other.buffer, golden.layout), null);
});
