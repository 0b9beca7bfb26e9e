// Plays our own step graphs: the operators that they are made of, one step a call, batch of one. Numbers are float32 between
// operators, as in onnxruntime, and float64 within one. Every operator keeps its output's memory for the next step.

import { readOnnx } from "./onnx.js";

const size = (shape) => shape.reduce((product, n) => product * n, 1);
const axisOf = (axis, rank) => (axis < 0 ? axis + rank : axis);
const at = (value, k) => (value === undefined ? undefined : value.d[k]);

/** Memory of one operator: an array of this kind and size, the same one as long as the size stays. */
class Memory {
  constructor() {
    this.kept = [];
  }

  take(Kind, count, which = 0) {
    const kept = this.kept[which];
    if (kept && kept.length === count && kept instanceof Kind) return kept;
    return (this.kept[which] = new Kind(count));
  }
}

// --- element by element ---------------------------------------------------------------------------------------------------------

function spreadShape(a, b) {
  const rank = Math.max(a.length, b.length);
  const shape = new Array(rank);
  for (let k = 0; k < rank; k++) {
    const m = a[a.length - rank + k] ?? 1;
    const n = b[b.length - rank + k] ?? 1;
    if (m !== n && m !== 1 && n !== 1) throw new Error(`shapes ${a} and ${b} do not go together`);
    shape[k] = m === 1 ? n : m;
  }
  return shape;
}

/** For every place of `shape` the place in a tensor of shape `own` that is spread over it. */
function places(own, shape) {
  const steps = new Array(shape.length).fill(0);
  for (let k = own.length - 1, step = 1; k >= 0; k--) {
    if (own[k] !== 1) steps[shape.length - own.length + k] = step;
    step *= own[k];
  }
  const found = new Int32Array(size(shape));
  const counter = new Array(shape.length).fill(0);
  for (let n = 0, place = 0; n < found.length; n++) {
    found[n] = place;
    for (let k = shape.length - 1; k >= 0; k--) {
      place += steps[k];
      if (++counter[k] < shape[k]) break;
      place -= steps[k] * shape[k];
      counter[k] = 0;
    }
  }
  return found;
}

const same = (a, b) => a.length === b.length && a.every((n, k) => n === b[k]);

/** An operator of two tensors; `truth` operators give 0 or 1. */
function pairwise(of, truth = false) {
  return (node) => {
    const memory = new Memory();
    let [shapes, shape, left, right] = ["", null, null, null];
    return ([a, b]) => {
      const Kind = truth ? Uint8Array : a.d.constructor;
      if (same(a.s, b.s)) {
        const d = memory.take(Kind, a.d.length);
        for (let k = 0; k < d.length; k++) d[k] = of(a.d[k], b.d[k]);
        return [{ d, s: a.s }];
      }
      const [m, n] = [a.d.length, b.d.length];
      if (n === 1 && b.s.length <= a.s.length) {
        const [d, value] = [memory.take(Kind, m), b.d[0]];
        for (let k = 0; k < m; k++) d[k] = of(a.d[k], value);
        return [{ d, s: a.s }];
      }
      const now = `${a.s}/${b.s}`;
      if (now !== shapes) {
        shapes = now;
        shape = spreadShape(a.s, b.s);
        [left, right] = [places(a.s, shape), places(b.s, shape)];
      }
      const d = memory.take(Kind, left.length);
      for (let k = 0; k < d.length; k++) d[k] = of(a.d[left[k]], b.d[right[k]]);
      return [{ d, s: shape }];
    };
  };
}

/** Max and Min take any number of tensors. */
function gathered(of) {
  const two = pairwise(of);
  return (node) => {
    const steps = node.inputs.slice(1).map(() => two(node));
    return (inputs) => steps.reduce((left, step, k) => step([left[0], inputs[k + 1]]), [inputs[0]]);
  };
}

function single(of, Kind = Float32Array) {
  return () => {
    const memory = new Memory();
    return ([a]) => {
      const d = memory.take(Kind, a.d.length);
      for (let k = 0; k < d.length; k++) d[k] = of(a.d[k]);
      return [{ d, s: a.s }];
    };
  };
}

