// A network before its first lesson: the same architecture, every weight drawn by lot, as it begins its training.

const LEARNED = 16; // different numbers: what has fewer says how the graph is built, and nobody learned it
const SILENT = -4; // how most slots begin: rarely played

/** Whether a table holds what was learned. */
function learned({ d }) {
  const seen = new Set();
  for (let k = 0; k < d.length && seen.size <= LEARNED; k++) seen.add(d[k]);
  return d instanceof Float32Array && seen.size > LEARNED;
}

/**
 * Draw all that was learned in a graph (as readOnnx gives it) anew: weights evenly up to one over the root of how many meet in a
 * unit; biases zero, but forget gates open and slots mostly silent; scales one.
 */
export function untaught(graph, slots, chance) {
  for (const table of graph.constants.filter(learned)) {
    const { name, d, s } = table;
    const vector = s.filter((n) => n > 1).length < 2;
    if (!vector) {
      const width = 1 / Math.sqrt(s[s.length - 2]);
      for (let k = 0; k < d.length; k++) d[k] = (2 * chance.number() - 1) * width;
    } else if (/^scale\d/.test(name)) d.fill(1);
    else if (/^bias\d/.test(name)) d.fill(0).fill(1, d.length / 4, d.length / 2); // gates in the order i, f, o, g
    else if (name === "ease") d.fill(0).fill(SILENT, 0, slots);
    else d.fill(0);
  }
}
