// A visitor's tune in signs: steps of a scale, hold, rest. What they are called and how they sound.

import { TUNE } from "../lib/nn.js";
import { noteName } from "./parts.js";

const SCALE = [0, 2, 4, 5, 7, 9, 11]; // major, from C

/** The MIDI pitch of a sign, or null of one that begins none. */
export const pitchOf = (sign) => (sign < TUNE.pitches ? 60 + 12 * Math.floor(sign / 7) + SCALE[sign % 7] : null);

/** Name of a sign: a note, held on, a rest. Each octave further up has a stroke more. */
export function signName(app, sign) {
  if (sign === TUNE.hold) return app.t("sign.hold");
  if (sign === TUNE.rest) return app.t("sign.rest");
  return noteName(pitchOf(sign)) + ["", "′", "″"][Math.floor(sign / 7)];
}

/** The sign that sounds at place `k` of a tune: what is held goes on. */
export function sounding(signs, k) {
  while (k > 0 && signs[k] === TUNE.hold) k--;
  return signs[k];
}
