// Where everything of the roll lies: a lane for each track, a row for each pitch that is used, and names that do not overlap.

import { PLAY, TOLD, pitchName } from "./net.js";

const USED = 0.2; // a pitch that likely gets a row, whether it was played or not
const LEAST = 12; // rows of a track that plays little
const DRUMS = 3; // rows of drums at least: kick and snare come first
const DRUM = 1.3; // rows of drums are so much taller
const DRUM_SHARE = 0.4; // of the height that drums may take so that their names can be read
const LINE = 1.15; // line height of a name, of its size
const GAP = 10;

// Which rows each track has: of pitched tracks every pitch from the lowest to the highest that was used, and a few around
// them; of drums those that were used.
export class Ranges {
  constructor(net) {
    this.net = net;
    this.of = net.tracks.map((track) => atLeast(track));
    this.used = new Uint32Array(net.slots); // in how many frames
  }

  // Take a frame in; returns whether there are more rows now.
  widen(frame) {
    const { net } = this;
    let grew = false;
    for (const track of net.tracks) {
      const range = this.of[track.index];
      track.pitches.forEach((pitch, i) => {
        const slot = track.start + i;
        if (!(frame.cells[slot] & (PLAY | TOLD)) && net.probability(frame, slot) < USED) return;
        const first = this.used[slot]++ === 0;
        if (track.kind === "drums") {
          grew ||= first && i >= DRUMS;
          return;
        }
        const place = pitch - track.low;
        if (place >= range[0] && place <= range[1]) return;
        range[0] = Math.max(Math.min(range[0], place - 2), 0);
        range[1] = Math.min(Math.max(range[1], place + 2), track.pitches.length - 1);
        grew = true;
      });
    }
    return grew;
  }

  // The slots of a track that have rows, the lowest first.
  slots(track) {
    const order = track.pitches.map((pitch, i) => ({ pitch, slot: track.start + i }));
    if (track.kind === "drums") return order.filter(({ slot }, i) => i < DRUMS || this.used[slot]).map(({ slot }) => slot);
    const [low, high] = this.of[track.index];
    order.sort((a, b) => a.pitch - b.pitch);
    return order.filter((_, k) => k >= low && k <= high).map(({ slot }) => slot);
  }
}

function atLeast(track) {
  const many = track.pitches.length;
  const middle = Math.floor(many / 2);
  return [Math.max(middle - LEAST / 2, 0), Math.min(middle + LEAST / 2, many) - 1];
}

// Lanes in a height: {lanes: [{track, slots, y, height, row}], rowOf, tallOf}, the last track uppermost, the highest pitch on
// top. `size` is that of the names: drums get rows as tall as it, as long as the others have room. rowOf is -1 for a slot
// without a row.
export function laneLayout(net, ranges, height, size) {
  const lanes = [...net.tracks].reverse().map((track) => ({ track, slots: ranges.slots(track) }));
  const room = height - GAP * (lanes.length - 1);
  const weight = (lane) => lane.slots.length * (lane.track.kind === "drums" ? DRUM : 1);
  const all = lanes.reduce((n, lane) => n + weight(lane), 0);
  for (const lane of lanes) {
    lane.height = (room * weight(lane)) / all;
    if (lane.track.kind !== "drums" || lanes.length === 1) continue;
    lane.height = Math.max(lane.height, Math.min(lane.slots.length * size * LINE, DRUM_SHARE * room));
  }
  const drums = lanes.filter((lane) => lane.track.kind === "drums").reduce((n, lane) => n + lane.height, 0);
  const others = lanes.filter((lane) => lane.track.kind !== "drums");
  const shared = others.reduce((n, lane) => n + weight(lane), 0);
  for (const lane of others) lane.height = ((room - drums) * weight(lane)) / shared;
  const rowOf = new Float32Array(net.slots).fill(-1);
  const tallOf = new Float32Array(net.slots);
  let y = 0;
  for (const lane of lanes) {
    lane.y = y;
    lane.row = lane.height / lane.slots.length;
    lane.slots.forEach((slot, k) => {
      rowOf[slot] = y + lane.height - (k + 1) * lane.row;
      tallOf[slot] = lane.row;
    });
    y += lane.height + GAP;
  }
  return { lanes, rowOf, tallOf };
}

// Names of rows that can be read: [{text, y, track}], y their middle, from top to bottom. Octaves of pitched tracks, every drum;
// of those that would overlap, also with those of another lane, the one that is used more stays.
export function rowNames(net, { lanes, rowOf, tallOf }, ranges, size, drums = true) {
  const wanted = [];
  for (const { track, slots } of lanes) {
    if (track.kind === "drums" && !drums) continue;
    for (const slot of slots) {
      if (track.kind !== "drums" && net.slotPitch[slot] % 12) continue;
      const text = track.kind === "drums" ? net.slotName(slot) : pitchName(net.slotPitch[slot]);
      wanted.push({ text, y: rowOf[slot] + tallOf[slot] / 2, track, used: track.kind === "drums" ? ranges.used[slot] : Infinity });
    }
  }
  const out = [];
  for (const name of wanted.sort((a, b) => b.used - a.used || a.y - b.y)) {
    if (out.every(({ y }) => Math.abs(y - name.y) >= size * LINE - 0.5)) out.push(name);
  }
  return out.sort((a, b) => a.y - b.y).map(({ text, y, track }) => ({ text, y, track }));
}

// Widths left of the lanes: the tracks' names, then the rows'; `measure(text)` in pixels.
export function nameColumns(net, names, measureTrack, measureRow) {
  const tracks = Math.max(...net.tracks.map((t) => measureTrack(t.name)));
  const rows = Math.max(0, ...names.map(({ text }) => measureRow(text)));
  return { tracks: Math.ceil(tracks), left: Math.ceil(tracks + 14 + rows + 14) };
}
