// What the network is, made from its card: layers, signals, tracks, and where each value lies in a frame.

import { t, word } from "./language.js";
import { metreOf, placeIn } from "./metre.js";

export const PLAY = 1;
export const HOLD = 2;
export const CLAMPED = 4;
export const TOLD = 8;
export const TOLD_HOLD = 16;
export const PLAYER = 255;

const SIGNALS = ["h", "c", "i", "f", "g", "o"]; // what a unit puts out, in the order in which it is offered
const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const KIT = {
  35: "kick", 36: "kick", 37: "rim", 38: "snare", 39: "clap", 40: "snare", 41: "low-tom", 42: "closed-hat",
  43: "low-tom", 44: "pedal-hat", 45: "mid-tom", 46: "open-hat", 47: "mid-tom", 48: "high-tom", 49: "crash",
  50: "high-tom", 51: "ride", 54: "tambourine", 56: "cowbell", 57: "crash", 59: "ride", 70: "shaker", 75: "claves",
};

export function pitchName(pitch) {
  return `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;
}

export function noteName(track, pitch) {
  if (track.kind !== "drums") return pitchName(pitch);
  return pitch in KIT ? t(`drum.${KIT[pitch]}`) : t("drum", { pitch });
}

export function trackName(track) {
  return word(`track.${track.name}`, track.name);
}

export class Net {
  constructor(hello) {
    const { card, layout } = hello;
    this.card = card;
    this.name = card.title || card.name;
    this.u8 = hello.format === "u8";
    this.recorded = hello.recorded; // nobody plays now
    this.slots = layout.slots;
    this.values = layout.values;
    this.stepsPerBeat = card.steps_per_beat; // a quarter note has them in every metre
    this.metre = this.own = metreOf(card.beats_per_bar, 4, 0, card.steps_per_beat); // the newest frame's
    let start = 0;
    this.tracks = card.tracks.map((track, index) => {
      const pitches = track.pitches;
      const one = { ...track, index, start, alone: card.tracks.length === 1, low: Math.min(...pitches), high: Math.max(...pitches) };
      start += pitches.length;
      return one;
    });
    this.slotTrack = this.tracks.flatMap((t) => t.pitches.map(() => t.index));
    this.slotPitch = this.tracks.flatMap((t) => t.pitches);
    const seen = new Set();
    this.blocks = [];
    for (const a of card.activations) {
      if (seen.has(a.output)) continue;
      seen.add(a.output);
      this.blocks.push({ ...a, ...layout.blocks[a.output] });
    }
    this.layers = [...new Set(this.blocks.map((b) => b.layer))].sort((a, b) => a - b).map((layer) => this.layer(layer));
    this.stack = this.layers.filter((l) => l.main);
    // Rows are notes, as in the biaxial network.
    this.planes = this.stack.some((l) => l.rows > 1);
    this.signals = [...new Set(this.stack.flatMap((l) => l.blocks.map((b) => b.signal)))].sort(bySignal);
    this.classes = this.findClasses();
  }

  layer(index) {
    const all = this.blocks.filter((b) => b.layer === index);
    const states = all.filter((b) => SIGNALS.includes(b.signal));
    const blocks = states.length ? states : all.filter((b) => !this.isClasses(b));
    blocks.sort((a, b) => bySignal(a.signal, b.signal));
    const main = blocks.find((b) => b.signal === "h") ?? blocks[0];
    if (!main) return { index, blocks, main: null };
    const rows = main.shape.length === 2 ? main.shape[0] : 1;
    const units = main.shape.length ? main.shape.at(-1) : 1;
    // Only what has a value for every unit of the layer is drawn beside it.
    return { index, main, rows, units, blocks: blocks.filter((b) => b.size === rows * units) };
  }

  isClasses(block) {
    const names = this.card.classes;
    return Array.isArray(names) && block.shape.length === 1 && block.shape[0] === names.length;
  }

  findClasses() {
    const block = this.blocks.find((b) => this.isClasses(b));
    return block ? { block, names: this.card.classes } : null;
  }

  block(layer, signal) {
    return layer.blocks.find((b) => b.signal === signal) ?? null;
  }

  layerName(layer) {
    return t("layer", { number: layer.index + 1 });
  }

  // The number behind what a frame carries.
  value(frame, block, i) {
    const raw = frame.values[block.at + i];
    return this.u8 ? block.min + (raw / 255) * (block.max - block.min) : raw;
  }

  probability(frame, slot) {
    const raw = frame.values[slot];
    return this.u8 ? raw / 255 : raw;
  }

  holdProbability(frame, slot) {
    const raw = frame.values[this.slots + slot];
    return this.u8 ? raw / 255 : raw;
  }

  slotName(slot) {
    return noteName(this.tracks[this.slotTrack[slot]], this.slotPitch[slot]);
  }

  // Timesteps of a bar, in the metre that is played now.
  get stepsPerBar() {
    return this.metre.bar;
  }

  metreOf({ numerator, denominator, groups }) {
    return numerator ? metreOf(numerator, denominator, groups, this.stepsPerBeat) : this.own;
  }

  // Where in the bars a frame's step lies, or the one so many steps after it.
  where(frame, after = 0) {
    return placeIn(this.metreOf(frame), Math.round((frame.beat ?? frame.step / this.stepsPerBeat) * this.stepsPerBeat) + after);
  }

  // "17.3": bar and beat as musicians count them.
  place(frame) {
    const { bar, beat } = this.where(frame);
    return `${bar + 1}.${beat + 1}`;
  }
}

// What a signal is called: `verb` goes on buttons, `name` is the field's own, `why` the sentence behind them.
export function signalOf({ signal, doc }) {
  if (!SIGNALS.includes(signal)) return { verb: signal, name: signal, why: doc || signal };
  return { verb: t(`signal.${signal}`), name: t(`signal.${signal}.name`), why: t(`signal.${signal}.why`) };
}

// Whether a block runs both ways from nothing (drawn cool - black - warm) or from nothing up.
export function isSigned(block) {
  return block.min < 0;
}

function bySignal(a, b) {
  const [i, j] = [SIGNALS.indexOf(a), SIGNALS.indexOf(b)];
  return (i < 0 ? SIGNALS.length : i) - (j < 0 ? SIGNALS.length : j);
}
