// nn.js against the NumPy code: forwards and gradients to 1e-12, fifty steps of learning to 1e-8.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as nn from "../../../engine/web/static/lib/nn.js";

const golden = JSON.parse(readFileSync(new URL("nn.json", import.meta.url)));
const EXACT = 1e-12;
const LEARNED = 1e-8;
const TUNES = Number(process.env.TUNES ?? 6); // fifty, for the figure

// The largest difference over the largest value; lists within lists alike, objects by name.
function far(found, wanted) {
  let [difference, largest] = [0, 1e-300];
  const walk = (a, b) => {
    if (typeof b === "number") {
      difference = Math.max(difference, Math.abs(a - b));
      largest = Math.max(largest, Math.abs(b));
    } else {
      assert.equal(Object.keys(a).length, Object.keys(b).length);
      for (const key in b) walk(a[key], b[key]);
    }
  };
  walk(found, wanted);
  return difference / largest;
}

const within = (found, wanted, most) => assert.ok(far(found, wanted) <= most, `off by ${far(found, wanted)}`);

test("lots are Python's", () => {
  const chance = new nn.Chance(7);
  assert.deepEqual(golden.chance.map(() => chance.number()), golden.chance);
  assert.deepEqual(golden.choose.map(() => chance.choose([0.2, 0.5, 0.3])), golden.choose);
});

test("one neuron: a guess and its gradients", () => {
  const neuron = new nn.Neuron([0.3, -0.8, 0.1], 0.2);
  const guess = neuron.guess([0.5, -1.2, 2]);
  within([guess.z, guess.p], [golden.guess.z, golden.guess.p], EXACT);
  within(guess.weighted, golden.guess.weighted, EXACT);
  within(neuron.gradients(guess, 1).values, golden.guess.gradients, EXACT);
});

test("the report's four lessons", () => {
  const { curves, neuron } = nn.fourLessons(golden.report.weights, 400);
  within(curves, golden.report.curves, LEARNED);
  within(neuron.values.w, golden.report.after, LEARNED);
});

test("the notes on a plane", () => {
  const { xs, ys } = nn.points(3);
  const neuron = nn.beginner(3);
  const errors = golden.points.errors.map(() => xs.reduce((sum, x, k) => sum + nn.error(neuron.lesson(x, ys[k], 0.3), ys[k]), 0));
  within(errors, golden.points.errors, LEARNED);
  within(neuron.values, golden.points.after, LEARNED);
});

test("a line goes through the points it is dragged to, as strong as before, and yes stays on its side", () => {
  const before = { w: Float64Array.of(0.6, -0.8), b: Float64Array.of(0.3) };
  for (const [p, q] of [[[1, 2], [-2, 0.5]], [[-2, 0.5], [1, 2]], [[0, 0], [0, 1]]]) {
    const { w, b } = nn.lineThrough(before, p, q);
    for (const [x, y] of [p, q]) assert.ok(Math.abs(w[0] * x + w[1] * y + b) < 1e-12);
    assert.ok(Math.abs(Math.hypot(...w) - 1) < 1e-12);
    assert.ok(w[0] * 0.6 - w[1] * 0.8 >= 0);
  }
  assert.deepEqual(Object.values(nn.lineThrough(before, [1, 1], [1, 1])).flat().map(Number.isFinite), [true, true, true]);
});

test("two layers and the clash", () => {
  const layers = new nn.Layers(3, 4);
  const done = layers.forward(nn.CLASH);
  within(done.flatMap(({ h }) => [...h]), golden.layers.h.flat(), EXACT);
  within(done.map(({ p }) => p), golden.layers.p, EXACT);
  within(layers.backward(done, nn.CLASH_WANTED), golden.layers.gradients, EXACT);
  const network = new nn.Layers(3, 1);
  const losses = golden.clash.losses.map(() => {
    const now = network.forward(nn.CLASH);
    const loss = network.loss(now, nn.CLASH_WANTED);
    nn.descend(network.values, network.backward(now, nn.CLASH_WANTED), 1);
    return loss;
  });
  within(losses, golden.clash.losses, LEARNED);
  within(network.values, golden.clash.after, LEARNED);
  assert.ok(network.solved(network.forward(nn.CLASH), nn.CLASH_WANTED));
});