function where() {
  const memory = new Memory();
  return ([condition, a, b]) => {
    const shape = spreadShape(spreadShape(condition.s, a.s), b.s);
    const maps = [condition, a, b].map((t) => (same(t.s, shape) ? null : places(t.s, shape)));
    const d = memory.take(a.d.constructor, size(shape));
    for (let k = 0; k < d.length; k++) {
      const yes = condition.d[maps[0] ? maps[0][k] : k];
      d[k] = yes ? a.d[maps[1] ? maps[1][k] : k] : b.d[maps[2] ? maps[2][k] : k];
    }
    return [{ d, s: shape }];
  };
}

function clip() {
  const memory = new Memory();
  return ([a, low, high]) => {
    const [least, most] = [at(low, 0) ?? -Infinity, at(high, 0) ?? Infinity];
    const d = memory.take(a.d.constructor, a.d.length);
    for (let k = 0; k < d.length; k++) d[k] = Math.min(Math.max(a.d[k], least), most);
    return [{ d, s: a.s }];
  };
}

const CAST = { 1: Float32Array, 6: Int32Array, 7: Int32Array, 9: Uint8Array };

function cast(node) {
  const Kind = CAST[node.attributes.to];
  if (!Kind) throw new Error(`Cast to kind ${node.attributes.to} is not known here`);
  const turned = Kind === Uint8Array ? (v) => (v !== 0 ? 1 : 0) : Kind === Int32Array ? Math.trunc : (v) => v;
  return single(turned, Kind)(node);
}

// --- shapes ------------------------------------------------------------------------------------------------------------------------

function reshape() {
  return ([a, wanted]) => {
    const shape = Array.from(wanted.d, (n, k) => (n === 0 ? a.s[k] : n));
    const open = shape.indexOf(-1);
    if (open >= 0) shape[open] = a.d.length / -size(shape);
    return [{ d: a.d, s: shape }];
  };
}

function unsqueeze() {
  return ([a, axes]) => {
    const rank = a.s.length + axes.d.length;
    const fresh = new Set(Array.from(axes.d, (axis) => axisOf(axis, rank)));
    const rest = a.s.values();
    return [{ d: a.d, s: Array.from({ length: rank }, (_, k) => (fresh.has(k) ? 1 : rest.next().value)) }];
  };
}

function squeeze() {
  return ([a, axes]) => {
    const gone = axes ? new Set(Array.from(axes.d, (axis) => axisOf(axis, a.s.length))) : null;
    return [{ d: a.d, s: a.s.filter((n, k) => (gone ? !gone.has(k) : n !== 1)) }];
  };
}

function transpose(node) {
  const memory = new Memory();
  let [shape, map] = [null, null];
  return ([a]) => {
    const order = node.attributes.perm ?? a.s.map((_, k) => a.s.length - 1 - k);
    if (!shape || !same(shape.from, a.s)) {
      const steps = a.s.map((_, k) => size(a.s.slice(k + 1)));
      const to = order.map((k) => a.s[k]);
      map = new Int32Array(a.d.length);
      const counter = to.map(() => 0);
      for (let n = 0; n < map.length; n++) {
        map[n] = counter.reduce((place, c, k) => place + c * steps[order[k]], 0);
        for (let k = to.length - 1; k >= 0; k--) {
          if (++counter[k] < to[k]) break;
          counter[k] = 0;
        }
      }
      shape = { from: a.s, to };
    }
    const d = memory.take(a.d.constructor, map.length);
    for (let k = 0; k < d.length; k++) d[k] = a.d[map[k]];
    return [{ d, s: shape.to }];
  };
}

function concat(node) {
  const memory = new Memory();
  return (inputs) => {
    const axis = axisOf(node.attributes.axis, inputs[0].s.length);
    const shape = inputs[0].s.slice();
    shape[axis] = inputs.reduce((sum, t) => sum + t.s[axis], 0);
    const d = memory.take(inputs[0].d.constructor, size(shape));
    const rows = size(shape.slice(0, axis));
    const row = size(shape.slice(axis));
    for (let k = 0, begin = 0; k < inputs.length; k++) {
      const own = size(inputs[k].s.slice(axis));
      for (let r = 0; r < rows; r++) {
        const [from, to] = [r * own, r * row + begin];
        for (let c = 0; c < own; c++) d[to + c] = inputs[k].d[from + c];
      }
      begin += own;
    }
    return [{ d, s: shape }];
  };
}

