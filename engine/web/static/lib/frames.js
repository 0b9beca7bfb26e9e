// What the WebSocket carries as bytes, taken apart: see engine/web/frames.py. Arrays are views of the message, not copies.

const MAGIC = 0x4f474c41;
const STEP = 1;
const NOTES = 2;
const SOUND = 3;
const FUTURES = 4;
const SIGNALS = 5;
export const PAST = 0x80;
const HEADER = 32;

// Decode one message: {kind: "step" | "notes" | "futures" | "sound" | "signals", content}; null for what is not understood. `layout` is the
// hello's; before it has come there is none, and steps and futures cannot be read.
export function decode(data, layout) {
  if (data.byteLength < HEADER) return null;
  const head = new DataView(data, 0, HEADER);
  if (head.getUint32(0, true) !== MAGIC) return null;
  const kind = head.getUint8(5);
  if (kind === STEP && layout) return { kind: "step", content: step(data, head, layout) };
  if (kind === NOTES) return { kind: "notes", content: notes(data, head) };
  if (kind === FUTURES && layout) return { kind: "futures", content: futures(data, head, layout) };
  if (kind === SIGNALS) return { kind: "signals", content: signals(data, head) };
  if (kind === SOUND) return { kind: "sound", content: new Int16Array(data, HEADER) };
  return null;
}

function step(data, head, { tracks, slots, values }) {
  const cellsAt = HEADER + 4 * tracks;
  const valuesAt = cellsAt + 4 * Math.ceil(slots / 4);
  const Values = head.getUint8(6) === 0 ? Uint8Array : Float32Array;
  return {
    flags: head.getUint8(7),
    step: head.getInt32(8, true),
    tempo: head.getFloat32(12, true),
    beat: head.getFloat64(16, true),
    logProb: head.getFloat32(24, true),
    mode: head.getUint8(28),
    numerator: head.getUint8(29),
    denominator: head.getUint8(30),
    groups: head.getUint8(31),
    logProbTracks: new Float32Array(data, HEADER, tracks),
    cells: new Uint8Array(data, cellsAt, slots),
    values: new Values(data, valuesAt, values),
  };
}

function futures(data, head, { slots }) {
  return {
    step: head.getInt32(8, true), // they follow this one
    count: head.getUint8(7),
    steps: head.getUint8(28),
    slots,
    notes: new Uint8Array(data, HEADER), // futures, timesteps, slots: 0 silent, 1 goes on, 2 begins
  };
}

// The smooth tiers at a moment: each number in its range, 0 to 1, and as it is where that was asked for.
function signals(data, head) {
  const count = head.getInt32(8, true);
  const raw = head.getUint8(7) === 1;
  const end = HEADER + 4 * count;
  return {
    beat: head.getFloat64(16, true),
    values: new Float32Array(data, HEADER, count),
    raw: raw ? new Float32Array(data, end, count) : null,
    trails: new Uint8Array(data, raw ? end + 4 * count : end),
  };
}

function notes(data, head) {
  const view = new DataView(data, HEADER);
  const events = [];
  for (let i = 0; i < head.getInt32(8, true); i++) {
    const at = 8 * i;
    events.push({
      kind: view.getUint8(at),
      track: view.getUint8(at + 1),
      pitch: view.getUint8(at + 2),
      velocity: view.getUint8(at + 3),
      beat: view.getFloat32(at + 4, true),
    });
  }
  return { events, lost: (head.getUint8(7) & 1) === 1 };
}
