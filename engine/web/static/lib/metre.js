// A metre in timesteps: how many a bar and a beat have, and where its strong beats lie. As engine/core/metre.py has it.

import { mod } from "./number.js";

const known = new Map();

// `groups`: bit n where a group begins with unit n; 0 for the usual ones. `perQuarter`: timesteps of a quarter note.
export function metreOf(numerator, denominator, groups, perQuarter) {
  const key = `${numerator}/${denominator} ${groups} ${perQuarter}`;
  if (!known.has(key)) known.set(key, made(numerator, denominator, groups, perQuarter));
  return known.get(key);
}

function made(numerator, denominator, groups, perQuarter) {
  const compound = numerator > 3 && numerator % 3 === 0 && denominator >= 8;
  const unit = (4 * perQuarter) / denominator; // steps of one note of the denominator
  const begins = [];
  if (groups) for (let n = 0; n < numerator; n++) if (groups & (1 << n)) begins.push(n);
  if (!groups) for (let n = 0; n < numerator; n += usual(numerator, n, compound)) begins.push(n);
  const sizes = begins.map((n, k) => (begins[k + 1] ?? numerator) - n);
  return {
    numerator,
    denominator,
    long: groups ? `${numerator}/${denominator} (${sizes.join("+")})` : `${numerator}/${denominator}`,
    bar: Math.max(Math.round(numerator * unit), 1),
    beat: Math.max(Math.round(compound ? 3 * unit : unit), 1),
    beats: compound ? numerator / 3 : numerator,
    strong: begins.map((n) => Math.round(n * unit)),
    tempoBeat: compound ? (3 * unit) / perQuarter : 1, // quarters of what the tempo counts
  };
}

// Units of the group that begins with unit n.
function usual(numerator, n, compound) {
  if (compound) return 3;
  if (numerator < 5 || numerator % 2 === 0) return 1;
  if (numerator === 5) return n === 0 ? 3 : 2;
  return numerator - n === 3 ? 3 : 2;
}

// Where timestep `position`, counted from bar 1, lies in a metre: bars and beats count from 0.
export function placeIn(metre, position) {
  const within = mod(position, metre.bar);
  return {
    metre,
    bar: Math.floor(position / metre.bar),
    within,
    beat: Math.floor(within / metre.beat),
    begins: within % metre.beat === 0, // a beat
    accent: metre.strong.length < metre.beats && metre.strong.includes(within), // one of those that groups begin with
  };
}
