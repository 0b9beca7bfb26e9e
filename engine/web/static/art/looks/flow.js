// One note on its way: it is heard on the left, goes through the neurons of each layer that answer it, and sounds on the right.

import { blending, ofVoices, spot } from "../paints.js";

const MOST = 72; // neurons of one layer that are seen
const LIVES_MS = 1300;
const RUN_MS = 380; // in which the light goes from left to right
const PATHS = 16; // that are seen at once: to lay their light on a picture of 1080p takes time
const SIDES = 4; // of the newest the ways beside are seen as well
const BRANCHES = 3; // neurons of a layer that one note goes through

export class Look {
  constructor(art) {
    this.art = art;
    const { show, colours } = art;
    this.colours = ofVoices(art);
    this.spots = this.colours.map(spot);
    this.poles = [spot(colours.diverging[1][1]), spot(colours.diverging.at(-2)[1])];
    this.paths = [];
    this.seen = show.serial;
    const { width, height } = art;
    const columns = show.layers.length;
    this.columns = show.layers.map((one, k) => {
      const { layer } = one;
      const rows = layer.rows > 1;
      const many = Math.min(rows ? layer.rows : layer.units, MOST);
      const x = width * (0.2 + (0.6 * (k + 0.5)) / columns);
      return {
        one,
        many,
        rows,
        points: Array.from({ length: many }, (_, n) => {
          const up = (n + 0.5) / many;
          // A bow, so that a layer reads as a body and not as a scale.
          const bow = Math.sin(Math.PI * up) - 0.5;
          return [x + bow * width * 0.03 * (k % 2 ? -1 : 1), height * (0.94 - 0.88 * up)];
        }),
        value: new Float32Array(many),
        before: new Float32Array(many),
        rise: new Float32Array(many),
      };
    });
    this.ranges = show.voices.map((_, v) => {
      const track = show.net.tracks[v];
      return track ? [track.low, track.high] : [24, 100];
    });
  }

  // Where a note is heard (left) or sounds (right): high notes above; drums have a place of their own below.
  door(voice, pitch, right) {
    const { width, height, show } = this.art;
    const drums = show.net.tracks[voice]?.kind === "drums";
    const [low, high] = drums ? this.ranges[voice] : [24, 100];
    const up = Math.min(Math.max((pitch - low) / Math.max(high - low, 1), 0), 1);
    const y = drums ? 0.97 - 0.12 * up : 0.82 - 0.78 * up;
    return [width * (right ? 0.93 : 0.07), height * y];
  }

  sense() {
    for (const column of this.columns) {
      const { one, many, rows, value, before, rise } = column;
      const { layer, main } = one;
      const order = rows ? null : this.art.show.order(one);
      for (let n = 0; n < many; n++) {
        const at = Math.floor((n * (rows ? layer.rows : layer.units)) / many);
        const now = rows ? strongest(main.level, at * layer.units, layer.units) : main.level[order[at]];
        rise[n] = 0.9 * rise[n] + Math.abs(now - before[n]);
        before[n] = value[n] = now;
      }
    }
  }

  // The way a note takes: through the neurons that just changed most, a few ways at once.
  begin(note, now) {
    const points = [];
    const from = this.door(note.voice, note.pitch, false);
    const to = this.door(note.voice, note.pitch, true);
    for (let branch = 0; branch < BRANCHES; branch++) {
      const way = [from];
      for (const { many, rise, points: places } of this.columns) {
        const at = nth(rise, many, branch);
        way.push(places[at]);
      }
      way.push(to);
      points.push(way);
    }
    this.paths.push({ points, at: now, note });
    if (this.paths.length > PATHS) this.paths.shift();
  }

