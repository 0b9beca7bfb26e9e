// Reads an .onnx file: just what our own graphs are made of. The format is protocol buffers; field numbers are those of onnx.proto.

const text = new TextDecoder();

/** Read one whole number, seven bits a byte, from `at` on; return it and where it ends. Negative ones take ten bytes. */
function varint(bytes, at) {
  let value = 0;
  for (let scale = 1, k = 0; ; scale *= 128, k++) {
    const byte = bytes[at + k];
    if (byte === undefined) throw new Error("the file ends in the middle of a message");
    value += (byte & 127) * scale;
    if (byte < 128 && k < 7) return [value, at + k + 1];
    if (byte < 128) break;
  }
  let [sum, shift] = [0n, 0n];
  for (;;) {
    const byte = bytes[at++];
    sum |= BigInt(byte & 127) << shift;
    shift += 7n;
    if (byte < 128) return [Number(BigInt.asIntN(64, sum)), at];
  }
}

/** The fields of one protocol buffer message: [number, value] with numbers as they are and the rest as bytes. */
function* fields(bytes) {
  const piece = (begin, size) => {
    if (begin + size > bytes.length) throw new Error("the file ends in the middle of a message");
    return bytes.subarray(begin, begin + size);
  };
  let at = 0;
  while (at < bytes.length) {
    let [key, value, length] = [0, 0, 0];
    [key, at] = varint(bytes, at);
    const kind = key & 7;
    if (kind === 0) [value, at] = varint(bytes, at);
    else {
      if (kind === 2) [length, at] = varint(bytes, at);
      else if (kind === 5 || kind === 1) length = kind === 5 ? 4 : 8;
      else throw new Error(`a field of kind ${kind}: this is no ONNX file`);
      value = piece(at, length);
      at += length;
    }
    yield [Math.floor(key / 8), value];
  }
}

/** Whole numbers of a repeated field: one, or several packed together. */
function whole(value) {
  if (typeof value === "number") return [value];
  const found = [];
  for (let at = 0; at < value.length; ) {
    const [number, end] = varint(value, at);
    found.push(number);
    at = end;
  }
  return found;
}

const FLOAT = 1;
const INT64 = 7;
const BOOL = 9;
const FLOAT16 = 10;

let halves = null;

/** Half precision, widened: each of the 65,536 there are is looked up. */
function widened(raw) {
  halves ??= Float32Array.from({ length: 65536 }, (_, half) => {
    const [sign, exponent, fraction] = [half >> 15 ? -1 : 1, (half >> 10) & 31, half & 1023];
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
  const from = new Uint16Array(raw.slice().buffer);
  const wide = new Float32Array(from.length);
  for (let k = 0; k < wide.length; k++) wide[k] = halves[from[k]];
  return wide;
}

/** A tensor: numbers `d` row by row and their shape `s`. Whole numbers are Int32Arrays, truths Uint8Arrays. */
function tensor(bytes) {
  const s = [];
  let [kind, name, raw] = [0, "", null];
  const [floats, ints] = [[], []];
  for (const [number, value] of fields(bytes)) {
    if (number === 1) s.push(...whole(value));
    else if (number === 2) kind = value;
    else if (number === 4) floats.push(...new Float32Array(value.slice().buffer));
    else if (number === 5 || number === 7) ints.push(...whole(value));
    else if (number === 8) name = text.decode(value);
    else if (number === 9) raw = value;
  }
  let d;
  if (kind === FLOAT) d = raw ? new Float32Array(raw.slice().buffer) : Float32Array.from(floats);
  else if (kind === FLOAT16 && raw) d = widened(raw);
  else if (kind === INT64) d = raw ? Int32Array.from(new BigInt64Array(raw.slice().buffer), Number) : Int32Array.from(ints);
  else if (kind === BOOL) d = raw ? Uint8Array.from(raw) : Uint8Array.from(ints);
  else throw new Error(`${name}: numbers of kind ${kind} are not known here`);
  return { name, d, s };
}

function attribute(bytes) {
  const found = { name: "", value: undefined, list: [] };
  for (const [number, value] of fields(bytes)) {
    if (number === 1) found.name = text.decode(value);
    else if (number === 2) found.value = new Float32Array(value.slice().buffer)[0];
    else if (number === 3) found.value = whole(value)[0];
    else if (number === 4) found.value = text.decode(value);
    else if (number === 5) found.value = tensor(value);
    else if (number === 6) found.value = graph(value);
    else if (number === 8) found.list.push(...whole(value));
  }
  return [found.name, found.value ?? found.list];
}

function node(bytes) {
  const found = { op: "", name: "", inputs: [], outputs: [], attributes: {} };
  for (const [number, value] of fields(bytes)) {
    if (number === 1) found.inputs.push(text.decode(value));
    else if (number === 2) found.outputs.push(text.decode(value));
    else if (number === 3) found.name = text.decode(value);
    else if (number === 4) found.op = text.decode(value);
    else if (number === 5) {
      const [name, of] = attribute(value);
      found.attributes[name] = of;
    }
  }
  return found;
}

/** An input or output: its name and shape; -1 where the batch is. */
function port(bytes) {
  const found = { name: "", s: [] };
  for (const [number, value] of fields(bytes)) {
    if (number === 1) found.name = text.decode(value);
    if (number !== 2) continue;
    for (const [kind, type] of fields(value)) {
      if (kind !== 1) continue;
      for (const [part, shape] of fields(type)) {
        if (part === 1) found.whole = shape === INT64;
        if (part !== 2) continue;
        for (const [, dimension] of fields(shape)) {
          let size = -1;
          for (const [which, value] of fields(dimension)) if (which === 1) size = value;
          found.s.push(size);
        }
      }
    }
  }
  return found;
}

function graph(bytes) {
  const found = { nodes: [], constants: [], inputs: [], outputs: [] };
  for (const [number, value] of fields(bytes)) {
    if (number === 1) found.nodes.push(node(value));
    else if (number === 5) found.constants.push(tensor(value));
    else if (number === 11) found.inputs.push(port(value));
    else if (number === 12) found.outputs.push(port(value));
  }
  return found;
}

/** Read a file's bytes (a typed array or an ArrayBuffer): {graph, card}. Throws an Error that says what is wrong with them. */
export function readOnnx(file) {
  const bytes = new Uint8Array(file.buffer ?? file, file.byteOffset ?? 0, file.byteLength); // whatever array of bytes it came in
  const found = { graph: null, card: null };
  for (const [number, value] of fields(bytes)) {
    if (number === 7 && typeof value !== "number") found.graph = graph(value);
    if (number !== 14) continue;
    const entry = {};
    for (const [part, word] of fields(value)) entry[part] = text.decode(word);
    if (entry[1] === "algoritmo.card") found.card = JSON.parse(entry[2]);
  }
  if (!found.graph) throw new Error("this is no ONNX file");
  if (!found.card) throw new Error("this network has no card: it is none of ours");
  return found;
}