function split(node) {
  const memory = new Memory();
  return ([a, sizes]) => {
    const axis = axisOf(node.attributes.axis ?? 0, a.s.length);
    const parts = sizes ? Array.from(sizes.d) : node.outputs.map(() => a.s[axis] / node.outputs.length);
    const rows = size(a.s.slice(0, axis));
    const inner = size(a.s.slice(axis + 1));
    const row = a.s[axis] * inner;
    let begin = 0;
    return parts.map((count, which) => {
      const shape = a.s.slice();
      shape[axis] = count;
      const own = count * inner;
      const d = memory.take(a.d.constructor, rows * own, which);
      for (let r = 0; r < rows; r++) for (let c = 0; c < own; c++) d[r * own + c] = a.d[r * row + begin + c];
      begin += own;
      return { d, s: shape };
    });
  };
}

function gather(node) {
  const memory = new Memory();
  return ([a, indices]) => {
    const axis = axisOf(node.attributes.axis ?? 0, a.s.length);
    const rows = size(a.s.slice(0, axis));
    const inner = size(a.s.slice(axis + 1));
    const count = indices.d.length;
    const d = memory.take(a.d.constructor, rows * count * inner);
    for (let r = 0, out = 0; r < rows; r++)
      for (let k = 0; k < count; k++) {
        const index = axisOf(indices.d[k], a.s[axis]);
        const from = (r * a.s[axis] + index) * inner;
        for (let c = 0; c < inner; c++) d[out++] = a.d[from + c];
      }
    return [{ d, s: [...a.s.slice(0, axis), ...indices.s, ...a.s.slice(axis + 1)] }];
  };
}

function slice() {
  const memory = new Memory();
  return ([a, starts, ends, axes, steps]) => {
    const [begin, end] = [a.s.map(() => 0), a.s.slice()];
    for (let k = 0; k < starts.d.length; k++) {
      if ((at(steps, k) ?? 1) !== 1) throw new Error("Slice in steps is not known here");
      const axis = axisOf(at(axes, k) ?? k, a.s.length);
      const within = (n) => Math.min(Math.max(n < 0 ? n + a.s[axis] : n, 0), a.s[axis]);
      [begin[axis], end[axis]] = [within(starts.d[k]), within(ends.d[k])];
    }
    const shape = a.s.map((_, k) => end[k] - begin[k]);
    const d = memory.take(a.d.constructor, size(shape));
    const counter = shape.map(() => 0);
    const stride = a.s.map((_, k) => size(a.s.slice(k + 1)));
    for (let n = 0; n < d.length; n++) {
      let from = 0;
      for (let k = 0; k < counter.length; k++) from += (begin[k] + counter[k]) * stride[k];
      d[n] = a.d[from];
      for (let k = counter.length - 1; k >= 0; k--) {
        if (++counter[k] < shape[k]) break;
        counter[k] = 0;
      }
    }
    return [{ d, s: shape }];
  };
}

function pad() {
  const memory = new Memory();
  return ([a, pads, value]) => {
    const rank = a.s.length;
    const shape = a.s.map((n, k) => n + pads.d[k] + pads.d[rank + k]);
    const d = memory.take(a.d.constructor, size(shape)).fill(at(value, 0) ?? 0);
    const stride = shape.map((_, k) => size(shape.slice(k + 1)));
    const counter = shape.map(() => 0);
    for (let n = 0; n < a.d.length; n++) {
      let to = 0;
      for (let k = 0; k < rank; k++) to += (counter[k] + pads.d[k]) * stride[k];
      d[to] = a.d[n];
      for (let k = rank - 1; k >= 0; k--) {
        if (++counter[k] < a.s[k]) break;
        counter[k] = 0;
      }
    }
    return [{ d, s: shape }];
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
    return [{ d, s: [a.s.length, found.length] }];
  };
}

// --- over an axis ------------------------------------------------------------------------------------------------------------------

function reduce(begin, of) {
  return (node) => {
    const memory = new Memory();
    return ([a, axes]) => {
      const keep = node.attributes.keepdims ?? 1;
      const all = axes ? Array.from(axes.d, (axis) => axisOf(axis, a.s.length)) : a.s.map((_, k) => k);
      const gone = new Set(all);
      const kept = a.s.map((n, k) => (gone.has(k) ? 1 : n));
      const shape = keep ? kept : a.s.filter((_, k) => !gone.has(k));
      const sums = memory.take(Float64Array, size(kept), 1).fill(begin);
      if (all.length === 1 && all[0] === a.s.length - 1) {
        const row = a.s[all[0]];
        for (let r = 0, n = 0; r < sums.length; r++) for (let c = 0; c < row; c++, n++) sums[r] = of(sums[r], a.d[n]);
      } else {
        const map = places(kept, a.s);
        for (let n = 0; n < a.d.length; n++) sums[map[n]] = of(sums[map[n]], a.d[n]);
      }
      const d = memory.take(a.d.constructor, sums.length);
      d.set(sums);
      return [{ d, s: shape }];
    };
  };
}

