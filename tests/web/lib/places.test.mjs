// stage/places.js: the walk through the stage page as data.

import assert from "node:assert/strict";
import test from "node:test";
import { PLACES, placesOf } from "../../../engine/web/static/stage/places.js";
import { net, readTexts } from "./kit.mjs";

test("every network gets the places that are true of it", () => {
  const ids = (made, may = true) => placesOf(made, may).map(({ id }) => id);
  assert.deepEqual(ids(net({ layers: 2 })), ["live", "belief", "heard", "column", "layers", "memory", "one", "moments", "roll", "you"]);
  assert.ok(!ids(net()).includes("layers")); // one layer builds on nothing
  const table = net();
  table.planes = true;
  assert.deepEqual(ids(table).slice(1, 4), ["keyboard", "heard", "cell"]);
  const blind = net();
  Object.assign(blind, { stack: [], signals: [] });
  assert.ok(placesOf(blind, true).every(({ view }) => view === "network" || view === "roll"));
});

test("who may not play is not asked to", () => {
  const recorded = net();
  recorded.recorded = true;
  for (const places of [placesOf(recorded, false), placesOf(net(), false)]) {
    assert.ok(!places.some(({ id, at, done }) => id === "you" || at === "#futures" || done === "played" || done === "ahead"));
    assert.ok(places.some(({ done }) => done === "found"));
  }
  assert.equal(placesOf(recorded, false)[0].id, "recording");
});

test("what speaks of memory points at memory, and has it shown", () => {
  const memory = placesOf(net(), true).find(({ id }) => id === "memory");
  assert.ok(memory.at);
  assert.deepEqual([memory.signal, memory.ring], ["c", '.bed[data-signal="c"]']);
  const column = placesOf(net({ layers: 3 }), true).find(({ id }) => id === "column");
  assert.deepEqual([column.signal, column.ring], ["h", '.bed[data-signal="h"][data-layer="2"]']);
});

test("every place has its words, and what is to be done has words for that", () => {
  const texts = readTexts("stage", "en");
  for (const { id, done } of PLACES) {
    for (const part of done ? ["title", "text", "try", "done"] : ["title", "text"]) assert.ok(texts[`walk.${id}.${part}`], `${id}.${part}`);
  }
});
