// narrative.js: where somebody is, what was done, and when nobody is there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AWAY_S, Narrative, Presence, WARN_S, kept } from "../../../engine/web/static/lib/narrative.js";

const PLACES = [
  { id: "a", paths: ["2", "10"], done: "pressed" },
  { id: "b", paths: ["10"], done: "moved" },
  { id: "c", paths: ["2", "10"], done: "seen" },
];
const memory = (kept = null) => ({ get: () => kept, set: (value) => (kept = JSON.parse(JSON.stringify(value))) });

test("forwards and back, and no further", () => {
  const way = new Narrative(PLACES);
  assert.equal(way.go(-3).id, "a");
  assert.equal(way.go(9).id, "c");
  assert.ok(way.last);
});

test("a path leaves places out; one beside it leaves the path", () => {
  const way = new Narrative(PLACES);
  way.go(1);
  way.choose("2");
  assert.equal(way.here.id, "c");
  assert.deepEqual(way.places.map(({ id }) => id), ["a", "c"]);
  assert.equal(way.goTo("b").id, "b");
  assert.equal(way.path, null);
  assert.equal(way.goTo("nowhere"), null);
});

test("what was to be done counts once, and only here", () => {
  const way = new Narrative(PLACES);
  assert.equal(way.happened("moved"), false);
  assert.equal(way.happened("pressed"), true);
  assert.equal(way.happened("pressed"), false);
  assert.ok(way.isDone("a"));
});

test("who comes back goes on where he was", () => {
  const store = memory();
  const way = new Narrative(PLACES, store);
  way.happened("pressed");
  way.go(2);
  const again = new Narrative(PLACES, store);
  assert.equal(again.here.id, "c");
  assert.ok(again.isDone("a"));
  again.forget();
  assert.equal(new Narrative(PLACES, store).here.id, "a");
  assert.equal(new Narrative(PLACES, memory({ at: "gone", path: null })).here.id, "a");
});

test("without a visitor it goes round", () => {
  const way = new Narrative(PLACES);
  assert.ok(way.first);
  assert.deepEqual([way.round().id, way.round().id, way.round().id], ["b", "c", "a"]);
});

test("the browser keeps it, and where it keeps nothing nothing fails", () => {
  const store = kept("here");
  store.set({ at: "b" });
  assert.equal(store.get(), null);
  const items = { broken: "{" };
  globalThis.localStorage = { getItem: (name) => items[name] ?? null, setItem: (name, value) => (items[name] = value) };
  store.set({ at: "b" });
  assert.deepEqual([kept("here").get(), kept("broken").get(), kept("other").get()], [{ at: "b" }, null, null]);
  delete globalThis.localStorage;
});

test("nobody, here, asked, gone once", () => {
  const who = new Presence(100);
  assert.equal(who.state(1000), "nobody");
  who.touch(1000);
  assert.equal(who.state(1000 + WARN_S - 0.1), "here");
  assert.equal(who.state(1000 + WARN_S), "asked");
  assert.equal(who.left(1000 + WARN_S), AWAY_S - WARN_S);
  who.touch(1000 + WARN_S + 1);
  assert.equal(who.state(1000 + WARN_S + 2), "here");
  assert.equal(who.state(1000 + WARN_S + 1 + AWAY_S), "gone");
  assert.equal(who.state(1000 + WARN_S + 2 + AWAY_S), "nobody");
});
