// What is shown, whatever the look: the network's state between two steps, notes that ring and fade, where in the bar it is.
//
// Time is given with every call, in milliseconds of a clock that only goes on: the page gives its own, a film its frames', so
// that the same session gives the same picture.

import { Calm } from "../lib/calm.js";
import { BeatClock } from "../lib/clock.js";
import { History } from "../lib/history.js";
import { Net, PLAYER } from "../lib/net.js";
import { orderOf } from "../lib/unit_order.js";

const SETTLE_MS = 70; // in which a neuron's brightness comes two thirds of the way to what it is now
const CALM_MS = 420; // the same, where it would flash
const ATTACK_MS = 12;
const RELEASE_MS = { drums: 180, bass: 420, chords: 900, pad: 1400, lead: 500, player: 500 };
const RELEASE_ELSE_MS = 600;
const NOTES = 768; // begun last; older ones are forgotten
const OFF = 0;
const ON = 1;
const ALL_OFF = 2;

// One signal of a layer, on its way from step to step; -1 .. 1 for one that goes both ways, else 0 .. 1.
class Part {
  constructor(net, block) {
    const most = Math.max(Math.abs(block.min), Math.abs(block.max)) || 1;
    this.block = block;
    this.signed = block.min < 0;
    this.scale = (net.u8 ? (block.max - block.min) / 255 : 1) / most;
    this.base = net.u8 ? block.min / most : 0;
    this.level = new Float32Array(block.size);
    this.goal = new Float32Array(block.size);
    this.at = new Uint8Array(block.size); // places in a table of 256 colours
  }

  take(frame) {
    const { goal, scale, base, block } = this;
    const { values } = frame;
    for (let i = 0; i < goal.length; i++) goal[i] = base + scale * values[block.at + i];
  }

  settle(part) {
    const { level, goal } = this;
    for (let i = 0; i < level.length; i++) level[i] += part * (goal[i] - level[i]);
  }

  // Every value as a place in a table of 256 colours.
  places() {
    const { level, at } = this;
    const [gain, middle] = this.signed ? [127.5, 127.5] : [255, 0];
    for (let i = 0; i < at.length; i++) {
      const v = middle + gain * level[i];
      at[i] = v < 0 ? 0 : v > 255 ? 255 : v;
    }
    return at;
  }
}

export class Show {
  // `flash`: the picture may change as fast as the network does.
  constructor(hello, flash = false) {
    this.net = new Net(hello);
    this.history = new History(this.net);
    this.clock = new BeatClock();
    this.clock.stepBeats = 1 / this.net.stepsPerBeat;
    this.layers = this.net.stack.map((layer) => {
      const cell = this.net.block(layer, "c");
      const parts = [layer.main, ...(cell && cell !== layer.main ? [cell] : [])].map((block) => new Part(this.net, block));
      return { layer, parts, main: parts[0], order: null };
    });
    this.calm = flash ? null : new Calm();
    this.settleMs = SETTLE_MS;
    this.chance = new Float32Array(this.net.slots); // P(play) of each slot, settled
    this.voices = [...this.net.tracks.map((track) => this.voice(track.name)), this.voice("player")];
    this.notes = []; // {voice, pitch, velocity, beat, end, at, seed}: oldest first
    this.sounding = new Map();
    this.serial = 0;
    this.frame = null;
    this.now = null;
    this.beat = 0;
    this.bar = 0; // where in the bar, 0 .. 1
    this.begun = false;
  }

  voice(name) {
    return { name, level: 0, goal: 0, held: 0, release: RELEASE_MS[name] ?? RELEASE_ELSE_MS };
  }

  // A step sounds now; `past`: it sounded before this page was opened.
  step(frame, now, past) {
    const last = this.history.last;
    if (!this.history.push(frame)) return;
    if (last && frame.step < last.step) this.begin();
    this.frame = frame;
    for (const { parts } of this.layers) for (const part of parts) part.take(frame);
    if (this.calm) this.settleMs = this.calm.take(frame, this.net, now) ? CALM_MS : SETTLE_MS;
    if (past) this.settle(1);
    else this.clock.step(frame.beat, frame.tempo, now);
  }

  // The music jumped back: what sounded is over.
  begin() {
    this.notes.length = 0;
    this.sounding.clear();
    for (const voice of this.voices) voice.goal = voice.held = 0;
  }

  hear({ events, lost }, now) {
    if (lost) this.allOff(() => true);
    for (const { kind, track, pitch, velocity, beat } of events) {
      const voice = track === PLAYER ? this.voices.length - 1 : track;
      if (voice >= this.voices.length) continue;
      if (kind === ALL_OFF) this.allOff((note) => note.voice === voice);
      else if (kind === ON || kind === OFF) {
        const key = voice * 128 + pitch;
        this.end(key, beat);
        if (kind === ON) this.start(key, { voice, pitch, velocity: velocity / 127, beat, end: null, at: now, serial: this.serial++ });
      }
    }
  }

  start(key, note) {
    this.sounding.set(key, note);
    this.notes.push(note);
    if (this.notes.length > NOTES) this.notes.splice(0, this.notes.length - NOTES);
    const voice = this.voices[note.voice];
    voice.held++;
    voice.goal = Math.max(voice.goal, note.velocity);
  }

  end(key, beat) {
    const note = this.sounding.get(key);
    if (!note) return;
    note.end = Math.max(beat, note.beat);
    this.sounding.delete(key);
    const voice = this.voices[note.voice];
    voice.held = Math.max(voice.held - 1, 0);
  }

  allOff(which) {
    for (const [key, note] of this.sounding) if (which(note)) this.end(key, Math.max(this.beat, note.beat));
  }

  // Bring everything to a moment. Returns false before the first step.
  draw(now) {
    if (!this.frame) return false;
    const passed = this.now === null ? 0 : Math.min(Math.max(now - this.now, 0), 500);
    this.now = now;
    this.beat = this.clock.at === null ? this.frame.beat : this.clock.beatAt(now);
    const { metre } = this.net;
    const steps = this.beat * this.net.stepsPerBeat;
    this.bar = (((steps % metre.bar) + metre.bar) % metre.bar) / metre.bar;
    this.settle(this.begun ? 1 - Math.exp(-passed / this.settleMs) : 1);
    this.begun = true;
    for (const voice of this.voices) {
      const rising = voice.goal > voice.level;
      voice.level += (voice.goal - voice.level) * (1 - Math.exp(-passed / (rising ? ATTACK_MS : voice.release)));
      // A struck note dies away while its key is held; one that was let go dies sooner.
      voice.goal *= Math.exp(-passed / (voice.held ? 4 * voice.release : voice.release / 3));
    }
    return true;
  }

  settle(part) {
    if (!(part > 0)) return;
    for (const { parts } of this.layers) for (const one of parts) one.settle(part);
    const { chance, net, frame } = this;
    for (let s = 0; s < chance.length; s++) chance[s] += part * (net.probability(frame, s) - chance[s]);
  }

  // An order of a layer's neurons that puts those alike side by side; the network's own until enough is known.
  order(one) {
    if (one.order) return one.order;
    const found = orderOf(this.net, one.layer, this.history);
    if (found) one.order = found;
    return found ?? Float32Array.from({ length: one.layer.units }, (_, u) => u);
  }
}
