// Where notes lie in a picture, and whose they are.

import { CLAMPED, HOLD, PLAY, TOLD } from "./net.js";

// What each slot did in a frame: SOUNDED, with YOURS and HELD; 0 for silence. Looking one step ahead: a note of the player that
// came too late to be chosen shows in what the network was told at the next step, and one that was chosen but did not sound is
// not there.
export const SOUNDED = 1;
export const YOURS = 2;
export const HELD = 4;

export function sounded(frame, next, slot) {
  const cell = frame.cells[slot];
  // A step may be missing: what was told after it says nothing of this one.
  const told = next && next.step === frame.step + 1 ? next.cells[slot] & TOLD : cell & PLAY;
  if (!told) return 0;
  const yours = cell & CLAMPED || !(cell & PLAY) ? YOURS : 0;
  return SOUNDED | yours | (cell & PLAY && cell & HOLD ? HELD : 0);
}

// The rows of a small roll: a row for each pitch of the pitched tracks, then one for each drum.
export class Rows {
  constructor(net) {
    const pitched = net.tracks.filter((t) => t.kind !== "drums");
    const drums = net.tracks.filter((t) => t.kind === "drums");
    this.low = pitched.length ? Math.min(...pitched.map((t) => t.low)) : 0;
    this.high = pitched.length ? Math.max(...pitched.map((t) => t.high)) : -1;
    this.pitches = this.high - this.low + 1;
    this.gap = pitched.length && drums.length ? 2 : 0;
    this.count = this.pitches + this.gap + drums.reduce((n, t) => n + t.pitches.length, 0);
    let next = this.pitches + this.gap;
    this.ofSlot = net.slotPitch.map((pitch, slot) => (net.tracks[net.slotTrack[slot]].kind === "drums" ? next++ : this.high - pitch));
  }
}

const DRUM = 1.8; // drums are few: they get somewhat more room each

// Where each slot stands on a strip of a given width: tracks in a row, a gap between them.
export function slotPlaces(net, width) {
  const gap = net.tracks.length > 1 ? Math.min(14, width / 40) : 0;
  const weight = net.tracks.map((t) => (t.kind === "drums" ? DRUM : 1));
  const total = net.tracks.reduce((n, t, k) => n + weight[k] * t.pitches.length, 0);
  const unit = (width - gap * (net.tracks.length - 1)) / total;
  const left = new Float32Array(net.slots);
  const wide = new Float32Array(net.slots);
  for (let slot = 0, x = 0; slot < net.slots; slot++) {
    if (slot && net.slotTrack[slot] !== net.slotTrack[slot - 1]) x += gap;
    left[slot] = x;
    wide[slot] = unit * weight[net.slotTrack[slot]];
    x += wide[slot];
  }
  return { left, wide };
}

// Whether a note that sounded in a step was the player's: dictated, or not of the network's choosing.
export function byPlayer(frame, slot) {
  return (frame.cells[slot] & CLAMPED) !== 0 || !(frame.cells[slot] & PLAY);
}

// Of how many bars one gets its name, where a bar is so wide and a name so long: a power of two, so that names do not run into
// each other.
export function barsBetween(width, name = 58) {
  let every = 1;
  while (width * every < name) every *= 2;
  return every;
}
