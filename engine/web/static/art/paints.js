// The colours a look is drawn with: the program's own, or one of four that change their temper.

import { palette, rgb, setPalette } from "../lib/colour.js";

const STEPS = 256;
// A palette here says what differs from the program's colours (lib/palette.json).
const OTHERS = {
  stage: {},
  ember: {
    ground: "#0a0503", text: "#fff1e0", player: "#fff3c4", network: "#ff7a2f", chosen: "#ffd27d",
    tracks: { drums: "#ff4d2e", bass: "#ffb347", chords: "#ff8f6b", pad: "#c8553d", lead: "#ffe08a", player: "#fff3c4" },
    others: ["#ff8f6b", "#ffe08a", "#c8553d", "#ffb347", "#ff4d2e"],
    diverging: [[-1, "#f4d6ff"], [-0.6, "#a0489c"], [-0.25, "#40143f"], [0, "#060304"], [0.25, "#521405"], [0.6, "#d2541a"], [1, "#ffe9b8"]],
    sequential: [[0, "#060304"], [0.3, "#4a1206"], [0.65, "#d2541a"], [1, "#ffeec2"]],
  },
  ice: {
    ground: "#03070c", text: "#eaf6ff", player: "#ffffff", network: "#5fb8ff", chosen: "#b4f0ff",
    tracks: { drums: "#d9f3ff", bass: "#3f7cff", chords: "#66d3ff", pad: "#39a99b", lead: "#a9b8ff", player: "#ffffff" },
    others: ["#66d3ff", "#a9b8ff", "#39a99b", "#3f7cff", "#d9f3ff"],
    diverging: [[-1, "#d8ffe9"], [-0.6, "#2f9f86"], [-0.25, "#0a3a39"], [0, "#02050a"], [0.25, "#0c2451"], [0.6, "#3d78dd"], [1, "#e6f2ff"]],
    sequential: [[0, "#02050a"], [0.3, "#0c2c51"], [0.65, "#3d9add"], [1, "#e6f8ff"]],
  },
  mono: {
    ground: "#000000", text: "#ffffff", player: "#ffffff", network: "#d8d8d8", chosen: "#ffffff",
    tracks: { drums: "#9a9a9a", bass: "#c4c4c4", chords: "#e0e0e0", pad: "#8a8a8a", lead: "#f4f4f4", player: "#ffffff" },
    others: ["#e0e0e0", "#f4f4f4", "#8a8a8a", "#c4c4c4", "#9a9a9a"],
    diverging: [[-1, "#ffffff"], [0, "#000000"], [1, "#ffffff"]],
    sequential: [[0, "#000000"], [1, "#ffffff"]],
  },
  paper: {
    ground: "#f3efe6", text: "#20211f", player: "#b85c00", network: "#1c6d8c", chosen: "#c43d2f", line: "#d6cfbf", light: true,
    tracks: { drums: "#b3461a", bass: "#8f7a00", chords: "#1f6ea8", pad: "#0b7a59", lead: "#9c3f73", player: "#b85c00" },
    others: ["#1f6ea8", "#9c3f73", "#0b7a59", "#8f7a00", "#b3461a"],
    diverging: [[-1, "#0a3557"], [-0.4, "#3c8dbf"], [0, "#f3efe6"], [0.4, "#d98a3d"], [1, "#5a2806"]],
    sequential: [[0, "#f3efe6"], [0.5, "#4f9fb3"], [1, "#0a2c3a"]],
  },
};

// Return the colours of a palette: those of palette.json, and `light` where ink is laid on paper instead of light on black.
export function choose(name, file) {
  const { light = false, ...own } = OTHERS[name];
  return { ...setPalette({ ...file, ...own }), light };
}

// The colour of each voice of a show: an instrument's own, or the next that is free.
export function ofVoices({ show, colours }) {
  return show.voices.map(({ name }, v) => colours.tracks[name] ?? colours.others[v % colours.others.length]);
}

// How what is drawn meets what lies there already: light adds up, ink covers.
export function blending(colours) {
  return colours.light ? "multiply" : "lighter";
}

// A soft round spot of a colour, drawn once: a picture of it is stretched wherever light is needed.
const spots = new Map();
export function spot(hex) {
  const colours = palette;
  const key = `${hex}${colours.ground}`;
  if (spots.has(key)) return spots.get(key);
  const size = 64;
  const canvas = new OffscreenCanvas(size, size);
  const g = canvas.getContext("2d", { willReadFrequently: true });
  const glow = g.createRadialGradient(size / 2, size / 2, 0, size / 2, size / 2, size / 2);
  const [r, gr, b] = rgb(hex);
  for (const [at, alpha] of [[0, 1], [0.12, 0.72], [0.3, 0.28], [0.6, 0.07], [1, 0]]) glow.addColorStop(at, `rgba(${r},${gr},${b},${alpha})`);
  g.fillStyle = glow;
  g.fillRect(0, 0, size, size);
  spots.set(key, canvas);
  return canvas;
}

// A table of 256 colours as one number each, for writing whole pixels.
export function words(lut) {
  return new Uint32Array(lut.buffer, lut.byteOffset, STEPS);
}
