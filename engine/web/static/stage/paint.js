// Draws tables of numbers as coloured cells: WebGL2, or Canvas2D where there is none. Both take the same calls.
//
// A field is a texture of `width` values by `rows`. For a layer in time the rows are a ring: each step writes one row, and
// drawing begins at the newest. For a layer of notes the rows are notes and each step replaces all of them.

import { palette } from "../lib/colour.js";

const VERTEX = `#version 300 es
in vec2 corner;
uniform vec4 place;  // left, top, width, height of the rectangle, in clip space
out vec2 at;
void main() {
  at = corner;
  gl_Position = vec4(place.x + corner.x * place.z, place.y - corner.y * place.w, 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
uniform highp sampler2D values;
uniform highp sampler2D order;
uniform highp sampler2D lut;
uniform ivec4 part;   // first column, columns, first row (age or place), rows
uniform ivec3 ring;   // newest row, rows of the texture, 1: rows are ages
uniform vec2 range;
uniform bool ordered;
uniform ivec2 bars;   // steps since the last bar line at the first row drawn, steps of a bar (0: none)
in vec2 at;
out vec4 colour;
void main() {
  int column = min(int(at.x * float(part.y)), part.y - 1);
  int row = part.z + min(int(at.y * float(part.w)), part.w - 1);
  int unit = ordered ? int(texelFetch(order, ivec2(column, 0), 0).r + 0.5) : column;
  int y = ring.z == 1 ? (ring.x - row + ring.y) % ring.y : ring.y - 1 - row;
  float value = texelFetch(values, ivec2(part.x + unit, y), 0).r;
  float t = clamp((value - range.x) / (range.y - range.x), 0.0, 1.0);
  colour = vec4(texelFetch(lut, ivec2(int(t * 255.0 + 0.5), 0), 0).rgb, 1.0);
  if (bars.y > 0 && (row - bars.x + 16 * bars.y) % bars.y == 0) colour.rgb = mix(colour.rgb, vec3(0.55, 0.62, 0.7), 0.34);
}`;

export function makePainter(canvas, flat) {
  if (!flat) {
    const gl = canvas.getContext("webgl2", { alpha: true, antialias: false, depth: false, powerPreference: "high-performance" });
    if (gl) return new GlPainter(canvas, gl);
  }
  return new FlatPainter(canvas);
}

class GlPainter {
  constructor(canvas, gl) {
    this.kind = "WebGL2";
    this.canvas = canvas;
    this.gl = gl;
    this.textures = 0; // made for fields and orders, and not freed
    this.program = link(gl);
    this.at = {};
    for (const name of ["place", "values", "order", "lut", "part", "ring", "range", "ordered", "bars"]) {
      this.at[name] = gl.getUniformLocation(this.program, name);
    }
    const corners = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, corners);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    this.luts = {};
    for (const [name, table] of Object.entries(palette.luts)) {
      this.luts[name] = texture(gl);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, table);
    }
    this.none = this.order(new Float32Array([0]));
  }

  // Values as bytes (u8, shown over their whole range) or as floats.
  field(width, rows, u8) {
    const { gl } = this;
    const made = { width, rows, u8, texture: texture(gl), newest: 0 };
    this.textures++;
    gl.texStorage2D(gl.TEXTURE_2D, 1, u8 ? gl.R8 : gl.R32F, width, rows);
    return made;
  }

  // Write `rows` rows of values at row `y`.
  write(field, y, rows, values) {
    const { gl } = this;
    gl.bindTexture(gl.TEXTURE_2D, field.texture);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, y, field.width, rows, gl.RED, field.u8 ? gl.UNSIGNED_BYTE : gl.FLOAT, values);
  }

  order(units) {
    const { gl } = this;
    const made = { texture: texture(gl) };
    this.textures++;
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, units.length, 1, 0, gl.RED, gl.FLOAT, units);
    return made;
  }

  // Let go of a field or an order.
  free(made) {
    this.gl.deleteTexture(made.texture);
    this.textures--;
  }

  resize(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
  }

  begin() {
    const { gl, canvas } = this;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.useProgram(this.program);
    gl.uniform1i(this.at.values, 0);
    gl.uniform1i(this.at.order, 1);
    gl.uniform1i(this.at.lut, 2);
  }

  draw(field, { x, y, width, height, column, columns, row, rows, ages, low, high, lut, order, barAge, bar }) {
    const { gl, canvas, at } = this;
    bind(gl, 0, field.texture);
    bind(gl, 1, (order ?? this.none).texture);
    bind(gl, 2, this.luts[lut]);
    const [w, h] = [canvas.width, canvas.height];
    gl.uniform4f(at.place, (2 * x) / w - 1, 1 - (2 * y) / h, (2 * width) / w, (2 * height) / h);
    gl.uniform4i(at.part, column, columns, row, rows);
    gl.uniform3i(at.ring, field.newest, field.rows, ages ? 1 : 0);
    if (field.u8) gl.uniform2f(at.range, 0, 1);
    else gl.uniform2f(at.range, low, high);
    gl.uniform1i(at.ordered, order ? 1 : 0);
    gl.uniform2i(at.bars, barAge ?? 0, bar ?? 0);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }
}

