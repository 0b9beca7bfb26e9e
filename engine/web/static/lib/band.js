// A network as a band: what a visitor plays is dictated, the network plays the rest, a silence encourages it.

import { Chance } from "./nn.js";
import { Player } from "./player.js";

const PATIENCE = 8; // timesteps of silence, after which it is encouraged
const GROWTH = 1.5; // of the density with every silent timestep from there on ...
const MOST = 256; // ... up to this factor
const LEVEL = 0.7; // of what a visitor plays, and of networks that know of no levels

export class Band {
  /**
   * From the bytes of a network; `seed` decides which of all possible music it plays, and where it begins if it is `untrained`.
   * `player`: another that computes the same (see ort.js).
   */
  constructor(bytes, { seed = 1, untrained = false, player = null } = {}) {
    this.player = player ?? new Player(bytes, untrained ? new Chance(seed) : null);
    this.card = this.player.card;
    this.chance = new Chance(seed);
    this.temperature = 1;
    this.held = new Map(); // pitch -> steps that it has been held
    this.released = new Set(); // struck and let go within a step: they sound for one
    this.sounding = new Set();
    this.silent = 0;
    let slot = 0;
    this.slots = this.card.tracks.flatMap((track, index) => track.pitches.map((pitch) => ({ track: index, pitch, slot: slot++ })));
    this.lead = this.card.tracks.length - 1;
    this.states = this.card.states.map(({ name }) => name);
    this.channels = this.card.channels.length;
  }

  get steps_per_beat() {
    return this.card.steps_per_beat;
  }

  down(pitch) {
    this.held.set(this.folded(pitch), 0);
  }

  up(pitch) {
    const own = this.folded(pitch);
    if (this.held.get(own) === 0) this.released.add(own);
    else this.held.delete(own);
  }

  allUp() {
    this.held.clear();
    this.released.clear();
  }

  /** The pitch as the network's last track has it: moved by octaves into its range. */
  folded(pitch) {
    const range = this.card.tracks[this.lead].pitches;
    const [low, high] = [range[0], range[range.length - 1]];
    let own = pitch;
    while (own < low) own += 12;
    while (own > high) own -= 12;
    return own;
  }

  /** Play a few steps that nobody hears, so that the machine has made its code fast; then begin anew. */
  async warm(steps = 24) {
    const { state } = this.chance;
    for (let k = 0; k < steps; k++) {
      this.fill();
      await this.player.step();
    }
    this.chance.state = state;
    this.player.reset();
  }

  /** Choose one step: {step, begun, ended, h, belief}; begun and ended are {track, pitch, level}. */
  step() {
    const step = this.fill();
    return this.told(step, this.player.step());
  }

  /** The same with a player that takes its time. */
  async stepLater() {
    const step = this.fill();
    return this.told(step, await this.player.step());
  }

  /** Give the network what it is to know of the step; return its number. */
  fill() {
    const { inputs } = this.player;
    this.dictate(inputs);
    const lots = inputs.u.d;
    for (let k = 0; k < lots.length; k++) lots[k] = this.chance.number();
    inputs.temperature.d.fill(this.temperature);
    if (inputs.density) inputs.density.d[0] = this.encouragement();
    return Number(inputs.position.d[0]);
  }

  told(step, out) {
    const heard = this.heard(out.notes.d, this.player.inputs.clamp_mask.d);
    this.silent = heard.begun.length || this.sounding.size ? 0 : this.silent + 1;
    return { step, ...heard, h: this.activations(out), belief: out.probability.d.slice() };
  }

  dictate({ clamp_mask: mask, clamp_value: value }) {
    mask.d.fill(0);
    value.d.fill(0);
    if (!this.held.size) return;
    for (const { track, pitch, slot } of this.slots) {
      if (track !== this.lead) continue;
      mask.d[slot] = 1;
      const since = this.held.get(pitch);
      if (since === undefined) continue;
      value.d[slot * this.channels] = 1;
      value.d[slot * this.channels + 1] = since > 0 ? 1 : 0;
      if (this.channels > 2) value.d[slot * this.channels + 2] = LEVEL;
    }
    for (const pitch of this.released) this.held.delete(pitch);
    this.released.clear();
    for (const [pitch, since] of this.held) this.held.set(pitch, since + 1);
  }

  encouragement() {
    return Math.min(GROWTH ** Math.min(Math.max(this.silent - PATIENCE, 0), 64), MOST);
  }

  heard(notes, mask) {
    const [begun, ended] = [[], []];
    for (const { track, pitch, slot } of this.slots) {
      const plays = notes[slot * this.channels] > 0.5;
      const goesOn = notes[slot * this.channels + 1] > 0.5;
      if (this.sounding.has(slot) && (!plays || !goesOn)) {
        this.sounding.delete(slot);
        ended.push({ track, pitch });
      }
      if (!plays || goesOn) continue;
      this.sounding.add(slot);
      const level = this.channels > 2 ? notes[slot * this.channels + 2] : LEVEL;
      begun.push({ track, pitch, level, yours: mask[slot] > 0 });
    }
    return { begun, ended };
  }

  /** What every unit says now: one Float32Array a layer. */
  activations(out) {
    return this.states.filter((name) => /^h\d+$/.test(name)).map((name) => out[`${name}_next`].d.slice());
  }

  /** Take these units' words, and their memories, from them: [layer, unit or -1 for all]. */
  silence(units) {
    this.player.silence(units);
  }
}
