// The habits of one neuron: where in the bar it fires, which notes it goes with, what it says around a note that sounds.

import { palette, shade, trackColour } from "../lib/colour.js";
import { t } from "../lib/language.js";
import { isSigned, trackName } from "../lib/net.js";
import { signed } from "../lib/number.js";
import { font, outlined, textSize } from "../lib/sheet.js";

export const REACH = 24; // notes on either side of one that sounds

const lutOf = (block) => palette.luts[isSigned(block) ? "diverging" : "sequential"];

// `places`: mean, spread and count at each step of the bar.
export function drawWhere(sheet, net, block, places) {
  const pen = sheet.fit();
  const { width, height } = sheet;
  const { min, max } = block;
  const both = isSigned(block);
  const size = textSize(12);
  const ruler = size + 5;
  // The scale is that of the averages, so that a faint habit is seen too; its ends are written beside it.
  const far = Math.min(Math.max(...places.map((p) => (p.n ? Math.abs(p.mean) + p.spread : 0)), 0.05), Math.max(max, -min));
  const [low, high] = both ? [-far, far] : [0, far];
  const y = (v) => 4 + (1 - (v - low) / (high - low)) * (height - ruler - 8);
  const one = width / places.length;
  const zero = y(0);
  pen.font = font(12);
  const { beat } = net.metre;
  const named = (k) => t("beat", { number: k / beat + 1 });
  const fits = pen.measureText(named(0)).width + 4 < one * beat;
  places.forEach((place, k) => {
    const x = k * one;
    if (k % beat === 0) {
      pen.fillStyle = palette.soft;
      pen.fillText(fits ? named(k) : k / beat + 1, x + 1, height - 3);
      pen.fillStyle = "#1a222d";
      pen.fillRect(x, 0, 1, height - ruler);
    }
    if (!place.n) return;
    pen.fillStyle = shade(lutOf(block), place.mean * (both ? Math.max(1, 0.9 / far) : 1 / far), both ? -1 : 0, 1);
    pen.fillRect(x + 2, Math.min(y(place.mean), zero), one - 4, Math.max(Math.abs(y(place.mean) - zero), 1.5));
    pen.fillStyle = palette.soft;
    pen.fillRect(x + one / 2 - 0.5, y(place.mean + place.spread), 1, y(place.mean - place.spread) - y(place.mean + place.spread));
  });
  pen.fillStyle = "#3a4656";
  pen.fillRect(0, zero, width, 1);
  ending(pen, signed(high), width - 1, size);
}

// A strip of pitches for each track: orange goes with the neuron, blue against it. Returns how tall one is.
export function drawGoes(sheet, net, correlations) {
  const pen = sheet.fit();
  const { width, height } = sheet;
  const size = textSize(12);
  const tall = Math.min(height / net.tracks.length, size + 32);
  pen.font = font(12);
  net.tracks.forEach((track, k) => {
    const y = k * tall;
    pen.fillStyle = trackColour(track);
    pen.fillText(trackName(track), 0, y + size);
    const one = width / track.pitches.length;
    track.pitches.forEach((_, i) => {
      const r = correlations[track.start + i];
      pen.fillStyle = r ? shade(palette.luts.diverging, r * 1.6, -1, 1) : "#0c1117";
      pen.fillRect(i * one, y + size + 4, Math.max(one - 0.7, 1), Math.max(tall - size - 9, 3));
    });
  });
  return tall;
}

// Means for so many notes below or above one that begins, and one that goes on.
export function drawAround(sheet, block, { begins, holds }) {
  const pen = sheet.fit();
  const { width, height } = sheet;
  const far = Math.max(...begins.map(Math.abs), ...holds.map(Math.abs), 0.05);
  const one = width / begins.length;
  const size = textSize(12);
  const half = (height - size - 5) / 2;
  pen.font = font(12);
  for (const [k, [title, values]] of [["around.begins", begins], ["around.holds", holds]].entries()) {
    const zero = k * half + half / 2 + 6;
    pen.fillStyle = "#3a4656";
    pen.fillRect(0, zero, width, 1);
    values.forEach((v, d) => {
      const tall = (Math.abs(v) / far) * (half / 2 - 8);
      pen.fillStyle = shade(lutOf(block), (v / far) * 0.85, -1, 1);
      pen.fillRect(d * one, v > 0 ? zero - tall : zero, one - 0.8, Math.max(tall, 1));
    });
    pen.fillStyle = palette.soft;
    pen.fillText(t(title), 0, k * half + size);
  }
  for (let d = -REACH; d <= REACH; d += 12) {
    const x = (d + REACH + 0.5) * one;
    pen.fillStyle = "#1a222d";
    pen.fillRect(x, 0, 1, height - size - 3);
    pen.fillStyle = palette.soft;
    pen.textAlign = d === -REACH ? "left" : d === REACH ? "right" : "center";
    pen.fillText(d === 0 ? t("around.note") : t("around.octaves", { octaves: `${d < 0 ? "−" : "+"}${Math.abs(d) / 12}` }), x, height - 2);
  }
  ending(pen, signed(far), width, size);
}

// The end of a scale, at the right.
function ending(pen, text, x, y) {
  pen.fillStyle = palette.soft;
  pen.textAlign = "right";
  outlined(pen, text, x, y);
  pen.textAlign = "left";
}
