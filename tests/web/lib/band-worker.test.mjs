// band-worker.js: a thread's side of the band, with this test in the place of the page.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const bytes = readFileSync(new URL("../../../models/festival/festival.onnx", import.meta.url));
const told = [];
let wake = () => {};
Object.assign(globalThis, {
  onmessage: null,
  postMessage: (message) => {
    told.push(message);
    wake();
  },
  fetch: async (address) => (address === "here" ? { ok: true, arrayBuffer: async () => bytes } : { ok: false, status: 404 }),
});
const { conduct } = await import("../../../engine/web/static/lib/band-worker.js");

const heard = async (what, count = 1) => {
  while (told.filter((message) => message.what === what).length < count) await new Promise((done) => (wake = done));
  return told.filter((message) => message.what === what);
};
const order = (name, more = {}) => globalThis.onmessage({ data: { order: name, ...more } });

test("what is ordered while it opens waits; what is ordered of none changes nothing", async () => {
  const own = [];
  const take = conduct((message) => own.push(message));
  await take({ order: "down", pitch: 72 });
  const open = take({ order: "open", address: "here", seed: 1 });
  await take({ order: "silence", units: [[0, -1]] });
  await open;
  await take({ order: "start", bpm: 600 });
  await take({ order: "stop" });
  assert.deepEqual(own.map(({ what }) => what), ["open", "step"]);
  assert.ok(own[1].h[0].every((v) => v === 0));
});

test("opens, plays in time, takes keys, stops; what goes wrong is told", async () => {
  await order("open", { address: "nowhere", seed: 1 });
  assert.match((await heard("fault"))[0].reason, /nowhere is missing \(404\)/);
  await order("open", { address: "here", seed: 1, ort: true }); // its files are not there
  assert.match((await heard("notice"))[0].reason, /onnxruntime-web is not in lib\/ort\//);
  const [{ card, by }] = await heard("open");
  assert.deepEqual([card.name, by], ["festival", "player.js"]);
  order("down", { pitch: 72 });
  await order("set", { temperature: 0.9 });
  await order("silence", { units: [[0, 1]] });
  await order("start", { bpm: 600 });
  const steps = await heard("step", 4);
  await order("stop");
  assert.deepEqual(steps.slice(0, 4).map(({ step }) => step), [0, 1, 2, 3]);
  assert.ok(steps.some(({ begun }) => begun.some(({ yours, pitch }) => yours && pitch === 72)));
  await order("up", { pitch: 72 });
  assert.equal(steps[0].beside, undefined);
  await order("beside", { on: true, seed: 2 });
  await order("start", { bpm: 600 });
  const both = (await heard("step", steps.length + 2)).at(-1);
  await order("stop");
  assert.equal(both.beside.h.length, both.h.length);
  assert.notDeepEqual(both.beside.h[0], both.h[0]);
  assert.equal(told.filter(({ what }) => what === "fault").length, 1);
});

test("what fails on the way is fetched again, less and less often, until it comes or nobody waits for it", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const kept = globalThis.fetch;
  const own = [];
  let [asked, works] = [0, false];
  globalThis.fetch = async () => {
    asked++;
    if (works) return { ok: true, arrayBuffer: async () => bytes };
    if (asked === 2) return { ok: false, status: 503 };
    throw new Error("no way there");
  };
  const settled = async () => {
    for (let k = 0; k < 20; k++) await null;
  };
  const take = conduct((message) => own.push(message));
  const open = take({ order: "open", address: "here", seed: 1 });
  for (const wait_s of [1, 2, 4, 8, 16, 30]) {
    await settled();
    t.mock.timers.tick(1000 * wait_s - 1);
    await settled();
    const before = asked;
    t.mock.timers.tick(1);
    await settled();
    assert.equal(asked, before + 1);
  }
  assert.deepEqual(own.map(({ what, wait_s }) => [what, wait_s]), [1, 2, 4, 8, 16, 30, 30].map((wait_s) => ["again", wait_s]));
  assert.match(own[1].reason, /503/);
  works = true;
  t.mock.timers.tick(30_000);
  await open;
  assert.equal(own.at(-1).what, "open");
  works = false;
  const other = conduct((message) => own.push(message));
  const opening = other({ order: "open", address: "here", seed: 1 });
  await settled();
  await other({ order: "close" });
  const before = asked;
  t.mock.timers.tick(60_000);
  await opening;
  assert.equal(asked, before);
  globalThis.fetch = kept;
});
