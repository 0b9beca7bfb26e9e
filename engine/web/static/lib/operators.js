// The operators that our own step graphs are made of. Each is made once for its node and keeps its output's memory from step to
// step: while shapes stay nothing is allocated. Numbers are float32 between operators, as in onnxruntime, and float64 within one.
// Every loop that counts is written out: one loop that calls whichever function it is given is some ten times as slow.

export const size = (shape) => shape.reduce((product, n) => product * n, 1);
const axisOf = (axis, rank) => (axis < 0 ? axis + rank : axis);
const at = (value, k) => (value === undefined ? undefined : value.d[k]);
const same = (a, b) => a === b || (a.length === b.length && a.every((n, k) => n === b[k]));

/** Memory of one operator: the same tensor again as long as its kind and shape stay. */
export class Memory {
  constructor() {
    this.kept = [];
  }

  take(Kind, shape, which = 0) {
    const kept = this.kept[which];
    if (kept && kept.d instanceof Kind && same(kept.s, shape)) return kept;
    return (this.kept[which] = { d: new Kind(size(shape)), s: shape.slice() });
  }
}

/** The numbers of another tensor under another shape, or a piece of them: no number is copied. */
class View {
  constructor() {
    this.of = null;
  }

  take(d, shape, from = 0) {
    if (this.of === d && this.from === from && same(this.tensor.s, shape)) return this.tensor;
    [this.of, this.from] = [d, from];
    const count = size(shape);
    return (this.tensor = { d: count === d.length ? d : d.subarray(from, from + count), s: shape.slice() });
  }
}

/** What was made of tensors of these shapes the last time, for as long as the shapes stay. */
function planned(make) {
  let [known, plan] = [null, null];
  return (...tensors) => {
    if (known && tensors.every((t, k) => same(t.s, known[k]))) return plan;
    known = tensors.map((t) => t.s.slice());
    return (plan = make(...tensors));
  };
}

/** Axes, sizes and shapes have to be constants of the graph: only then may what was planned of them stay. */
function settled(node, ...inputs) {
  const open = inputs.find((k) => node.inputs[k] && !node.constant[k]);
  if (open !== undefined) throw new Error(`a ${node.op} by numbers that are computed is not known here`);
}

// --- element by element ---------------------------------------------------------------------------------------------------------

function spreadShape(a, b) {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, k) => {
    const m = a[a.length - rank + k] ?? 1;
    const n = b[b.length - rank + k] ?? 1;
    if (m !== n && m !== 1 && n !== 1) throw new Error(`shapes ${a} and ${b} do not go together`);
    return m === 1 ? n : m;
  });
}

/** Along a counter over `shape`, the place in an array whose axes go in these strides, from `begin` on. */
function strided(shape, stride, begin) {
  const map = new Int32Array(size(shape));
  const counter = shape.map(() => 0);
  for (let n = 0; n < map.length; n++) {
    map[n] = counter.reduce((place, c, k) => place + (begin[k] + c) * stride[k], 0);
    for (let k = shape.length - 1; k >= 0; k--) {
      if (++counter[k] < shape[k]) break;
      counter[k] = 0;
    }
  }
  return map;
}

const strides = (shape) => shape.map((_, k) => size(shape.slice(k + 1)));

/** For every place of `shape` the place in a tensor of shape `own` that is spread over it. */
function places(own, shape) {
  const missing = shape.length - own.length;
  const steps = strides(own);
  return strided(shape, shape.map((_, k) => ((own[k - missing] ?? 1) === 1 ? 0 : steps[k - missing])), shape.map(() => 0));
}

/** How two shapes go together: rows of `inner` numbers along which each side goes on (1) or stands still (0), and where they begin. */
function rowsOf(a, b) {
  const shape = spreadShape(a, b);
  const goes = (own, k) => ((own[own.length - shape.length + k] ?? 1) === 1 ? 0 : 1);
  let [first, s, t] = [shape.length, 0, 0];
  for (let k = shape.length - 1, open = true; k >= 0; k--, first--) {
    if (shape[k] === 1) continue;
    if (open) [s, t, open] = [goes(a, k), goes(b, k), false];
    else if (goes(a, k) !== s || goes(b, k) !== t) break;
  }
  const inner = size(shape.slice(first));
  const begins = (own) => places(own, shape).filter((_, n) => n % inner === 0);
  return { shape, inner, s, t, lefts: begins(a), rights: begins(b) };
}

