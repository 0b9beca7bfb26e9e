// The few functions of p5 that sketch.js calls, on a canvas, with p5's names and meanings. p5.min.js can take this file's place.
"use strict";

const TWO_PI = 2 * Math.PI, ADD = "lighter", BLEND = "source-over";
const { cos, sin, pow, sqrt } = Math;
let width = 0, height = 0, frameCount = 0, pen = null;

const css = (r, g = r, b = r, alpha = 255) => `rgba(${r}, ${g}, ${b}, ${alpha / 255})`;
const windowSize = () => [innerWidth, innerHeight];

function createCanvas(wide, tall) {
  const canvas = document.createElement("canvas");
  document.body.append(canvas);
  pen = canvas.getContext("2d");
  resizeCanvas(wide, tall);
}

function resizeCanvas(wide, tall) {
  pen.canvas.width = width = wide;
  pen.canvas.height = height = tall;
}

function background(...colour) {
  pen.fillStyle = css(...colour);
  pen.fillRect(0, 0, width, height);
}

let filled = true, stroked = false;
function fill(...colour) { filled = true; pen.fillStyle = css(...colour); }
function noFill() { filled = false; }
function stroke(...colour) { stroked = true; pen.strokeStyle = css(...colour); }
function noStroke() { stroked = false; }
function strokeWeight(weight) { pen.lineWidth = weight; }
function blendMode(mode) { pen.globalCompositeOperation = mode; }
function lerp(from, to, part) { return from + (to - from) * part; }

function circle(x, y, across) {
  pen.beginPath();
  pen.arc(x, y, across / 2, 0, TWO_PI);
  if (filled) pen.fill();
  if (stroked) pen.stroke();
}

function line(x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  if (stroked) pen.stroke();
}

addEventListener("load", () => {
  window.windowWidth = innerWidth;
  window.windowHeight = innerHeight;
  setup();
  addEventListener("resize", () => {
    [window.windowWidth, window.windowHeight] = windowSize();
    windowResized?.();
  });
  const frame = () => {
    frameCount++;
    draw();
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
});