for (const kind of ["Rnn", "Lstm"])
  for (const outputs of [0, 4])
    test(`${kind} with ${outputs} outputs: forwards, backwards, fifty steps of learning`, () => {
      const wanted = golden.sequences[`${kind}${outputs}`];
      const network = new nn[kind](3, 5, outputs, 2);
      const loss = outputs ? nn.surprise : nn.distance;
      const answer = outputs ? wanted.wanted : Array.from({ length: 7 }, (_, t) => wanted.wanted.slice(5 * t, 5 * t + 5));
      const target = Array.isArray(wanted.wanted[0]) ? wanted.wanted : answer;
      const done = network.forward(wanted.xs);
      const missed = loss(done.ys, target);
      const back = network.backward(done, missed.gradients);
      within(done.ys, wanted.ys, EXACT);
      within([missed.loss], [wanted.loss], EXACT);
      within(back.gradients, wanted.gradients, EXACT);
      within(back.dhs, wanted.dhs, EXACT);
      if (kind === "Lstm") {
        within(done.gates, wanted.gates, EXACT);
        within(back.dcs, wanted.dcs, EXACT);
      }
      const adam = new nn.Adam(0.02);
      const losses = wanted.losses.map(() => {
        const now = network.forward(wanted.xs);
        const { loss: value, gradients } = loss(now.ys, target);
        adam.step(network.values, network.backward(now, gradients).gradients);
        return value;
      });
      within(losses, wanted.losses, LEARNED);
      within(network.values, wanted.after, LEARNED);
    });

test("the accent is learned as in Python, and held", () => {
  const given = nn.accents(new nn.Chance(11), 12);
  within(given.xs, golden.accents.xs, 0);
  within(given.wanted.map(([w]) => w), golden.accents.wanted, 0);
  const { network, losses } = nn.learnAccents(3, 50);
  within(losses, golden.accents.losses, LEARNED);
  within(network.values, golden.accents.after, LEARNED);
  let right = 0;
  for (let seed = 0; seed < 100; seed++) {
    const cell = nn.learnAccents(seed).network;
    const { xs, wanted } = nn.accents(new nn.Chance(seed + 5000), 4 * nn.ACCENT.length);
    right += nn.held(cell.forward(xs).ys, wanted) === 1;
  }
  assert.ok(right >= 95, `${right} of 100`);
});

test("one recurrent neuron never holds the accent", () => {
  for (let seed = 0; seed < 100; seed++) {
    const neuron = new nn.Rnn(2, 1, 0, seed);
    const [chance, adam] = [new nn.Chance(seed + 1), new nn.Adam(nn.ACCENT.rate)];
    for (let step = 0; step < nn.ACCENT.steps; step++) nn.accentStep(neuron, chance, adam);
    const { xs, wanted } = nn.accents(new nn.Chance(seed + 5000), 4 * nn.ACCENT.length);
    assert.ok(nn.held(neuron.forward(xs).ys, wanted) < 1, `seed ${seed}`);
  }
});

test("a tune is learned as in Python", () => {
  assert.deepEqual(nn.madeUp(5), golden.tune.tune);
  const learner = new nn.TuneLearner(nn.madeUp(5), 1);
  within(golden.tune.losses.map(() => learner.step()), golden.tune.losses, LEARNED);
  within(learner.network.values, golden.tune.after, LEARNED);
});

test("made-up tunes are known by heart in time", () => {
  let known = 0;
  for (let seed = 0; seed < TUNES; seed++) {
    const learner = new nn.TuneLearner(nn.madeUp(seed), seed);
    while (!learner.known && learner.losses.length < nn.TUNE.most) learner.step();
    known += learner.known;
  }
  assert.ok(known >= 0.95 * TUNES, `${known} of ${TUNES}`);
});

test("a long gradient is shortened; lots of a network that is sure come out as it says", () => {
  within(nn.clip({ a: Float64Array.of(3), b: Float64Array.of(4) }, 1), { a: [0.6], b: [0.8] }, EXACT);
  const network = new nn.Rnn(3, 4, 3, 1);
  network.values.c.set([0, 50, 0]);
  assert.deepEqual(nn.continuation(network, 0, 4, new nn.Chance(1)), [1, 1, 1, 1]);
});
