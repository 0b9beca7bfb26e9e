// Notes as a picture: time to the right, pitch upwards, each track in its colour.

export const COLOURS = { drums: "#d55e00", bass: "#f0e442", chords: "#56b4e9", pad: "#009e73", lead: "#cc79a7" };
const OTHERS = ["#56b4e9", "#cc79a7", "#009e73", "#f0e442", "#d55e00"];
const [LOW, HIGH] = [28, 96];

export const colour = (name, index = 0) => COLOURS[name] ?? OTHERS[index % OTHERS.length];

/** Make a canvas as fine as the screen; return its pen and its size in CSS pixels. */
export function fit(canvas) {
  const ratio = Math.min(devicePixelRatio || 1, 3);
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { pen, width, height };
}

/** Draw a music; `at` 0..1 is where the playhead is, -1 for none. Drums lie in a band at the bottom. */
export function drawMusic(canvas, music, at = -1, dim = 1) {
  const { pen, width, height } = fit(canvas);
  pen.clearRect(0, 0, width, height);
  if (!music) return;
  const band = height * 0.16;
  const unit = width / music.steps;
  for (const [step, steps, track, pitch, velocity] of music.notes) {
    const name = music.tracks[track];
    const begun = at >= 0 && step <= at * music.steps;
    pen.globalAlpha = dim * (at < 0 || begun ? 0.45 + (0.5 * velocity) / 127 : 0.3);
    pen.fillStyle = colour(name, track);
    const lit = begun && step + steps > at * music.steps;
    const thick = lit ? 5 : 3;
    const y = name === "drums" ? height - band * (0.15 + 0.28 * (pitch <= 36 ? 0 : pitch <= 40 ? 1 : 2)) - 3 : (height - band - 6) * (1 - (pitch - LOW) / (HIGH - LOW)) + 2;
    pen.fillRect(step * unit, Math.min(Math.max(y, 1), height - 4) - thick / 2, Math.max((name === "drums" ? 1 : steps) * unit - 1, 2), thick);
  }
  pen.globalAlpha = 1;
  if (at >= 0) {
    pen.fillStyle = "#e9eef4";
    pen.fillRect(at * width, 0, 1.5, height);
  }
}