/** An operator of two tensors: `loop(d, o, n, a, i, s, b, j, t)` fills n numbers from o on; `truth` operators give 0 or 1. */
function pairwise(loop, truth = false) {
  return () => {
    const [memory, plan] = [new Memory(), planned((a, b) => rowsOf(a.s, b.s))];
    return ([a, b]) => {
      const { shape, inner, s, t, lefts, rights } = plan(a, b);
      const out = memory.take(truth ? Uint8Array : a.d.constructor, shape);
      for (let r = 0; r < lefts.length; r++) loop(out.d, r * inner, inner, a.d, lefts[r], s, b.d, rights[r], t);
      return out;
    };
  };
}

const PAIRS = {
  Add: (d, o, n, a, i, s, b, j, t) => { for (const end = o + n; o < end; o++, i += s, j += t) d[o] = a[i] + b[j]; },
  Sub: (d, o, n, a, i, s, b, j, t) => { for (const end = o + n; o < end; o++, i += s, j += t) d[o] = a[i] - b[j]; },
  Mul: (d, o, n, a, i, s, b, j, t) => { for (const end = o + n; o < end; o++, i += s, j += t) d[o] = a[i] * b[j]; },
  Div: (d, o, n, a, i, s, b, j, t) => { for (const end = o + n; o < end; o++, i += s, j += t) d[o] = a[i] / b[j]; },
  Max: (d, o, n, a, i, s, b, j, t) => { for (const end = o + n; o < end; o++, i += s, j += t) d[o] = Math.max(a[i], b[j]); },
  Min: (d, o, n, a, i, s, b, j, t) => { for (const end = o + n; o < end; o++, i += s, j += t) d[o] = Math.min(a[i], b[j]); },
  // of whole numbers, with the divisor's sign
  Mod: (d, o, n, a, i, s, b, j, t) => { for (const end = o + n; o < end; o++, i += s, j += t) d[o] = a[i] - b[j] * Math.floor(a[i] / b[j]); },
};
const TRUTHS = {
  Greater: (d, o, n, a, i, s, b, j, t) => { for (const end = o + n; o < end; o++, i += s, j += t) d[o] = a[i] > b[j] ? 1 : 0; },
  Equal: (d, o, n, a, i, s, b, j, t) => { for (const end = o + n; o < end; o++, i += s, j += t) d[o] = a[i] === b[j] ? 1 : 0; },
  LessOrEqual: (d, o, n, a, i, s, b, j, t) => { for (const end = o + n; o < end; o++, i += s, j += t) d[o] = a[i] <= b[j] ? 1 : 0; },
  And: (d, o, n, a, i, s, b, j, t) => { for (const end = o + n; o < end; o++, i += s, j += t) d[o] = a[i] & b[j]; },
};

/** Max and Min take any number of tensors. */
function gathered(loop) {
  const two = pairwise(loop);
  return (node) => {
    const steps = node.inputs.slice(1).map(() => two());
    return (inputs) => steps.reduce((left, step, k) => step([left, inputs[k + 1]]), inputs[0]);
  };
}

/** An operator of one tensor: `loop(d, a)` fills d. */
function single(loop, Kind = Float32Array) {
  return () => {
    const memory = new Memory();
    return ([a]) => {
      const out = memory.take(Kind, a.s);
      loop(out.d, a.d);
      return out;
    };
  };
}

const SINGLES = {
  Abs: (d, a) => { for (let k = 0; k < d.length; k++) d[k] = Math.abs(a[k]); },
  Exp: (d, a) => { for (let k = 0; k < d.length; k++) d[k] = Math.exp(a[k]); },
  Log: (d, a) => { for (let k = 0; k < d.length; k++) d[k] = Math.log(a[k]); },
  Sqrt: (d, a) => { for (let k = 0; k < d.length; k++) d[k] = Math.sqrt(a[k]); },
  Relu: (d, a) => { for (let k = 0; k < d.length; k++) d[k] = a[k] > 0 ? a[k] : 0; },
  Sigmoid: (d, a) => { for (let k = 0; k < d.length; k++) d[k] = 1 / (1 + Math.exp(-a[k])); },
  Softplus: (d, a) => { for (let k = 0; k < d.length; k++) d[k] = Math.max(a[k], 0) + Math.log1p(Math.exp(-Math.abs(a[k]))); },
  Tanh: (d, a) => { for (let k = 0; k < d.length; k++) d[k] = Math.tanh(a[k]); },
};
const not = (d, a) => { for (let k = 0; k < d.length; k++) d[k] = a[k] ? 0 : 1; };