function argMax(node) {
  return ([a]) => {
    const axis = axisOf(node.attributes.axis ?? 0, a.s.length);
    if (axis !== a.s.length - 1) throw new Error("ArgMax of another axis than the last is not known here");
    const row = a.s[axis];
    const d = Int32Array.from({ length: a.d.length / row }, (_, r) => {
      let best = 0;
      for (let c = 1; c < row; c++) if (a.d[r * row + c] > a.d[r * row + best]) best = c;
      return best;
    });
    return [{ d, s: node.attributes.keepdims === 0 ? a.s.slice(0, -1) : [...a.s.slice(0, -1), 1] }];
  };
}

function softmax(logarithm) {
  return () => {
    const memory = new Memory();
    return ([a]) => {
      const row = a.s[a.s.length - 1];
      const d = memory.take(Float32Array, a.d.length);
      for (let r = 0; r < d.length; r += row) {
        let [most, total] = [-Infinity, 0];
        for (let c = 0; c < row; c++) most = Math.max(most, a.d[r + c]);
        for (let c = 0; c < row; c++) total += Math.exp(a.d[r + c] - most);
        const shift = Math.log(total);
        for (let c = 0; c < row; c++) {
          const x = a.d[r + c] - most;
          d[r + c] = logarithm ? x - shift : Math.exp(x) / total;
        }
      }
      return [{ d, s: a.s }];
    };
  };
}

function cumSum() {
  return ([a, axis]) => {
    if (axisOf(axis.d[0], a.s.length) !== a.s.length - 1) throw new Error("CumSum of another axis than the last is not known here");
    const row = a.s[a.s.length - 1];
    const d = new Float32Array(a.d.length);
    for (let r = 0; r < d.length; r += row) for (let c = 0, sum = 0; c < row; c++) d[r + c] = sum = Math.fround(sum + a.d[r + c]);
    return [{ d, s: a.s }];
  };
}

function layerNorm(node) {
  const memory = new Memory();
  const epsilon = node.attributes.epsilon ?? 1e-5;
  return ([a, scale, shift]) => {
    const row = a.s[a.s.length - 1];
    const d = memory.take(Float32Array, a.d.length);
    for (let r = 0; r < d.length; r += row) {
      let [sum, squares] = [0, 0];
      for (let c = 0; c < row; c++) sum += a.d[r + c];
      const mean = sum / row;
      for (let c = 0; c < row; c++) squares += (a.d[r + c] - mean) ** 2;
      const by = 1 / Math.sqrt(squares / row + epsilon);
      for (let c = 0; c < row; c++) d[r + c] = (a.d[r + c] - mean) * by * scale.d[c] + (shift ? shift.d[c] : 0);
    }
    return [{ d, s: a.s }];
  };
}

// --- products ------------------------------------------------------------------------------------------------------------------------

/** One row (N) times a matrix (N, M), added into sums (M): rows of the matrix that meet a zero are not read. */
function addRow(sums, row, from, matrix, inner, columns, base) {
  for (let n = 0; n < inner; n++) {
    const x = row[from + n];
    if (x === 0) continue;
    const begin = base + n * columns;
    for (let m = 0; m < columns; m++) sums[m] += x * matrix[begin + m];
  }
}

function gemm(node) {
  const memory = new Memory();
  const { transA = 0, transB = 0, alpha = 1, beta = 1 } = node.attributes;
  if (transA || transB || alpha !== 1 || beta !== 1) throw new Error("a Gemm that turns or scales is not known here");
  return ([a, b, c]) => {
    const [rows, inner, columns] = [a.s[0], a.s[1], b.s[1]];
    const d = memory.take(Float32Array, rows * columns);
    const sums = memory.take(Float64Array, columns, 1);
    for (let r = 0; r < rows; r++) {
      if (!c) sums.fill(0);
      else if (c.d.length === columns) for (let m = 0; m < columns; m++) sums[m] = c.d[m];
      else for (let m = 0; m < columns; m++) sums[m] = c.d.length === 1 ? c.d[0] : c.d[r * columns + m];
      addRow(sums, a.d, r * inner, b.d, inner, columns, 0);
      for (let m = 0; m < columns; m++) d[r * columns + m] = sums[m];
    }
    return [{ d, s: [rows, columns] }];
  };
}

