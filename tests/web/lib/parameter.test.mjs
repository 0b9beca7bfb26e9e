import assert from "node:assert/strict";
import test from "node:test";
import { readFileSync } from "node:fs";
import "./kit.mjs";
import { clamp, controlOf, docOf, fromShare, nameOf, places, rounded, sorted, textOf, toShare } from "../../../engine/web/static/lib/parameter.js";

// Computed by Python's Parameter: tests/web/test_lib.py holds the file to what that says now.
const golden = JSON.parse(readFileSync(new URL("parameters.json", import.meta.url)));
const near = (a, b) => assert.ok(Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b)), `${a} is not ${b}`);

for (const { parameter: p, to_share, from_share } of golden) {
  test(`${p.id} goes to 0..1 and back as in Python`, () => {
    for (const [value, share] of to_share) near(toShare(p, value), share);
    for (const [share, value] of from_share) near(fromShare(p, share), value);
  });
}

const parameter = (id, more = {}) => ({ id, min: 0, max: 1, default: 0, doc: "", unit: "", kind: "continuous", scale: "linear", choices: [], ...more });

test("what is no number becomes the default", () => {
  assert.equal(clamp(parameter("x", { default: 0.25 }), NaN), 0.25);
  assert.equal(fromShare(parameter("x", { default: 0.25 }), NaN), 0.25);
});

test("each kind has its control", () => {
  const kinds = golden.map(({ parameter: p }) => controlOf(p));
  for (const kind of ["slider", "number", "switch", "trigger", "choice", "list"]) assert.ok(kinds.includes(kind), kind);
  assert.equal(places(parameter("bars", { kind: "integer", max: 16 })), 16);
});

test("values are written as people read them", () => {
  assert.equal(textOf(parameter("level"), 0.8), "80 %");
  assert.equal(textOf(parameter("bass.lowest", { kind: "integer", min: 28, max: 59 }), 36), "C2");
  assert.deepEqual(["loop", "fills"].map((id) => textOf(parameter(id, { kind: "integer", max: 16, unit: "bars" }), 0)), ["off", "never"]);
  assert.equal(textOf(parameter("tempo", { min: 20, max: 400, unit: "bpm" }), 119.6), "120 bpm");
  assert.equal(textOf(parameter("cutoff", { min: 20, max: 20000, unit: "Hz", scale: "exponential" }), 1234.5), "1235 Hz");
  assert.equal(textOf(parameter("pan", { min: -1 }), -0.5), "−0.50");
  assert.equal(textOf(parameter("mute", { kind: "switch" }), 1), "on");
  assert.equal(textOf(parameter("mode", { kind: "choice", max: 1, choices: ["trade", "solo"] }), 1), "solo");
  assert.equal(textOf(parameter("rest", { max: 8, unit: "beats" }), 1), "1 beat");
  assert.equal(textOf(parameter("tune", { min: -12, max: 12, unit: "semitones", kind: "integer" }), 1), "1 semitone"); // a patch's own unit
  assert.deepEqual([rounded(parameter("x", { unit: "bpm" }), 119.6), rounded(parameter("x"), 0.123456)], [120, 0.123]);
});

test("every parameter has one place, whatever comes and goes", () => {
  const all = ["tempo", "mode", "panic", "lead.level", "lead.mute", "lead.punch", "lead.pan", "lead.cutoff", "player.room", "odd", "leader.x"].map((id) => parameter(id));
  const { groups, strips, rest } = sorted(all, ["player", "lead", "drums"], [["Together", ["mode"]], ["Time", ["tempo", "metronome"]]], ["panic"]);
  assert.deepEqual(groups.map(([title, list]) => [title, list.map((p) => p.id)]), [["Together", ["mode"]], ["Time", ["tempo"]]]);
  assert.deepEqual(strips.map((s) => [s.name, s.level?.id, s.mute?.id, s.solo, s.punch?.id, s.fold.map((p) => p.id)]), [
    ["player", undefined, undefined, undefined, undefined, ["player.room"]],
    ["lead", "lead.level", "lead.mute", undefined, "lead.punch", ["lead.pan", "lead.cutoff"]],
  ]);
  assert.deepEqual(rest.map((p) => p.id), ["odd", "leader.x"]);
});

test("a parameter that nobody translated is in the engine's words", () => {
  assert.deepEqual([nameOf(parameter("futures")), nameOf(parameter("wobble"))], ["looks ahead", "wobble"]);
  assert.equal(docOf(parameter("tempo", { doc: "as the engine says" })), "Speed of the beat.");
  assert.equal(docOf(parameter("lead.cutoff", { doc: "Where the filter rests" }), "lead"), "Where the filter rests.");
  assert.equal(docOf(parameter("lead.mute"), "lead"), "Silence the lead (it plays on unheard).");
  assert.equal(docOf(parameter("player.mute"), "you"), "Silence the player's own sound.");
});