function where() {
  const memory = new Memory();
  const plan = planned((...tensors) => {
    const shape = tensors.reduce((all, { s }) => spreadShape(all, s), []);
    return { shape, maps: tensors.map(({ s }) => places(s, shape)) };
  });
  return ([condition, a, b]) => {
    const { shape, maps } = plan(condition, a, b);
    const out = memory.take(a.d.constructor, shape);
    const [c, yes, no] = maps;
    for (let k = 0; k < c.length; k++) out.d[k] = condition.d[c[k]] ? a.d[yes[k]] : b.d[no[k]];
    return out;
  };
}

function clip() {
  const memory = new Memory();
  return ([a, low, high]) => {
    const [least, most] = [at(low, 0) ?? -Infinity, at(high, 0) ?? Infinity];
    const out = memory.take(a.d.constructor, a.s);
    for (let k = 0; k < out.d.length; k++) out.d[k] = Math.min(Math.max(a.d[k], least), most);
    return out;
  };
}

const CAST = { 1: Float32Array, 6: Int32Array, 7: Int32Array, 9: Uint8Array };

function cast(node) {
  const Kind = CAST[node.attributes.to];
  if (!Kind) throw new Error(`Cast to kind ${node.attributes.to} is not known here`);
  // Whole numbers are cut off by the array itself.
  const copy = (d, a) => { for (let k = 0; k < d.length; k++) d[k] = a[k]; };
  const truth = (d, a) => { for (let k = 0; k < d.length; k++) d[k] = a[k] !== 0 ? 1 : 0; };
  return single(Kind === Uint8Array ? truth : copy, Kind)();
}

// --- shapes ------------------------------------------------------------------------------------------------------------------------

/** An operator that gives the same numbers another shape: `shaped` finds it. */
function reshaped(shaped) {
  return (node) => {
    settled(node, 1);
    const [view, plan] = [new View(), planned(shaped)];
    return (inputs) => view.take(inputs[0].d, plan(...inputs));
  };
}

const reshape = reshaped((a, wanted) => {
  const shape = Array.from(wanted.d, (n, k) => (n === 0 ? a.s[k] : n));
  const open = shape.indexOf(-1);
  if (open >= 0) shape[open] = a.d.length / -size(shape);
  return shape;
});

const unsqueeze = reshaped((a, axes) => {
  const rank = a.s.length + axes.d.length;
  const fresh = new Set(Array.from(axes.d, (axis) => axisOf(axis, rank)));
  const rest = a.s.values();
  return Array.from({ length: rank }, (_, k) => (fresh.has(k) ? 1 : rest.next().value));
});

const squeeze = reshaped((a, axes) => {
  const gone = axes ? new Set(Array.from(axes.d, (axis) => axisOf(axis, a.s.length))) : null;
  return a.s.filter((n, k) => (gone ? !gone.has(k) : n !== 1));
});

function transpose(node) {
  const memory = new Memory();
  const plan = planned(({ s }) => {
    const order = node.attributes.perm ?? s.map((_, k) => s.length - 1 - k);
    const to = order.map((k) => s[k]);
    const own = strides(s);
    return { to, map: strided(to, order.map((k) => own[k]), to.map(() => 0)) };
  });
  return ([a]) => {
    const { to, map } = plan(a);
    const out = memory.take(a.d.constructor, to);
    for (let k = 0; k < map.length; k++) out.d[k] = a.d[map[k]];
    return out;
  };
}

function concat(node) {
  const memory = new Memory();
  const plan = planned((...tensors) => {
    const shapes = tensors.map((t) => t.s);
    const axis = axisOf(node.attributes.axis, shapes[0].length);
    const shape = shapes[0].slice();
    shape[axis] = shapes.reduce((sum, own) => sum + own[axis], 0);
    return { shape, rows: size(shape.slice(0, axis)), own: shapes.map((s) => size(s.slice(axis))), row: size(shape.slice(axis)) };
  });
  return (inputs) => {
    const { shape, rows, own, row } = plan(...inputs);
    const out = memory.take(inputs[0].d.constructor, shape);
    for (let k = 0, begin = 0; k < inputs.length; begin += own[k], k++) {
      const { d } = inputs[k];
      if (rows === 1) out.d.set(d, begin);
      else for (let r = 0; r < rows; r++) for (let c = 0; c < own[k]; c++) out.d[r * row + begin + c] = d[r * own[k] + c];
    }
    return out;
  };
}