function matMul() {
  const memory = new Memory();
  return ([a, b]) => {
    const left = a.s.length === 1 ? [1, a.s[0]] : a.s;
    const right = b.s.length === 1 ? [b.s[0], 1] : b.s;
    const [rows, inner] = left.slice(-2);
    const columns = right[right.length - 1];
    const outer = spreadShape(left.slice(0, -2), right.slice(0, -2));
    const count = size(outer);
    const [lefts, rights] = [places(left.slice(0, -2), outer), places(right.slice(0, -2), outer)];
    const d = memory.take(Float32Array, count * rows * columns);
    const sums = memory.take(Float64Array, columns, 1);
    for (let k = 0, out = 0; k < count; k++)
      for (let r = 0; r < rows; r++) {
        sums.fill(0);
        addRow(sums, a.d, (lefts[k] * rows + r) * inner, b.d, inner, columns, rights[k] * inner * columns);
        for (let m = 0; m < columns; m++) d[out++] = sums[m];
      }
    const shape = [...outer, ...(a.s.length === 1 ? [] : [rows]), ...(b.s.length === 1 ? [] : [columns])];
    return [{ d, s: shape }];
  };
}

// --- parts of a graph ---------------------------------------------------------------------------------------------------------------

const kept = (tensor) => ({ d: tensor.d.slice(), s: tensor.s.slice() });

function branch(node, scope) {
  const then = compile(node.attributes.then_branch, scope);
  const other = compile(node.attributes.else_branch, scope);
  return ([condition]) => (condition.d[0] ? then([]) : other([]));
}

function loop(node, scope) {
  const body = compile(node.attributes.body, scope);
  return ([most, condition, ...carried]) => {
    let [round, going, now] = [0, condition ? condition.d[0] : 1, carried];
    while (going && (!most || round < most.d[0])) {
      const out = body([{ d: Int32Array.of(round), s: [] }, { d: Uint8Array.of(1), s: [] }, ...now]);
      going = out[0].d[0];
      now = out.slice(1).map(kept); // the next round writes where this one's outputs lie
      round++;
    }
    return now;
  };
}

const mod = (a, b) => a - b * Math.floor(a / b); // of whole numbers, with the divisor's sign
const quotient = (a, b) => a / b;

const OPERATORS = {
  Add: pairwise((a, b) => a + b),
  Sub: pairwise((a, b) => a - b),
  Mul: pairwise((a, b) => a * b),
  Div: pairwise(quotient),
  Mod: pairwise(mod),
  Max: gathered(Math.max),
  Min: gathered(Math.min),
  Greater: pairwise((a, b) => (a > b ? 1 : 0), true),
  Equal: pairwise((a, b) => (a === b ? 1 : 0), true),
  LessOrEqual: pairwise((a, b) => (a <= b ? 1 : 0), true),
  And: pairwise((a, b) => a & b, true),
  Not: single((a) => (a ? 0 : 1), Uint8Array),
  Abs: single(Math.abs),
  Exp: single(Math.exp),
  Log: single(Math.log),
  Sqrt: single(Math.sqrt),
  Relu: single((a) => (a > 0 ? a : 0)),
  Sigmoid: single((a) => 1 / (1 + Math.exp(-a))),
  Softplus: single((a) => (a > 0 ? a + Math.log1p(Math.exp(-a)) : Math.log1p(Math.exp(a)))),
  Tanh: single(Math.tanh),
  Identity: () => ([a]) => [a],
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
  Slice: slice,
  Pad: pad,
  NonZero: nonZero,
  ReduceSum: reduce(0, (sum, v) => sum + v),
  ReduceMax: reduce(-Infinity, Math.max),
  ReduceMin: reduce(Infinity, Math.min),
  ReduceL1: reduce(0, (sum, v) => sum + Math.abs(v)),
  ArgMax: argMax,
  Softmax: softmax(false),
  LogSoftmax: softmax(true),
  CumSum: cumSum,
  LayerNormalization: layerNorm,
  Gemm: gemm,
  MatMul: matMul,
  If: branch,
  Loop: loop,
};

/** Names that a graph and those around it use: each is a place in one array of tensors. */
class Scope {
  constructor(outer = null) {
    this.names = new Map();
    this.outer = outer;
    this.tensors = outer ? outer.tensors : [];
  }

