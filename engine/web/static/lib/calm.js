// Keeps a picture that changes as a whole from flashing: people can be harmed by more than three flashes a second.
//
// The mean brightness of each step is watched. As long as it is steady the picture is exact; when it goes up and down more
// than three times a second by a tenth of its range, the steps are blended until it has been steady for a while.

const FLASHES = 3;
const CHANGE = 0.1;
const KEEP_MS = 3000;
const SAMPLES = 997;

export class Calm {
  constructor() {
    this.turns = []; // times at which brightness turned after a change worth counting
    this.level = null;
    this.extreme = null;
    this.rising = true;
    this.until = 0;
    this.kept = new Map();
  }

  // Take the brightness of a step; returns how much of the step before is to be kept, 0 .. 1.
  take(frame, net, now) {
    const { values } = frame;
    const stride = Math.max(Math.floor((values.length - 2 * net.slots) / SAMPLES), 1);
    let sum = 0;
    let count = 0;
    for (let i = 2 * net.slots; i < values.length; i += stride, count++) {
      sum += net.u8 ? Math.abs(values[i] - 127.5) / 127.5 : Math.min(Math.abs(values[i]), 1);
    }
    return this.note(count ? sum / count : 0, now);
  }

  note(level, now) {
    if (this.extreme === null) this.extreme = level;
    const beyond = this.rising ? level > this.extreme : level < this.extreme;
    if (beyond) this.extreme = level;
    else if (Math.abs(level - this.extreme) >= CHANGE) {
      this.rising = !this.rising;
      this.extreme = level;
      this.turns.push(now);
    }
    while (this.turns.length && this.turns[0] < now - 1000) this.turns.shift();
    if (this.turns.length > 2 * FLASHES - 1) this.until = now + KEEP_MS;
    return now < this.until ? 0.8 : 0;
  }

  soften(name, values, strength) {
    if (!strength) {
      this.kept.delete(name);
      return values;
    }
    let kept = this.kept.get(name);
    if (!kept || kept.length !== values.length) {
      kept = Float32Array.from(values);
      this.kept.set(name, kept);
    }
    for (let i = 0; i < values.length; i++) kept[i] += (1 - strength) * (values[i] - kept[i]);
    return values instanceof Uint8Array ? Uint8Array.from(kept) : kept;
  }
}