function split(node) {
  settled(node, 1);
  const memory = new Memory();
  const views = node.outputs.map(() => new View());
  const found = new Array(node.outputs.length);
  const plan = planned((a, sizes) => {
    const axis = axisOf(node.attributes.axis ?? 0, a.s.length);
    const [rows, inner] = [size(a.s.slice(0, axis)), size(a.s.slice(axis + 1))];
    let begin = 0;
    const parts = node.outputs.map((_, which) => {
      const shape = a.s.slice();
      shape[axis] = sizes ? sizes.d[which] : a.s[axis] / node.outputs.length;
      const part = { shape, begin, own: shape[axis] * inner };
      begin += part.own;
      return part;
    });
    return { rows, row: a.s[axis] * inner, parts };
  });
  return (inputs) => {
    const [a] = inputs;
    const { rows, row, parts } = plan(...inputs);
    for (let which = 0; which < found.length; which++) {
      const { shape, begin, own } = parts[which];
      if (rows === 1) found[which] = views[which].take(a.d, shape, begin);
      else {
        const { d } = (found[which] = memory.take(a.d.constructor, shape, which));
        for (let r = 0; r < rows; r++) for (let c = 0; c < own; c++) d[r * own + c] = a.d[r * row + begin + c];
      }
    }
    return found;
  };
}

function gather(node) {
  const memory = new Memory();
  const plan = planned((a, indices) => {
    const axis = axisOf(node.attributes.axis ?? 0, a.s.length);
    const shape = [...a.s.slice(0, axis), ...indices.s, ...a.s.slice(axis + 1)];
    return { count: a.s[axis], shape, rows: size(a.s.slice(0, axis)), inner: size(a.s.slice(axis + 1)) };
  });
  return ([a, indices]) => {
    const { count, shape, rows, inner } = plan(a, indices);
    const out = memory.take(a.d.constructor, shape);
    for (let r = 0, n = 0; r < rows; r++)
      for (let k = 0; k < indices.d.length; k++) {
        const from = (r * count + axisOf(indices.d[k], count)) * inner;
        for (let c = 0; c < inner; c++) out.d[n++] = a.d[from + c];
      }
    return out;
  };
}

/** Each batch's rows by their own numbers: (B, N, ...) and (B, K, 1) to (B, K, ...). */
function gatherRows(node) {
  if (node.attributes.batch_dims !== 1) throw new Error("GatherND is known here for one batch dimension only");
  const memory = new Memory();
  const plan = planned((a, indices) => {
    if (indices.s.length !== 3 || indices.s[2] !== 1) throw new Error("GatherND is known here for single rows only");
    return { count: a.s[1], rows: indices.s[1], inner: size(a.s.slice(2)), shape: [a.s[0], indices.s[1], ...a.s.slice(2)] };
  });
  return ([a, indices]) => {
    const { count, rows, inner, shape } = plan(a, indices);
    const out = memory.take(a.d.constructor, shape);
    for (let k = 0, n = 0; k < indices.d.length; k++) {
      const from = (Math.floor(k / rows) * count + axisOf(indices.d[k], count)) * inner;
      for (let c = 0; c < inner; c++) out.d[n++] = a.d[from + c];
    }
    return out;
  };
}

function slice(node) {
  settled(node, 1, 2, 3, 4);
  const [memory, view] = [new Memory(), new View()];
  const plan = planned((a, starts, ends, axes, steps) => {
    const [begin, end] = [a.s.map(() => 0), a.s.slice()];
    for (let k = 0; k < starts.d.length; k++) {
      if ((at(steps, k) ?? 1) !== 1) throw new Error("Slice in steps is not known here");
      const axis = axisOf(at(axes, k) ?? k, a.s.length);
      const within = (n) => Math.min(Math.max(n < 0 ? n + a.s[axis] : n, 0), a.s[axis]);
      [begin[axis], end[axis]] = [within(starts.d[k]), within(ends.d[k])];
    }
    const shape = a.s.map((_, k) => end[k] - begin[k]);
    const cut = a.s.findIndex((n) => n !== 1); // the only axis that may be cut, for the rest to lie in one piece
    const whole = shape.every((n, k) => k === cut || n === a.s[k]);
    return whole ? { shape, from: cut < 0 ? 0 : begin[cut] * strides(a.s)[cut] } : { shape, map: strided(shape, strides(a.s), begin) };
  });
  return (inputs) => {
    const [a] = inputs;
    const { shape, from, map } = plan(...inputs);
    if (!map) return view.take(a.d, shape, from);
    const out = memory.take(a.d.constructor, shape);
    for (let k = 0; k < map.length; k++) out.d[k] = a.d[map[k]];
    return out;
  };
}