  define(name) {
    const place = this.tensors.push(undefined) - 1;
    this.names.set(name, place);
    return place;
  }

  find(name) {
    if (name === "") return -1;
    const place = this.names.get(name);
    if (place !== undefined) return place;
    if (!this.outer) throw new Error(`nothing in the graph is called ${name}`);
    return this.outer.find(name);
  }
}

/** Return a function from a list of input tensors to the list of outputs. Throws for an operator that is not known. */
function compile(graph, outer = null) {
  const scope = new Scope(outer);
  const tensors = scope.tensors;
  for (const constant of graph.constants) tensors[scope.define(constant.name)] = constant;
  const given = graph.inputs.map(({ name }) => scope.names.get(name) ?? scope.define(name));
  const [once, always] = [[], []];
  const fixed = new Set(graph.constants.map(({ name }) => scope.names.get(name)));
  for (const node of graph.nodes) {
    const make = OPERATORS[node.op];
    if (!make) throw new Error(`the operator ${node.op} is not known here`);
    const ins = node.inputs.map((name) => scope.find(name));
    const outs = node.outputs.map((name) => (name === "" ? -1 : scope.define(name)));
    const run = make(node, scope);
    const values = new Array(ins.length);
    const step = () => {
      for (let k = 0; k < ins.length; k++) values[k] = ins[k] < 0 ? undefined : tensors[ins[k]];
      const found = run(values);
      for (let k = 0; k < outs.length; k++) if (outs[k] >= 0) tensors[outs[k]] = found[k];
    };
    // What depends on nothing but constants (weights kept in half precision) is computed when the file is opened.
    const constant = ins.every((place) => fixed.has(place)) && node.op !== "If" && node.op !== "Loop";
    if (constant) for (const place of outs) fixed.add(place);
    (constant ? once : always).push(step);
  }
  const asked = graph.outputs.map(({ name }) => scope.find(name));
  let begun = false;
  return (inputs) => {
    if (!begun) for (const step of once) step();
    begun = true;
    for (let k = 0; k < given.length; k++) tensors[given[k]] = inputs[k];
    for (let k = 0; k < always.length; k++) always[k]();
    return asked.map((place) => tensors[place]);
  };
}

/** Put numbers into another order, by lot. */
function shuffle(numbers, chance) {
  for (let k = numbers.length - 1; k > 0; k--) {
    const other = chance.below(k + 1);
    const kept = numbers[k];
    numbers[k] = numbers[other];
    numbers[other] = kept;
  }
}

/** A network that plays: `inputs` by name to be filled, `step()`, `outputs` by name. */
export class Player {
  /**
   * From the bytes of one of our .onnx files; `mixed`: a Chance that shuffles every large table of weights, as if nothing had
   * been learned. Throws an Error that says what is wrong with it.
   */
  constructor(bytes, mixed = null) {
    const { graph, card } = readOnnx(bytes);
    if (mixed) graph.constants.filter(({ d }) => d instanceof Float32Array && d.length > 500).forEach(({ d }) => shuffle(d, mixed));
    this.card = card;
    this.names = { inputs: graph.inputs.map((i) => i.name), outputs: graph.outputs.map((o) => o.name) };
    this.inputs = {};
    for (const { name, s, whole } of graph.inputs) {
      const shape = s.map((n) => (n < 0 ? 1 : n));
      this.inputs[name] = { d: new (whole ? Int32Array : Float32Array)(size(shape)), s: shape };
    }
    this.outputs = {};
    this._run = compile(graph);
    this.reset();
  }

  /** Forget everything: initial states, controls neutral, silence before. */
  reset() {
    for (const name in this.inputs) this.inputs[name].d.fill(0);
    for (const state of this.card.states) this.inputs[state.name].d.fill(state.initial ?? 0);
    this.inputs.temperature.d.fill(1);
    for (const control of this.card.controls) this.inputs[control.name]?.d.fill(control.neutral);
  }

  /** Choose one step; what it chose sounds before the next, which follows. */
  step() {
    const found = this._run(this.names.inputs.map((name) => this.inputs[name]));
    this.names.outputs.forEach((name, k) => (this.outputs[name] = found[k]));
    for (const state of this.card.states) this.inputs[state.name].d.set(this.outputs[`${state.name}_next`].d);
    this.inputs.x.d.set(this.outputs.notes.d);
    this.inputs.position.d[0]++;
    return this.outputs;
  }
}
