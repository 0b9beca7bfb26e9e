// A clip's notes, sounded by plain oscillators a little ahead of time.

import { Voice } from "../lib/voice.js";

const AHEAD_S = 0.35;
const LOOK_MS = 90;
const RING = { bass: 0.5, chords: 0.9, pad: 1.6, lead: 0.5 };
const BRIGHT = { bass: 0.2, chords: 0.35, pad: 0.1, lead: 0.7 };

export const voice = new Voice();

/** Sound one note of a track; `in_s` from now. */
export function strike(name, pitch, velocity, seconds, in_s = 0) {
  const level = velocity / 127;
  if (name === "drums") {
    voice.drum(pitch <= 36 ? 0 : [37, 38, 39, 40].includes(pitch) ? 1 : 2, 0.6 * level, in_s);
    return;
  }
  const rings = Math.min(Math.max(seconds, 0.15), RING[name] ?? 0.6) + 0.1;
  voice.pluck(pitch, { seconds: rings, level: (name === "pad" ? 0.35 : 0.6) * level, bright: BRIGHT[name] ?? 0.4, in_s });
}

/** Seconds of one timestep. */
export const stepOf = (music) => 60 / music.bpm / music.grid;

export class Clip {
  /** Begin to sound a music `in_s` from now; `ended` is called when it is over. Call it while a touch is handled, the first time. */
  constructor(music, { in_s = 0.06, ended = () => {}, now = () => performance.now() / 1000 } = {}) {
    voice.wake();
    this.music = music;
    this.now = now;
    this.begun = now() + in_s;
    this.step_s = stepOf(music);
    this.length = music.steps * this.step_s;
    this.next = 0;
    this.ended = ended;
    this.timer = setInterval(() => this.look(), LOOK_MS);
    this.look();
  }

  /** Seconds into it; negative before it begins. */
  get at() {
    return this.now() - this.begun;
  }

  look() {
    const { notes, tracks } = this.music;
    while (this.next < notes.length) {
      const [step, steps, track, pitch, velocity, offset = 0] = notes[this.next];
      const due = (step + offset) * this.step_s - this.at;
      if (due > AHEAD_S) break;
      if (due > -0.05) strike(tracks[track], pitch, velocity, steps * this.step_s, Math.max(due, 0));
      this.next++;
    }
    if (this.at >= this.length) {
      this.stop();
      this.ended();
    }
  }

  stop() {
    clearInterval(this.timer);
    this.next = Infinity;
  }
}