function pad(node) {
  settled(node, 1);
  const memory = new Memory();
  const plan = planned((a, pads) => {
    const shape = a.s.map((n, k) => n + pads.d[k] + pads.d[a.s.length + k]);
    return { shape, map: strided(a.s, strides(shape), pads.d) };
  });
  return ([a, pads, value]) => {
    const { shape, map } = plan(a, pads);
    const out = memory.take(a.d.constructor, shape);
    out.d.fill(at(value, 0) ?? 0);
    for (let k = 0; k < map.length; k++) out.d[map[k]] = a.d[k];
    return out;
  };
}

function nonZero() {
  return ([a]) => {
    const found = [];
    for (let k = 0; k < a.d.length; k++) if (a.d[k]) found.push(k);
    const d = new Int32Array(a.s.length * found.length);
    a.s.forEach((n, axis) => {
      const inner = size(a.s.slice(axis + 1));
      found.forEach((place, k) => (d[axis * found.length + k] = Math.floor(place / inner) % n));
    });
    return { d, s: [a.s.length, found.length] };
  };
}

// --- over axes ---------------------------------------------------------------------------------------------------------------------

/** An operator over axes that lie together: `loop(sums, a, outer, middle, inner)` takes the middle of three axes away. */
function reduce(loop) {
  return (node) => {
    settled(node, 1);
    const memory = new Memory();
    const plan = planned((a, axes) => {
      const gone = axes ? Array.from(axes.d, (axis) => axisOf(axis, a.s.length)) : a.s.map((_, k) => k);
      const [first, last] = [Math.min(...gone), Math.max(...gone)];
      if (gone.length !== last - first + 1) throw new Error(`a ${node.op} over axes that lie apart is not known here`);
      const keep = node.attributes.keepdims ?? 1;
      const shape = a.s.flatMap((n, k) => (!gone.includes(k) ? [n] : keep ? [1] : []));
      return { shape, outer: size(a.s.slice(0, first)), middle: size(a.s.slice(first, last + 1)), inner: size(a.s.slice(last + 1)) };
    });
    return (inputs) => {
      const { shape, outer, middle, inner } = plan(...inputs.filter(Boolean));
      const out = memory.take(inputs[0].d.constructor, shape);
      const sums = memory.take(Float64Array, shape, 1).d;
      loop(sums, inputs[0].d, outer, middle, inner);
      out.d.set(sums);
      return out;
    };
  };
}

const REDUCTIONS = {
  ReduceSum: (sums, a, outer, middle, inner) => {
    sums.fill(0);
    for (let o = 0, n = 0; o < outer; o++) for (let m = 0; m < middle; m++) for (let k = o * inner, end = k + inner; k < end; k++, n++) sums[k] += a[n];
  },
  ReduceL1: (sums, a, outer, middle, inner) => {
    sums.fill(0);
    for (let o = 0, n = 0; o < outer; o++)
      for (let m = 0; m < middle; m++) for (let k = o * inner, end = k + inner; k < end; k++, n++) sums[k] += Math.abs(a[n]);
  },
  ReduceMax: (sums, a, outer, middle, inner) => {
    sums.fill(-Infinity);
    for (let o = 0, n = 0; o < outer; o++)
      for (let m = 0; m < middle; m++) for (let k = o * inner, end = k + inner; k < end; k++, n++) sums[k] = Math.max(sums[k], a[n]);
  },
  ReduceMin: (sums, a, outer, middle, inner) => {
    sums.fill(Infinity);
    for (let o = 0, n = 0; o < outer; o++)
      for (let m = 0; m < middle; m++) for (let k = o * inner, end = k + inner; k < end; k++, n++) sums[k] = Math.min(sums[k], a[n]);
  },
};

