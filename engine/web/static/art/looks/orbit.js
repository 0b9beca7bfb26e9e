// A bar is a turn: each track has its ring, each note lies where in the bar it was struck; a bar later it leaves its ring and
// runs outwards like a ripple. In the middle the network's layers look out like an iris.

import { blending, ofVoices, spot } from "../paints.js";

const TURN = 2 * Math.PI;
const IRIS = 0.34; // of the radius
const MOST = 144; // points of one layer
const BARS = 5; // after which a note is gone
const RIPPLE = 0.34; // of its ring's radius, by which a note is further out two bars after it was struck

export class Look {
  constructor(art) {
    this.art = art;
    const { show, colours } = art;
    this.colours = ofVoices(art);
    this.spots = this.colours.map(spot);
    const warm = spot(colours.diverging.at(-2)[1]);
    const cool = spot(colours.diverging[1][1]);
    this.poles = [cool, warm];
    this.rings = show.layers.map((one) => {
      const { layer } = one;
      const many = Math.min(layer.units, MOST);
      return { one, many, places: Uint16Array.from({ length: many }, (_, k) => Math.floor((k * layer.units) / many)) };
    });
    this.ranges = show.voices.map((_, v) => {
      const track = show.net.tracks[v];
      return track ? [track.low, track.high] : [36, 96];
    });
  }

  draw() {
    const { art } = this;
    const { context: g, width, height, show, colours } = art;
    art.clear();
    const middle = [width / 2, height / 2];
    const radius = Math.min(width, height) * 0.48;
    g.save();
    g.translate(...middle);
    g.rotate(-TURN / 4);
    g.globalCompositeOperation = "source-over";
    this.frame(g, radius, colours);
    g.globalCompositeOperation = blending(colours);
    this.iris(g, radius * IRIS);
    this.notes(g, radius);
    this.hand(g, radius);
    g.restore();
    g.globalAlpha = 1;
  }

  frame(g, radius, colours) {
    const { art } = this;
    const { show } = art;
    g.strokeStyle = colours.line;
    g.lineWidth = Math.max(art.unit, 1);
    g.beginPath();
    const { metre } = show.net;
    for (let step = 0; step < metre.bar; step += metre.beat) {
      const angle = (step / metre.bar) * TURN;
      const from = radius * (IRIS + 0.05);
      g.moveTo(from * Math.cos(angle), from * Math.sin(angle));
      g.lineTo(radius * Math.cos(angle), radius * Math.sin(angle));
    }
    g.stroke();
  }

  // Where a note of a voice lies, from the middle.
  distance(radius, voice, pitch) {
    const count = this.art.show.voices.length;
    const [low, high] = this.ranges[voice];
    const within = Math.min(Math.max((pitch - low) / Math.max(high - low, 1), 0), 1);
    return radius * (IRIS + 0.08 + (1 - IRIS - 0.1) * ((voice + 0.12 + 0.76 * within) / count));
  }

  notes(g, radius) {
    const { art } = this;
    const { show } = art;
    const { metre, stepsPerBeat } = show.net;
    const bar = metre.bar / stepsPerBeat; // beats
    g.lineCap = "round";
    for (const note of show.notes) {
      const age = (show.beat - note.beat) / bar;
      if (age > BARS + 1 || age < 0) continue;
      const end = note.end ?? show.beat;
      const long = Math.min(Math.max(end - note.beat, 0.06), bar * 0.98);
      const fade = Math.max(1 - age / BARS, 0) ** 1.5;
      if (!fade) continue;
      const angle = ((((note.beat % bar) + bar) % bar) / bar) * TURN;
      const away = this.distance(radius, note.voice, note.pitch) * ripple(age);
      g.strokeStyle = this.colours[note.voice];
      g.globalAlpha = (0.25 + 0.75 * note.velocity) * fade;
      g.lineWidth = Math.max((1.2 + 4 * note.velocity * fade) * art.unit, 0.7);
      g.beginPath();
      g.arc(0, 0, away, angle, angle + (long / bar) * TURN);
      g.stroke();
      const glow = radius * 0.05 * (0.4 + note.velocity) * (note.end === null ? 0.6 + 0.6 * show.voices[note.voice].level : Math.exp(-3 * age));
      if (glow > 3) g.drawImage(this.spots[note.voice], away * Math.cos(angle) - glow, away * Math.sin(angle) - glow, 2 * glow, 2 * glow);
    }
  }

  iris(g, radius) {
    const { show } = this.art;
    const count = this.rings.length;
    let loud = 0;
    for (const { level } of show.voices) loud = Math.max(loud, level);
    this.rings.forEach(({ one, many, places }, k) => {
      const { layer, main } = one;
      const order = show.order(one);
      const away = radius * (0.34 + (0.66 * (k + 0.5)) / count) * (1 + 0.03 * loud);
      const size = Math.max((1.1 * TURN * away) / many, radius * 0.035);
      for (let n = 0; n < many; n++) {
        const value = layer.rows > 1 ? mean(main.level, layer, order[places[n]]) : main.level[order[places[n]]];
        const bright = Math.abs(value);
        if (bright < 0.06) continue;
        const angle = (n / many) * TURN;
        g.globalAlpha = Math.min(0.3 + 1.4 * bright, 1);
        const s = size * (0.75 + 1.5 * bright);
        const reach = away * (1 + 0.1 * value);
        g.drawImage(this.poles[value < 0 ? 0 : 1], reach * Math.cos(angle) - s, reach * Math.sin(angle) - s, 2 * s, 2 * s);
      }
    });
  }

  hand(g, radius) {
    const { art } = this;
    const { show, colours } = art;
    const angle = show.bar * TURN;
    g.globalAlpha = 0.5;
    g.strokeStyle = colours.network;
    g.lineWidth = Math.max(1.5 * art.unit, 1);
    g.beginPath();
    g.moveTo(radius * (IRIS + 0.05) * Math.cos(angle), radius * (IRIS + 0.05) * Math.sin(angle));
    g.lineTo(radius * Math.cos(angle), radius * Math.sin(angle));
    g.stroke();
  }
}

// By how much a note's ring has grown, so many bars after it was struck.
function ripple(age) {
  return age < 1 ? 1 : 1 + RIPPLE * (age - 1) ** 1.5;
}

// A neuron that stands at every note, as one: where it speaks loudest.
function mean(level, { rows, units }, unit) {
  let most = 0;
  for (let row = 0; row < rows; row += 2) {
    const value = level[row * units + unit];
    if (Math.abs(value) > Math.abs(most)) most = value;
  }
  return most;
}
