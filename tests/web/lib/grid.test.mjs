// grid.js: where the cells of a picture lie, and which one is meant.

import assert from "node:assert/strict";
import test from "node:test";
import { areaOf, cellAt, columnWidths, even, grouped, loudest, walked } from "../../../engine/web/static/lib/grid.js";
import { frame, net } from "./kit.mjs";

test("a column takes whole device pixels where that costs little", () => {
  assert.equal(even(6.2), 6);
  assert.equal(even(1.9), 1.9);
});

test("narrow layers share a row, wide ones stand alone", () => {
  const units = (layers) => grouped(layers.map((units) => ({ units }))).map((row) => row.map((layer) => layer.units));
  assert.deepEqual(units([300, 300, 100, 50]), [[300], [300], [100, 50]]);
  assert.deepEqual(units([40, 40, 16, 8]), [[40], [40], [16, 8]]);
  assert.deepEqual(units([8]), [[8]]);
});

test("all bands have columns as wide, rows of tables their own", () => {
  const rows = [{ width: 418, counts: [100, 100] }, { width: 418, counts: [50] }, { width: 418, counts: [] }];
  assert.deepEqual(columnWidths(rows, 18, 1, true), { widths: [2, 2, 2], least: 2 });
  assert.deepEqual(columnWidths(rows, 18, 1, false).widths.slice(0, 2), [2, 8]);
});

test("a point of a band is a neuron and a step, of a table a neuron and a note", () => {
  const layer = { units: 10, rows: 1 };
  const band = areaOf({ left: 20, top: 30, height: 100 }, 5, layer, 1, false, 254);
  assert.deepEqual(band, { x: 20, y: 30, width: 50, height: 100, now: 10, step: 2, rows: 44 });
  assert.deepEqual(cellAt(band, layer, false, 22, 31), { column: 0, row: 0, age: 0 });
  assert.deepEqual(cellAt(band, layer, false, 69, 30 + 11 + 5), { column: 9, row: 0, age: 3 });
  assert.equal(cellAt(band, layer, false, 71, 31), null);
  const notes = { units: 10, rows: 4 };
  const table = areaOf({ left: 0, top: 0, height: 41 }, 5, notes, 1, true, 254);
  assert.equal(table.height, 40);
  assert.deepEqual(cellAt(table, notes, true, 12, 39), { column: 2, row: 0, age: 0 });
  assert.equal(cellAt(table, notes, true, 12, 41), null);
});

test("arrows walk over the cells and stay inside", () => {
  const layer = { units: 3, rows: 2 };
  const way = ["ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowUp", "ArrowLeft"];
  const seen = [];
  way.reduce((at, key) => seen[seen.push(walked(at, key, layer)) - 1], null);
  assert.deepEqual(seen.map(({ column, row }) => [column, row]), [[0, 0], [1, 0], [2, 0], [2, 0], [2, 1], [2, 1], [1, 1]]);
  assert.equal(walked(null, "Enter", layer), null);
});

test("the unit that speaks up most, either way", () => {
  const made = net();
  assert.equal(loudest(made, frame(made, 0, { h: [0.2, -0.9, 0.5] }), made.stack[0]), 1);
  assert.equal(loudest(made, null, made.stack[0]), 0);
});
