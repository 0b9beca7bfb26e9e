// Plays our own step graphs, one step a call, batch of one.

import { Memory, OPERATORS, size } from "./operators.js";
import { readOnnx } from "./onnx.js";
import { untaught } from "./untrained.js";

// --- parts of a graph ---------------------------------------------------------------------------------------------------------------

function branch(node, scope) {
  const then = compile(node.attributes.then_branch, scope);
  const other = compile(node.attributes.else_branch, scope);
  return ([condition]) => (condition.d[0] ? then([]) : other([]));
}

function loop(node, scope) {
  const body = compile(node.attributes.body, scope);
  const memories = [new Memory(), new Memory()]; // a round reads the one and leaves its results in the other
  const [number, always] = [{ d: new Int32Array(1), s: [] }, { d: Uint8Array.of(1), s: [] }];
  const given = new Array(node.inputs.length);
  return ([most, condition, ...carried]) => {
    let going = condition ? condition.d[0] : 1;
    given[0] = number;
    given[1] = always;
    carried.forEach((tensor, k) => (given[k + 2] = tensor));
    for (let round = 0; going && (!most || round < most.d[0]); round++) {
      number.d[0] = round;
      const out = body(given);
      going = out[0].d[0];
      const memory = memories[round % 2];
      for (let k = 1; k < out.length; k++) {
        given[k + 1] = memory.take(out[k].d.constructor, out[k].s, k);
        given[k + 1].d.set(out[k].d);
      }
    }
    return given.slice(2);
  };
}

const CONTROL = { If: branch, Loop: loop };

/** Names that a graph and those around it use: each is a place in one array of tensors. */
class Scope {
  constructor(outer = null) {
    this.names = new Map();
    this.outer = outer;
    this.tensors = outer ? outer.tensors : [];
    this.fixed = outer ? outer.fixed : new Set(); // places of what never changes
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

/**
 * Our graphs pick the inputs that are not zero and the rows of weights that belong to them before they multiply; a product here
 * reads just those by itself. Return the nodes without what picks: the same sums, no row copied.
 */
function unpicked({ nodes, outputs }) {
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
  const chosen = (name, axis) => {
    const node = makers.get(name);
    return node?.op === "Gather" && (node.attributes.axis ?? 0) === axis ? node.inputs : [null, null];
  };
  const picks = (place, from) => {
    for (const op of ["Reshape", "NonZero", "ReduceL1"]) {
      const node = makers.get(place);
      if (node?.op !== op) return false;
      place = node.inputs[0];
    }
    return place === from;
  };
  const found = nodes.map((node) => {
    if (node.op !== "Gemm") return node;
    const [[from, some], [weights, rows]] = [chosen(node.inputs[0], 1), chosen(node.inputs[1], 0)];
    return from && some === rows && picks(some, from) ? { ...node, inputs: [from, weights, ...node.inputs.slice(2)] } : node;
  });
  const used = new Set(outputs.map(({ name }) => name));
  const reads = ({ inputs, attributes }) => [
    ...inputs,
    ...["body", "then_branch", "else_branch"].flatMap((part) => attributes[part]?.nodes.flatMap(reads) ?? []),
    ...["body", "then_branch", "else_branch"].flatMap((part) => attributes[part]?.outputs.map(({ name }) => name) ?? []),
  ];
  return found
    .reverse()
    .filter((node) => {
      if (!node.outputs.some((name) => used.has(name))) return false;
      for (const name of reads(node)) used.add(name);
      return true;
    })
    .reverse();
}

/**
 * Return a function from a list of input tensors to the list of outputs. `zeros`: by name of a tensor the places in it that are
 * put to zero as soon as it is made, before anything reads it. Throws an Error for an operator that is not known.
 */
function compile(graph, outer = null, zeros = {}) {
  const scope = new Scope(outer);
  const { tensors, fixed } = scope;
  for (const constant of graph.constants) {
    const place = scope.define(constant.name);
    tensors[place] = constant;
    fixed.add(place);
  }
  const given = graph.inputs.map(({ name }) => scope.names.get(name) ?? scope.define(name));
  const [once, always] = [[], []];
  for (const node of unpicked(graph)) {
    const make = OPERATORS[node.op] ?? CONTROL[node.op];
    if (!make) throw new Error(`the operator ${node.op} is not known here`);
    const ins = node.inputs.map((name) => scope.find(name));
    const outs = node.outputs.map((name) => (name === "" ? -1 : scope.define(name)));
    const run = make({ ...node, constant: ins.map((place) => fixed.has(place)) }, scope);
    const values = new Array(ins.length);
    const silent = zeros[node.outputs[0]];
    const step = () => {
      for (let k = 0; k < ins.length; k++) values[k] = ins[k] < 0 ? undefined : tensors[ins[k]];
      const found = run(values);
      if (silent) for (const place of silent) found.d[place] = 0;
      if (!Array.isArray(found)) tensors[outs[0]] = found;
      else for (let k = 0; k < outs.length; k++) if (outs[k] >= 0) tensors[outs[k]] = found[k];
    };
    // What depends on nothing but constants (weights kept in half precision) is computed when the file is opened.
    const constant = ins.every((place) => fixed.has(place)) && !(node.op in CONTROL);
    if (constant) for (const place of outs) fixed.add(place);
    (constant ? once : always).push(step);
  }
  const asked = graph.outputs.map(({ name }) => scope.find(name));
  const results = new Array(asked.length);
  let begun = false;
  return (inputs) => {
    if (!begun) for (const step of once) step();
    begun = true;
    for (let k = 0; k < given.length; k++) tensors[given[k]] = inputs[k];
    for (let k = 0; k < always.length; k++) always[k]();
    for (let k = 0; k < asked.length; k++) results[k] = tensors[asked[k]];
    return results;
  };
}

/** A network that plays: `inputs` by name to be filled, `step()`, `outputs` by name. */
export class Player {
  /**
   * From the bytes of one of our .onnx files; `beginning`: a Chance that draws every weight anew, as before the first lesson.
   * Throws an Error that says what is wrong with the file.
   */
  constructor(bytes, beginning = null) {
    const { graph, card } = readOnnx(bytes);
    const slots = card.tracks.reduce((sum, { pitches }) => sum + pitches.length, 0);
    if (beginning) untaught(graph, slots, beginning);
    this.card = card;
    this.names = { inputs: graph.inputs.map((i) => i.name), outputs: graph.outputs.map((o) => o.name) };
    this.inputs = {};
    for (const { name, s, whole } of graph.inputs) {
      const shape = s.map((n) => (n < 0 ? 1 : n));
      this.inputs[name] = { d: new (whole ? Int32Array : Float32Array)(size(shape)), s: shape };
    }
    this.outputs = {};
    this._zeros = {};
    for (const { name } of card.states) if (/^[hc]\d+$/.test(name)) this._zeros[`${name}_next`] = [];
    this._run = compile(graph, null, this._zeros);
    this.reset();
  }

  /** From now on these say and remember nothing, within the step already: a list of [layer, unit], unit -1 for the whole layer. */
  silence(units) {
    for (const name in this._zeros) this._zeros[name].length = 0;
    for (const [layer, unit] of units)
      for (const name of [`h${layer}`, `c${layer}`]) {
        const all = this.inputs[name]?.d.keys() ?? [];
        this._zeros[`${name}_next`]?.push(...(unit < 0 ? all : [unit]));
      }
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
