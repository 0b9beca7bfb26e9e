// voice.js: silent until woken, never more voices than it can bear, and no click at a beginning.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Voice, hz } from "../../../engine/web/static/lib/voice.js";

class Parameter {
  constructor() {
    this.value = 0;
    this.set = [];
  }
  setValueAtTime(value, at) {
    this.set.push(["set", value, at]);
  }
  linearRampToValueAtTime(value, at) {
    this.set.push(["line", value, at]);
  }
  exponentialRampToValueAtTime(value, at) {
    this.set.push(["fall", value, at]);
  }
  setTargetAtTime(value, at) {
    this.set.push(["glide", value, at]);
  }
}

class Context {
  constructor() {
    this.currentTime = 5;
    this.state = "suspended";
    this.made = [];
  }
  node(kind, more = {}) {
    const made = { kind, connect: () => {}, ...more };
    this.made.push(made);
    return made;
  }
  createGain() {
    return this.node("gain", { gain: new Parameter() });
  }
  createOscillator() {
    return this.node("oscillator", { frequency: new Parameter(), start: (at) => (this.began = at), stop: (at) => (this.ended = at) });
  }
  createDynamicsCompressor() {
    return this.node("limiter");
  }
  resume() {
    this.state = "running";
  }
}

const kinds = (context, kind) => context.made.filter((one) => one.kind === kind);

test("a pitch is its frequency", () => {
  assert.equal(hz(69), 440);
  assert.equal(hz(81), 880);
});

test("silent until it is woken", () => {
  const context = new Context();
  const voice = new Voice(() => context);
  voice.pluck(60);
  assert.equal(voice.drone(60), null);
  assert.equal(context.made.length, 0);
  assert.ok(voice.wake());
  voice.pluck(60, { seconds: 0.01 });
  assert.ok(kinds(context, "oscillator").length > 0);
  voice.mute(true);
  const before = context.made.length;
  voice.pluck(60);
  assert.equal(context.made.length, before);
});

test("a browser without sound is no fault", () => {
  const voice = new Voice(() => {
    throw new Error("no audio");
  });
  assert.equal(voice.wake(), false);
  voice.pluck(60);
  voice.drum(0);
});

test("a note begins from silence and ends in it", () => {
  const context = new Context();
  const voice = new Voice(() => context);
  voice.wake();
  voice.pluck(60, { seconds: 0.2, in_s: 1 });
  const gain = kinds(context, "gain").find((one) => one.gain.set.length === 3).gain.set;
  assert.deepEqual(gain[0], ["set", 0, 6]);
  assert.equal(gain[1][0], "line");
  assert.ok(gain[2][1] < 1e-3);
  assert.ok(context.ended >= 6.2);
});

test("no more voices than it can bear; a drone ends", () => {
  const context = new Context();
  const voice = new Voice(() => context);
  voice.wake();
  for (let k = 0; k < 100; k++) voice.pluck(60, { seconds: 0.01, bright: 0 });
  assert.ok(kinds(context, "oscillator").length <= 24);
  const drone = voice.drone(60, 0.5);
  drone.pitch(62);
  drone.level(0.2);
  drone.bright(1);
  drone.stop();
  assert.equal(context.ended, 5.2);
});