const alongLast = (node, a, axis) => {
  if (axisOf(axis, a.s.length) !== a.s.length - 1) throw new Error(`${node.op} of another axis than the last is not known here`);
  return a.s[a.s.length - 1];
};

function argMax(node) {
  const memory = new Memory();
  const plan = planned((a) => {
    const row = alongLast(node, a, node.attributes.axis ?? 0);
    return { row, shape: [...a.s.slice(0, -1), ...(node.attributes.keepdims === 0 ? [] : [1])] };
  });
  return ([a]) => {
    const { row, shape } = plan(a);
    const out = memory.take(Int32Array, shape);
    for (let r = 0; r < out.d.length; r++) {
      let best = 0;
      for (let c = 1; c < row; c++) if (a.d[r * row + c] > a.d[r * row + best]) best = c;
      out.d[r] = best;
    }
    return out;
  };
}

function softmax(logarithm) {
  return () => {
    const memory = new Memory();
    return ([a]) => {
      const row = a.s[a.s.length - 1];
      const out = memory.take(Float32Array, a.s);
      for (let r = 0; r < out.d.length; r += row) {
        let [most, total] = [-Infinity, 0];
        for (let c = 0; c < row; c++) most = Math.max(most, a.d[r + c]);
        for (let c = 0; c < row; c++) total += Math.exp(a.d[r + c] - most);
        const shift = Math.log(total);
        for (let c = 0; c < row; c++) {
          const x = a.d[r + c] - most;
          out.d[r + c] = logarithm ? x - shift : Math.exp(x) / total;
        }
      }
      return out;
    };
  };
}

function cumSum(node) {
  const memory = new Memory();
  return ([a, axis]) => {
    const row = alongLast(node, a, axis.d[0]);
    const out = memory.take(Float32Array, a.s);
    for (let r = 0; r < out.d.length; r += row) for (let c = 0, sum = 0; c < row; c++) out.d[r + c] = sum = Math.fround(sum + a.d[r + c]);
    return out;
  };
}

function layerNorm(node) {
  const memory = new Memory();
  const epsilon = node.attributes.epsilon ?? 1e-5;
  return ([a, scale, shift]) => {
    const row = a.s[a.s.length - 1];
    const out = memory.take(Float32Array, a.s);
    for (let r = 0; r < out.d.length; r += row) {
      let [sum, squares] = [0, 0];
      for (let c = 0; c < row; c++) sum += a.d[r + c];
      const mean = sum / row;
      for (let c = 0; c < row; c++) squares += (a.d[r + c] - mean) ** 2;
      const by = 1 / Math.sqrt(squares / row + epsilon);
      for (let c = 0; c < row; c++) out.d[r + c] = (a.d[r + c] - mean) * by * scale.d[c] + (shift ? shift.d[c] : 0);
    }
    return out;
  };
}

// --- products ------------------------------------------------------------------------------------------------------------------------

const NONZERO = new Int32Array(8192); // places in a row that are not zero

/**
 * sums (M) += one row (N, from `from` on) times a matrix (N, M, from `base` on). Rows of the matrix that meet a zero are not read;
 * eight at a time are, in their order, so that sums are the same as one by one.
 */
function addRow(sums, row, from, matrix, inner, columns, base) {
  let count = 0;
  for (let n = 0; n < inner; n++) if (row[from + n] !== 0) NONZERO[count++] = n;
  let k = 0;
  for (; k + 8 <= count; k += 8) {
    let [p0, p1, p2, p3] = [NONZERO[k], NONZERO[k + 1], NONZERO[k + 2], NONZERO[k + 3]];
    let [p4, p5, p6, p7] = [NONZERO[k + 4], NONZERO[k + 5], NONZERO[k + 6], NONZERO[k + 7]];
    const [x0, x1, x2, x3] = [row[from + p0], row[from + p1], row[from + p2], row[from + p3]];
    const [x4, x5, x6, x7] = [row[from + p4], row[from + p5], row[from + p6], row[from + p7]];
    [p0, p1, p2, p3] = [base + p0 * columns, base + p1 * columns, base + p2 * columns, base + p3 * columns];
    [p4, p5, p6, p7] = [base + p4 * columns, base + p5 * columns, base + p6 * columns, base + p7 * columns];
    for (let m = 0; m < columns; m++)
      sums[m] =
        sums[m] + x0 * matrix[p0 + m] + x1 * matrix[p1 + m] + x2 * matrix[p2 + m] + x3 * matrix[p3 + m] +
        x4 * matrix[p4 + m] + x5 * matrix[p5 + m] + x6 * matrix[p6 + m] + x7 * matrix[p7 + m];
  }
  for (; k < count; k++) {
    const [x, begin] = [row[from + NONZERO[k]], base + NONZERO[k] * columns];
    for (let m = 0; m < columns; m++) sums[m] += x * matrix[begin + m];
  }
}

