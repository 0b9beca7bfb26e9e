// How alike the network's state is to what it was before: time goes to the right, upwards and downwards lies what was so long
// ago. A thing that comes again draws a level stripe, as far from the middle as it lies in the past.

import { ofVoices, words } from "../paints.js";
import { Likeness } from "../../lib/likeness.js";
import { Waterfall } from "../waterfall.js";

const LAGS = 192;
const NEAR = 3; // timesteps that are alike in any case
const AT_ONCE = 8; // steps of a long past taken in for one picture

export class Look {
  constructor(art) {
    this.art = art;
    this.likeness = new Likeness(art.show.net);
    this.flow = new Waterfall(LAGS, LAGS);
    this.table = words(art.colours.luts.sequential);
    this.colours = ofVoices(art);
    this.low = 0.3;
    this.high = 1;
    this.number = art.show.history.first;
  }

  // Take in what came, a little at each picture where it is a long past.
  catchUp() {
    const { history } = this.art.show;
    const most = this.art.filmed ? Infinity : AT_ONCE;
    if (this.number < history.first) this.number = history.first;
    for (let taken = 0; this.number < history.count && taken < most; taken++) this.take(history.at(this.number), this.number++);
  }

  take(frame, number) {
    const { likeness, flow } = this;
    if (likeness.taken && likeness.count !== number) likeness.clear();
    likeness.push(frame, number);
    const { pixels } = flow;
    let least = 1;
    let most = 0;
    for (let lag = 0; lag < LAGS; lag++) {
      const there = lag >= NEAR && likeness.has(number - lag);
      const value = there ? likeness.of(number, number - lag) : 0;
      if (there) {
        if (value < least) least = value;
        if (value > most) most = value;
      }
      this.values ??= new Float32Array(LAGS);
      this.values[lag] = there ? value : -1;
    }
    // The range follows slowly: what is alike among what there is.
    if (most > least) {
      this.low += 0.05 * (least - this.low);
      this.high += 0.05 * (most - this.high);
    }
    const span = Math.max(this.high - this.low, 0.05);
    for (let lag = 0; lag < LAGS; lag++) {
      const value = this.values[lag];
      const part = Math.min(Math.max((value - this.low) / span, 0), 1);
      pixels[LAGS - 1 - lag] = value < 0 ? 0 : this.table[Math.round(255 * part ** 1.6)];
    }
    flow.push(frame.step);
  }

  draw() {
    const { art } = this;
    const { context: g, width, height, show } = art;
    this.catchUp();
    art.clear();
    const { net, frame } = show;
    const at = show.beat * net.stepsPerBeat - (frame.beat * net.stepsPerBeat - frame.step);
    const wide = width / (LAGS - 4);
    const middle = height / 2;
    g.imageSmoothingEnabled = true;
    this.flow.draw(g, at, width, wide, 0, middle);
    g.save();
    g.translate(0, height);
    g.scale(1, -1);
    this.flow.draw(g, at, width, wide, 0, middle);
    g.restore();
    // The notes, along the middle.
    g.globalCompositeOperation = "source-over";
    const beats = width / (wide * net.stepsPerBeat);
    const each = height / 400;
    for (const note of show.notes) {
      const from = width - (show.beat - note.beat) * wide * net.stepsPerBeat;
      const to = width - (show.beat - (note.end ?? show.beat)) * wide * net.stepsPerBeat;
      if (to < 0 || show.beat - note.beat > beats + 8) continue;
      g.globalAlpha = 0.35 + 0.6 * note.velocity;
      g.fillStyle = this.colours[note.voice];
      g.fillRect(from, middle - (note.pitch - 60) * each, Math.max(to - from, 2), Math.max(1.6 * art.unit, 1));
    }
    g.globalAlpha = 1;
  }
}
