// Notes as trails of light: each begins at the line of now and drifts away while it rings; beyond the line glows what the network
// thinks may come.

import { blending, ofVoices, spot } from "../paints.js";

const NOW = 0.72; // of the width
const BEATS = 12; // that are seen of the past
const PITCHES = [28, 92];
const DRUM_SHARE = 0.16; // of the height, below
const FADE_BEATS = 4; // in which a trail becomes dim after its end
const HALO = 9; // times as high as a trail is the light around it

export class Look {
  constructor(art) {
    this.art = art;
    const { net } = art.show;
    this.drums = new Map();
    for (const track of net.tracks) if (track.kind === "drums") track.pitches.forEach((pitch, i) => this.drums.set(track.index * 128 + pitch, i / Math.max(track.pitches.length - 1, 1)));
    this.colours = ofVoices(art);
    this.spots = this.colours.map(spot);
    this.heights = net.slotPitch.map((pitch, slot) => this.y(net.slotTrack[slot], pitch));
  }

  y(voice, pitch) {
    const { height } = this.art;
    const drum = this.drums.get(voice * 128 + pitch);
    if (drum !== undefined) return height * (1 - DRUM_SHARE * (0.15 + 0.75 * drum));
    const [low, high] = PITCHES;
    const up = Math.min(Math.max((pitch - low) / (high - low), 0), 1);
    return height * (1 - DRUM_SHARE) * (1 - up) * 0.94 + height * 0.03;
  }

  draw() {
    const { art } = this;
    const { context: g, width, height, show, colours } = art;
    art.clear();
    const now = width * NOW;
    const wide = now / BEATS;
    const { metre, stepsPerBeat } = show.net;
    g.globalCompositeOperation = "source-over";
    g.strokeStyle = colours.line;
    g.lineWidth = Math.max(art.unit, 1);
    const bar = metre.bar / stepsPerBeat;
    g.beginPath();
    for (let beat = Math.ceil((show.beat - BEATS) / bar) * bar; beat <= show.beat; beat += bar) {
      const x = now - (show.beat - beat) * wide;
      g.moveTo(x, 0);
      g.lineTo(x, height);
    }
    g.stroke();
    g.globalCompositeOperation = blending(colours);
    this.expected(g, now, width - now);
    const thick = height * 0.0125 * Math.max(art.options.line, 0.4);
    for (let k = show.notes.length - 1; k >= 0; k--) {
      const note = show.notes[k];
      const end = note.end ?? show.beat;
      const right = now - (show.beat - end) * wide;
      if (right < -width * 0.1) continue;
      const left = now - (show.beat - note.beat) * wide;
      const gone = Math.max(show.beat - end, 0);
      const size = thick * (0.5 + note.velocity) * (note.voice === show.voices.length - 1 ? 1.5 : 1);
      const y = this.y(note.voice, note.pitch);
      g.fillStyle = this.colours[note.voice];
      const rings = note.end === null ? show.voices[note.voice].level : 0;
      const bright = (0.4 + 0.6 * note.velocity) * (0.3 + 0.7 * Math.exp(-gone / FADE_BEATS)) * Math.min(1, 0.3 + right / now);
      // The light around it: the middle of a spot, as long as the note.
      const halo = size * (HALO / 2) * (0.7 + 0.5 * rings);
      g.globalAlpha = bright * (0.3 + 0.4 * rings);
      g.drawImage(this.spots[note.voice], 31, 0, 2, 64, left, y - halo, Math.max(right - left, size), 2 * halo);
      g.globalAlpha = bright;
      g.beginPath();
      g.roundRect(left, y - size / 2, Math.max(right - left, size), size, size / 2);
      g.fill();
      const glow = size * (note.end === null ? 4 : 3) * (note.end === null ? 0.7 + 0.5 * show.voices[note.voice].level : Math.exp(-gone / 0.7));
      if (glow > 2) g.drawImage(this.spots[note.voice], left - glow, y - glow, 2 * glow, 2 * glow);
    }
    g.globalAlpha = 1;
  }

  expected(g, x, room) {
    const { show, height } = this.art;
    const { chance, net } = show;
    const tall = height * 0.016;
    for (let slot = 0; slot < chance.length; slot++) {
      const likely = chance[slot];
      if (likely < 0.03) continue;
      g.globalAlpha = Math.min(0.15 + likely, 1) * 0.6;
      g.drawImage(this.spots[net.slotTrack[slot]], 32, 0, 32, 64, x, this.heights[slot] - tall, room * (0.15 + 0.85 * likely), 2 * tall);
    }
    g.globalAlpha = 1;
  }
}