function gemm(node) {
  const memory = new Memory();
  const { transA = 0, transB = 0, alpha = 1, beta = 1 } = node.attributes;
  if (transA || transB || alpha !== 1 || beta !== 1) throw new Error("a Gemm that turns or scales is not known here");
  const plan = planned((a, b) => {
    if (a.s[1] > NONZERO.length) throw new Error(`a row of ${a.s[1]} is too long`);
    return { shape: [a.s[0], b.s[1]], sums: new Float64Array(b.s[1]) };
  });
  return ([a, b, c]) => {
    const { shape, sums } = plan(a, b);
    const [rows, columns] = shape;
    const inner = a.s[1];
    const out = memory.take(Float32Array, shape);
    for (let r = 0; r < rows; r++) {
      if (!c) sums.fill(0);
      else if (c.d.length === columns) sums.set(c.d);
      else for (let m = 0; m < columns; m++) sums[m] = c.d.length === 1 ? c.d[0] : c.d[r * columns + m];
      addRow(sums, a.d, r * inner, b.d, inner, columns, 0);
      for (let m = 0; m < columns; m++) out.d[r * columns + m] = sums[m];
    }
    return out;
  };
}

function matMul() {
  const memory = new Memory();
  const plan = planned((a, b) => {
    const left = a.s.length === 1 ? [1, a.s[0]] : a.s;
    const right = b.s.length === 1 ? [b.s[0], 1] : b.s;
    const [rows, inner] = left.slice(-2);
    if (inner > NONZERO.length) throw new Error(`a row of ${inner} is too long`);
    const columns = right[right.length - 1];
    const outer = spreadShape(left.slice(0, -2), right.slice(0, -2));
    const shape = [...outer, ...(a.s.length === 1 ? [] : [rows]), ...(b.s.length === 1 ? [] : [columns])];
    const sides = [places(left.slice(0, -2), outer), places(right.slice(0, -2), outer)];
    return { rows, inner, columns, shape, sides, sums: new Float64Array(columns) };
  });
  return ([a, b]) => {
    const { rows, inner, columns, shape, sides, sums } = plan(a, b);
    const [lefts, rights] = sides;
    const out = memory.take(Float32Array, shape);
    for (let k = 0, n = 0; k < lefts.length; k++)
      for (let r = 0; r < rows; r++) {
        sums.fill(0);
        addRow(sums, a.d, (lefts[k] * rows + r) * inner, b.d, inner, columns, rights[k] * inner * columns);
        for (let m = 0; m < columns; m++) out.d[n++] = sums[m];
      }
    return out;
  };
}

const made = (loops, make) => Object.fromEntries(Object.entries(loops).map(([name, loop]) => [name, make(loop)]));

/** For every operator what makes it for a node: a function from a list of tensors to one tensor, or to a list of them. */
export const OPERATORS = {
  ...made(PAIRS, (loop) => pairwise(loop)),
  ...made(TRUTHS, (loop) => pairwise(loop, true)),
  ...made(SINGLES, (loop) => single(loop)),
  ...made(REDUCTIONS, reduce),
  Max: gathered(PAIRS.Max),
  Min: gathered(PAIRS.Min),
  Not: single(not, Uint8Array),
  Identity: () => ([a]) => a,
  Where: where,
  Clip: clip,
  Cast: cast,
  Reshape: reshape,
  Unsqueeze: unsqueeze,
  Squeeze: squeeze,
  Transpose: transpose,
  Concat: concat,
  Split: split,
  Gather: gather,
  GatherND: gatherRows,
  Slice: slice,
  Pad: pad,
  NonZero: nonZero,
  ArgMax: argMax,
  Softmax: softmax(false),
  LogSoftmax: softmax(true),
  CumSum: cumSum,
  LayerNormalization: layerNorm,
  Gemm: gemm,
  MatMul: matMul,
};
