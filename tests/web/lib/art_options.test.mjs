import assert from "node:assert/strict";
import test from "node:test";
import { LOOKS, PALETTES, read } from "../../../engine/web/static/art/options.js";

test("an empty address is a picture without faults", () => {
  const { options, faults } = read("");
  assert.deepEqual(faults, []);
  assert.equal(options.look, LOOKS[0]);
  assert.equal(options.flash, false);
});

test("everything can be asked for", () => {
  const { options, faults } = read("?look=orbit&palette=ember&ground=transparent&line=2.5&scale=0.5&text=on&flash=1&film=on");
  assert.deepEqual(faults, []);
  assert.deepEqual(options, { look: "orbit", palette: "ember", ground: "transparent", line: 2.5, scale: 0.5, text: true, flash: true, slate: false });
  assert.equal(read("?ground=black").options.ground, "#000000");
  assert.equal(read("?ground=0a0B0c").options.ground, "#0a0B0c");
});

test("what is wrong is named with what there is, all at once, and stays as it was", () => {
  const { options, faults } = read("?look=fire&palette=x&ground=red&line=&scale=9&text=maybe&colour=1");
  assert.equal(faults.length, 7);
  assert.match(faults[0], new RegExp(LOOKS.join(", ")));
  assert.match(faults[1], new RegExp(PALETTES.join(", ")));
  assert.equal(options.look, LOOKS[0]);
  assert.equal(options.line, 1);
  assert.equal(options.scale, 1);
});
