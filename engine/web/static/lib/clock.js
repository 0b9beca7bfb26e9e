// Where the music is between two steps.

const JUMP_BEATS = 0.5;

export class BeatClock {
  constructor() {
    this.beat = 0;
    this.at = null; // performance.now() at which it was that beat
    this.perMs = 0;
    this.stepBeats = 0.25;
  }

  // A step sounded. Frames come a little early or late: half of the error is corrected at each.
  step(beat, tempo, now) {
    this.perMs = tempo / 60000;
    const error = this.at === null ? Infinity : beat - this.raw(now);
    this.beat = Math.abs(error) > JUMP_BEATS ? beat : this.raw(now) + 0.5 * error;
    this.at = now;
    this.last = beat;
  }

  raw(now) {
    return this.beat + (now - this.at) * this.perMs;
  }

  // Never more than a step past the last one heard: when the music stands, so does this.
  beatAt(now) {
    return this.at === null ? 0 : Math.min(this.raw(now), this.last + 1.2 * this.stepBeats);
  }
}
