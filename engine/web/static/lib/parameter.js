// A parameter's way to a control's 0..1 and back, and how a person reads its value: the mirror of Parameter.to_share and
// Parameter.from_share in engine/core/parameters.py; values that Python computed hold both together (tests/web/lib).

import { t, word } from "./language.js";
import { pitchName } from "./net.js";

const STEPS = 1000; // places of a slider
const ZERO = { bars: "bars.any", loop: "off", fills: "never" }; // where none is no number
const MOST_PLACES = 2000; // an integer with more values is written, not slid

export function clamp(p, value) {
  if (Number.isNaN(value)) return p.default;
  const inside = Math.min(Math.max(value, p.min), p.max);
  return p.kind === "continuous" ? inside : Math.floor(inside + 0.5);
}

// Where a value lies in the range, 0 .. 1.
export function toShare(p, value) {
  if (p.max <= p.min || p.kind === "trigger") return 0;
  const inside = clamp(p, value);
  if (p.scale === "exponential" && p.min > 0) return Math.log(inside / p.min) / Math.log(p.max / p.min);
  return (inside - p.min) / (p.max - p.min);
}

// The legal value at a share of the range; of a trigger 1 from the middle on.
export function fromShare(p, share) {
  if (p.kind === "trigger") return share >= 0.5 ? 1 : 0;
  if (!(share > 0 && share < 1)) return clamp(p, share >= 1 ? p.max : share <= 0 ? p.min : NaN);
  if (p.scale === "exponential" && p.min > 0) return clamp(p, p.min * (p.max / p.min) ** share);
  return clamp(p, p.min + share * (p.max - p.min));
}

// How many places a slider for it has above the first: every value of an integer, else a thousand.
export function places(p) {
  return p.kind === "integer" ? p.max - p.min : STEPS;
}

// What it is turned with: "choice", "list" (a choice among many), "trigger", "switch", "number" or "slider".
export function controlOf(p) {
  if (p.kind === "choice") return p.choices.length > 4 || p.choices.join("").length > 24 ? "list" : "choice";
  if (p.kind === "trigger" || p.kind === "switch") return p.kind;
  return p.kind === "integer" && places(p) > MOST_PLACES ? "number" : "slider";
}

// A value that a slider gives, without digits that nobody means.
export function rounded(p, value) {
  if (p.kind !== "continuous") return Math.round(value);
  return p.unit === "bpm" ? Math.round(value) : Number(value.toPrecision(3));
}

// The value as a person reads it.
export function textOf(p, value) {
  if (p.choices.length) return choiceOf(p, p.choices[clamp(p, value)]);
  if (p.kind === "switch") return t(value ? "on" : "off");
  if (value === 0 && ZERO[p.id]) return t(ZERO[p.id]);
  if (/\.(lowest|highest)$/.test(p.id)) return pitchName(clamp(p, value));
  const written = number(p, value);
  if (!p.unit) return written;
  const one = written === "1" && p.unit.length > 2;
  return `${written} ${one ? word(`unit.${p.unit}.one`, p.unit.replace(/s$/, "")) : word(`unit.${p.unit}`, p.unit)}`;
}

// What a parameter, its choices and what it does are called; what nobody translated is in the engine's words.
export function nameOf(p) {
  return word(`parameter.${p.id}`, p.id);
}

export function choiceOf(p, choice) {
  return word(`choice.${p.id}.${choice}`, choice);
}

// A sentence. A track's own parameters are alike for all: `track` is what it is called.
export function docOf(p, track = "") {
  const every = word(`doc.*.${p.id.split(".").at(-1)}`, p.doc, { track });
  return `${word(`doc.${p.id}`, track ? every : p.doc)}.`;
}

function number(p, value) {
  if (p.kind !== "continuous" || p.unit === "bpm") return String(Math.round(value));
  if (p.unit) return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
  if (p.max <= 1 && p.min >= 0) return `${Math.round(100 * value)} %`;
  return value.toFixed(2).replace("-", "−");
}

// Parameters as the panel shows them: {groups: [[title, parameters]], strips: [{name, track, level, mute, solo, punch, fold}]},
// from
// all that the engine has now. What belongs to a track or the player by its name stands in that strip: level, mute, solo and
// punch at once, everything else (pan, patch, knobs ...) in its fold. `known` are [title, ids]; what no group knows is in the last one.
export function sorted(parameters, names, known, elsewhere) {
  const left = new Map(parameters.filter((p) => !elsewhere.includes(p.id)).map((p) => [p.id, p]));
  const take = (id) => {
    const found = left.get(id);
    left.delete(id);
    return found;
  };
  const groups = known.map(([title, ids]) => [title, ids.map(take).filter(Boolean)]);
  const strips = names.map((name) => {
    const [level, mute, solo, punch] = ["level", "mute", "solo", "punch"].map((word) => take(`${name}.${word}`));
    const fold = [...left.keys()].filter((id) => id.startsWith(`${name}.`)).map(take);
    return { name, level, mute, solo, punch, fold };
  });
  return { groups, strips: strips.filter((s) => s.level || s.mute || s.solo || s.punch || s.fold.length), rest: [...left.values()] };
}
