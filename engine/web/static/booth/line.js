// From a finger's line to notes, as engine/booth/drawing.py has it: that one decides, this one is heard while it is drawn.

export const BARS = 2;
export const COLUMNS = 8 * BARS;
const [SOFT, LOUD] = [58, 118];

/** The pitch of a height 0..1. */
export const pitchAt = (height, pitches) => pitches[Math.floor(height * (pitches.length - 1) + 0.5)];

export const velocityOf = (thickness) => Math.round(SOFT + (LOUD - SOFT) * thickness);

/** The height of a line in the middle of each eighth, null where it is not; where it goes back its mean. */
export function heights(points) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return Array.from({ length: COLUMNS }, (_, column) => {
    const [begin, end] = [column / COLUMNS, (column + 1) / COLUMNS];
    const inside = points.filter(([x]) => (x >= begin && x < end) || (column === COLUMNS - 1 && x === 1)).map(([, y]) => y);
    if (inside.length) return mean(inside);
    const middle = (begin + end) / 2;
    const crossing = [];
    for (let k = 1; k < points.length; k++) {
      const [[x0, y0], [x1, y1]] = [points[k - 1], points[k]];
      if (x0 !== x1 && Math.min(x0, x1) <= middle && middle <= Math.max(x0, x1)) crossing.push(y0 + ((y1 - y0) * (middle - x0)) / (x1 - x0));
    }
    return crossing.length ? mean(crossing) : null;
  });
}

/** The notes of one line, [[step, steps, track, pitch, velocity]]; `merge`: equal neighbours are one long note. */
export function notesOf([track, thickness, points], pitches, grid, merge = true) {
  const per = Math.max(Math.floor(grid / 2), 1);
  const out = [];
  heights(points).forEach((height, column) => {
    if (height === null) return;
    const pitch = pitchAt(height, pitches);
    const last = out[out.length - 1];
    if (merge && last && last[3] === pitch && last[0] + last[1] === column * per) last[1] += per;
    else out.push([column * per, per, track, pitch, velocityOf(thickness)]);
  });
  return out;
}

/** Fewer points that still show the same line: those that lie further apart than a pixel or two. */
export function thinned(points, most = 160) {
  if (points.length <= most) return points;
  const stride = Math.ceil(points.length / most);
  return points.filter((_, k) => k % stride === 0 || k === points.length - 1);
}