function texture(gl) {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, side, gl.NEAREST);
  for (const way of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, way, gl.CLAMP_TO_EDGE);
  return made;
}

function bind(gl, unit, which) {
  gl.activeTexture(gl.TEXTURE0 + unit);
  gl.bindTexture(gl.TEXTURE_2D, which);
}

function link(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.bindAttribLocation(program, 0, "corner");
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
  return program;
}

class FlatPainter {
  constructor(canvas) {
    this.kind = "Canvas2D";
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.scratch = document.createElement("canvas");
    this.images = new Map();
    this.luts = Object.fromEntries(Object.entries(palette.luts).map(([name, table]) => [name, new Uint32Array(table.buffer)]));
  }

  field(width, rows, u8) {
    return { width, rows, u8, newest: 0, values: new (u8 ? Uint8Array : Float32Array)(width * rows) };
  }

  write(field, y, rows, values) {
    field.values.set(values.subarray(0, rows * field.width), y * field.width);
  }

  order(units) {
    return { units };
  }

  free() {}

  resize(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
  }

  begin() {
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.context.imageSmoothingEnabled = false;
  }

  draw(field, { x, y, width, height, column, columns, row, rows, ages, low, high, lut, order, barAge, bar }) {
    const image = this.image(columns, rows);
    const out = new Uint32Array(image.data.buffer);
    const table = this.luts[lut];
    const factor = field.u8 ? 1 : 255 / (high - low);
    const shift = field.u8 ? 0 : -low * factor + 0.5;
    for (let r = 0; r < rows; r++) {
      const line = ages ? (field.newest - row - r + 2 * field.rows) % field.rows : field.rows - 1 - row - r;
      const from = line * field.width + column;
      for (let c = 0; c < columns; c++) {
        const value = field.values[from + (order ? order.units[c] : c)] * factor + shift;
        out[r * columns + c] = table[value < 0 ? 0 : value > 255 ? 255 : value | 0];
      }
      if (bar && (row + r - barAge + 16 * bar) % bar === 0) for (let c = 0; c < columns; c += 2) out[r * columns + c] = 0xff8a7a6a;
    }
    if (this.scratch.width < columns || this.scratch.height < rows) {
      this.scratch.width = Math.max(this.scratch.width, columns);
      this.scratch.height = Math.max(this.scratch.height, rows);
    }
    this.scratch.getContext("2d").putImageData(image, 0, 0);
    this.context.drawImage(this.scratch, 0, 0, columns, rows, x, y, width, height);
  }

  image(columns, rows) {
    const key = `${columns}x${rows}`;
    if (!this.images.has(key)) {
      if (this.images.size > 32) this.images.clear();
      this.images.set(key, new ImageData(columns, rows));
    }
    return this.images.get(key);
  }
}
