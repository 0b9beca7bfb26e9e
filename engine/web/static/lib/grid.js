// Cells in rows: which layers share a row, how wide a cell is, which cell a point or an arrow key means. Lengths are CSS pixels
// unless another is named.

const EVEN = 0.05; // share of the width that even columns may cost

// A size in device pixels, made whole where that leaves little room unused.
export function even(exact) {
  const whole = Math.floor(exact);
  return exact - whole < EVEN * exact ? whole : exact;
}

// Layers in rows: wide ones stand alone, narrow ones share a row as long as together they are no wider than the widest.
export function grouped(layers) {
  const widest = Math.max(...layers.map(({ units }) => units));
  const groups = [];
  let room = 0;
  for (const layer of layers) {
    if (layer.units > room) {
      groups.push([]);
      room = widest;
    }
    groups.at(-1).push(layer);
    room -= layer.units;
  }
  return groups;
}

// The width of a column for each row: `rows` are [{width, counts}], the room a row has and the columns of each of its beds.
// Where all rows are to be alike, each takes the least.
export function columnWidths(rows, gap, ratio, alike) {
  const room = Math.max(...rows.map(({ width }) => width));
  const widths = rows.map(({ counts }) => {
    const columns = counts.reduce((sum, count) => sum + count, 0);
    return columns ? even(((room - gap * (counts.length - 1)) * ratio) / columns) / ratio : Infinity;
  });
  const least = Math.min(...widths);
  return { widths: alike ? widths.map(() => least) : widths, least };
}

// The place of a bed: {x, y, width, height}, and of a band in time {now, step, rows}: how tall the newest step is, how tall an
// earlier one, and how many of these there is room for. `rect` from its parent's corner.
export function areaOf(rect, column, layer, ratio, planes, most) {
  const area = { x: Math.round(rect.left * ratio) / ratio, y: Math.round(rect.top * ratio) / ratio, width: column * layer.units, height: rect.height };
  if (planes) {
    area.height = (even((rect.height * ratio) / layer.rows) * layer.rows) / ratio;
    return area;
  }
  area.now = Math.min(10, Math.max(4, rect.height / 8));
  area.step = rect.height > 240 ? 4 : rect.height > 130 ? 3 : 2;
  area.rows = Math.max(Math.min(Math.floor((rect.height - area.now - 1) / area.step), most), 1);
  return area;
}

// The cell at a point of an area: {column, row, age}; null beside it. Rows count from the bottom; `age` in steps.
export function cellAt(area, layer, planes, x, y) {
  const column = Math.floor(((x - area.x) / area.width) * layer.units);
  if (column < 0 || column >= layer.units) return null;
  if (planes) {
    const row = layer.rows - 1 - Math.floor(((y - area.y) / area.height) * layer.rows);
    return row < 0 || row >= layer.rows ? null : { column, row, age: 0 };
  }
  const past = y - area.y - area.now - 1;
  return { column, row: 0, age: past < 0 ? 0 : 1 + Math.floor(past / area.step) };
}

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

// The cell that an arrow key goes to, from none to the first; null for another key.
export function walked(at, key, layer) {
  if (!(key in WAYS)) return null;
  const [right, up] = at ? WAYS[key] : [0, 0];
  const within = (value, most) => Math.min(Math.max(value, 0), most);
  return { column: within((at?.column ?? 0) + right, layer.units - 1), row: within((at?.row ?? 0) + up, layer.rows - 1), age: 0 };
}

// The unit of a layer that is farthest from nothing in a frame; the first where there is none.
export function loudest(net, frame, layer) {
  let best = 0;
  let most = -1;
  for (let i = 0; frame && i < layer.rows * layer.units; i++) {
    const size = Math.abs(net.value(frame, layer.main, i));
    if (size > most) [most, best] = [size, i % layer.units];
  }
  return best;
}
