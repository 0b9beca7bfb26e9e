// Colours: the palette file, and the 256-step tables that numbers are shown through.

export let palette = null;

// Take the palette file's content; every other module reads `palette`.
export function setPalette(colours) {
  palette = { ...colours, luts: {} };
  for (const [name, low] of [["diverging", -1], ["sequential", 0], ["grey", 0]]) {
    const lut = table(colours[name], low, 1);
    // The same as CSS, so that drawing makes no strings.
    lut.css = Array.from({ length: 256 }, (_, i) => `rgb(${lut[4 * i]},${lut[4 * i + 1]},${lut[4 * i + 2]})`);
    palette.luts[name] = lut;
  }
  return palette;
}

export async function loadPalette() {
  return setPalette(await (await fetch(new URL("palette.json", import.meta.url))).json());
}

export function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

// An instrument has its colour in every network; one of another name takes the next that is free.
export function trackColour(track) {
  return palette.tracks[track.name] ?? (track.alone ? palette.network : palette.others[track.index % palette.others.length]);
}

export function withAlpha(hex, alpha) {
  return `rgba(${rgb(hex).join(",")},${alpha})`;
}

// 256 colours as RGBA bytes, between the stops of a map; mixed in linear light so that the steps look even.
function table(stops, low, high) {
  const out = new Uint8Array(1024);
  for (let i = 0; i < 256; i++) {
    const at = low + (i / 255) * (high - low);
    let k = 1;
    while (k < stops.length - 1 && stops[k][0] < at) k++;
    const [x0, c0] = stops[k - 1];
    const [x1, c1] = stops[k];
    const part = Math.min(Math.max((at - x0) / (x1 - x0), 0), 1);
    const [a, b] = [rgb(c0), rgb(c1)];
    for (let c = 0; c < 3; c++) {
      const mixed = (1 - part) * (a[c] / 255) ** 2.2 + part * (b[c] / 255) ** 2.2;
      out[4 * i + c] = Math.round(255 * mixed ** (1 / 2.2));
    }
    out[4 * i + 3] = 255;
  }
  return out;
}

// The colour of a value between low and high, as CSS.
export function shade(lut, value, low, high) {
  const at = Math.round((255 * (value - low)) / (high - low));
  return lut.css[at < 0 ? 0 : at > 255 ? 255 : at];
}