  draw(now) {
    const { art } = this;
    const { context: g, show, colours } = art;
    this.sense();
    for (let k = show.notes.length - 1; k >= 0 && show.notes[k].serial >= this.seen; k--) this.begin(show.notes[k], now);
    this.seen = show.serial;
    this.paths = this.paths.filter((path) => now - path.at < LIVES_MS);
    art.clear();
    g.globalCompositeOperation = blending(colours);
    this.neurons(g);
    g.lineCap = "butt";
    this.paths.forEach((path, n) => this.path(g, path, now, n >= this.paths.length - SIDES));
    this.doors(g);
    g.globalAlpha = 1;
  }

  neurons(g) {
    const { height } = this.art;
    const small = height * 0.009;
    for (const { many, points, value } of this.columns) {
      for (let n = 0; n < many; n++) {
        const bright = Math.abs(value[n]);
        const [x, y] = points[n];
        const s = small * (0.7 + 2.6 * bright);
        g.globalAlpha = Math.min(0.22 + 1.1 * bright, 1);
        g.drawImage(this.poles[value[n] < 0 ? 0 : 1], x - s, y - s, 2 * s, 2 * s);
      }
    }
  }

  path(g, { points, at, note }, now, sides) {
    const { art } = this;
    const age = now - at;
    const fade = (1 - age / LIVES_MS) ** 2;
    const run = Math.min(age / RUN_MS, 1);
    g.strokeStyle = this.colours[note.voice];
    points.forEach((way, branch) => {
      if (branch && !sides) return;
      g.globalAlpha = (0.12 + 0.5 * note.velocity) * fade * (branch ? 0.45 : 1);
      g.lineWidth = Math.max((branch ? 0.9 : 1.8) * (0.5 + note.velocity) * art.unit, 0.5);
      g.beginPath();
      g.moveTo(...way[0]);
      for (let k = 1; k < way.length; k++) {
        const [x0, y0] = way[k - 1];
        const [x1, y1] = way[k];
        const half = (x0 + x1) / 2;
        g.bezierCurveTo(half, y0, half, y1, x1, y1);
      }
      g.stroke();
      if (run >= 1) return;
      const [x, y] = along(way, run);
      const s = art.height * 0.018 * (branch ? 0.6 : 1) * (0.5 + note.velocity);
      g.globalAlpha = branch ? 0.4 : 0.9;
      g.drawImage(this.spots[note.voice], x - s, y - s, 2 * s, 2 * s);
    });
  }

  // What sounds now shines on the right; the player's keys on the left.
  doors(g) {
    const { show, height } = this.art;
    const player = show.voices.length - 1;
    for (const note of show.sounding.values()) {
      const level = 0.35 + 0.65 * show.voices[note.voice].level;
      const [x, y] = this.door(note.voice, note.pitch, note.voice !== player);
      const s = height * 0.035 * level * (0.5 + note.velocity);
      g.globalAlpha = Math.min(0.4 + level * 0.6, 1);
      g.drawImage(this.spots[note.voice], x - s, y - s, 2 * s, 2 * s);
    }
  }
}

function strongest(level, from, units) {
  let most = 0;
  for (let u = 0; u < units; u += 3) {
    const value = level[from + u];
    if (Math.abs(value) > Math.abs(most)) most = value;
  }
  return most;
}

// The place of the n-th largest.
function nth(values, many, n) {
  const taken = [];
  for (let k = 0; k <= n; k++) {
    let best = -1;
    for (let i = 0; i < many; i++) if (!taken.includes(i) && (best < 0 || values[i] > values[best])) best = i;
    taken.push(best);
  }
  return Math.max(taken[n], 0);
}

// A point of a way, from 0 its beginning to 1 its end.
function along(way, part) {
  const at = part * (way.length - 1);
  const k = Math.min(Math.floor(at), way.length - 2);
  const u = at - k;
  const [x0, y0] = way[k];
  const [x1, y1] = way[k + 1];
  const half = (x0 + x1) / 2;
  const v = 1 - u;
  const x = v ** 3 * x0 + 3 * v * v * u * half + 3 * v * u * u * half + u ** 3 * x1;
  const y = v ** 3 * y0 + 3 * v * v * u * y0 + 3 * v * u * u * y1 + u ** 3 * y1;
  return [x, y];
}
