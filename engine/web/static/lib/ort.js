// onnxruntime-web in the place of player.js, for who wants it: it is not shipped. Of its package's dist folder these two files lie
// in lib/ort/: ort.wasm.bundle.min.mjs and ort-wasm-simd-threaded.wasm. One thread: more need a page that is cut off from others.

import { readOnnx } from "./onnx.js";
import { size } from "./operators.js";

const FOLDER = new URL("ort/", import.meta.url).href;
const SCRIPT = "ort.wasm.bundle.min.mjs";

/** A player that has onnxruntime-web compute a network. Throws an Error that says what is missing. */
export async function openOrt(bytes, folder = FOLDER) {
  let ort = null;
  try {
    ort = await import(folder + SCRIPT);
  } catch (error) {
    throw new Error(`onnxruntime-web is not in lib/ort/ (${error.message})`);
  }
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { wasm: `${folder}ort-wasm-simd-threaded.wasm` };
  ort.env.logLevel = "error";
  try {
    return new OrtPlayer(bytes, ort, await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] }));
  } catch (error) {
    throw new Error(`onnxruntime-web cannot open the network (${error.message})`);
  }
}

/** As Player, but that `step` is awaited, and that who is silenced is silent from the next step on: nobody reaches into this one. */
class OrtPlayer {
  constructor(bytes, ort, session) {
    const { graph, card } = readOnnx(bytes);
    [this.card, this.ort, this.session] = [card, ort, session];
    this.inputs = {};
    this.tensors = {};
    for (const { name, s, whole } of graph.inputs) {
      const shape = s.map((n) => (n < 0 ? 1 : n));
      const d = new (whole ? BigInt64Array : Float32Array)(size(shape));
      this.inputs[name] = { d, s: shape };
      this.tensors[name] = new ort.Tensor(whole ? "int64" : "float32", d, shape);
    }
    this.silenced = [];
    this.reset();
  }

  /** Forget everything: initial states, controls neutral, silence before. */
  reset() {
    for (const { d } of Object.values(this.inputs)) d.fill(d instanceof BigInt64Array ? 0n : 0);
    for (const state of this.card.states) this.inputs[state.name].d.fill(state.initial ?? 0);
    this.inputs.temperature.d.fill(1);
    for (const control of this.card.controls) this.inputs[control.name]?.d.fill(control.neutral);
  }

  /** Choose one step; what it chose sounds before the next, which follows. */
  async step() {
    const found = await this.session.run(this.tensors);
    const outputs = {};
    for (const name in found) outputs[name] = { d: found[name].data, s: found[name].dims };
    for (const [layer, unit] of this.silenced)
      for (const name of [`h${layer}_next`, `c${layer}_next`]) unit < 0 ? outputs[name]?.d.fill(0) : outputs[name]?.d.fill(0, unit, unit + 1);
    for (const state of this.card.states) this.inputs[state.name].d.set(outputs[`${state.name}_next`].d);
    this.inputs.x.d.set(outputs.notes.d);
    this.inputs.position.d[0]++;
    return outputs;
  }

  silence(units) {
    this.silenced = units;
  }
}
