// qr.js: codes as others make them. The expected ones were read back by OpenCV's reader; the words of correction are the standard's.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { correction, qr } from "../../../engine/web/static/lib/qr.js";

test("the words of correction of the standard's own example", () => {
  // ISO/IEC 18004, annex I: version 1-M of 01234567
  const data = [16, 32, 12, 86, 97, 128, 236, 17, 236, 17, 236, 17, 236, 17, 236, 17];
  assert.deepEqual(correction(data, 10), [165, 36, 212, 193, 237, 54, 199, 135, 44, 85]);
});

test("size grows with the text, corners and timing stand", () => {
  for (const [text, size] of [["http://a", 21], ["http://192.168.1.20:8000/explore/#phone", 29], ["x".repeat(190), 49]]) {
    const code = qr(text);
    assert.equal(code.length, size);
    for (const [r, c] of [[3, 3], [3, size - 4], [size - 4, 3]]) assert.equal(code[r][c], 1);
    for (let k = 8; k < size - 8; k++) assert.equal(code[6][k], k % 2 === 0 ? 1 : 0);
    assert.equal(code[size - 8][8], 1);
    assert.ok(code.every((row) => row.every((cell) => cell === 0 || cell === 1)));
  }
});

test("a code that a reader was seen to read stays as it is", () => {
  const hash = createHash("sha256").update(qr("http://192.168.1.20:8000/explore/#phone").map((row) => row.join("")).join("\n")).digest("hex");
  assert.equal(hash, READ);
});

test("a text that does not fit is refused in words", () => {
  assert.throws(() => qr("x".repeat(400)), /400 letters is too long/);
});

const READ = "d39201788e5087d00ce2fa8e77bad41c1abb0a72d0010377e7d744861bdb7f54";
