// A bar is a turn. Each voice is a light that goes round: as far out as its pitch is high, as large as it is loud; where it
// strikes a spark stays behind and drifts outwards.
"use strict";

const VOICES = {
  "track/drums": [230, 159, 0],
  "track/bass": [86, 180, 233],
  "track/chords": [0, 158, 115],
  "track/pad": [204, 121, 167],
  "track/lead": [240, 228, 66],
  player: [255, 245, 220],
};
const WANTED = ["/smooth/bar/phase", "/smooth/beat/pulse", "/smooth/energy", "/smooth/surprise"];
for (const voice in VOICES) for (const what of ["envelope", "onset", "pitch"]) WANTED.push(`/smooth/${voice}/${what}`);

const now = listen(WANTED, (text) => (document.getElementById("words").textContent = text));
const of = (path) => now[path]?.[0] ?? 0;
const before = {};
let sparks = [];

function setup() {
  createCanvas(windowWidth, windowHeight);
}

function windowResized() {
  resizeCanvas(windowWidth, windowHeight);
}

function draw() {
  blendMode(BLEND);
  background(7, 9, 13, 34); // what was fades
  blendMode(ADD);
  const middle = [width / 2, height / 2], reach = 0.46 * Math.min(width, height);
  const turn = TWO_PI * (of("/smooth/bar/phase") - 0.25);

  // The beat: a ring that opens; the more surprising the music, the further.
  const pulse = of("/smooth/beat/pulse");
  noFill();
  stroke(120, 190, 220, 60 * pulse);
  strokeWeight(1 + 3 * of("/smooth/energy"));
  circle(...middle, 2 * reach * (1.05 - 0.75 * pulse * (0.4 + 0.6 * of("/smooth/surprise"))));
  noStroke();

  for (const voice in VOICES) {
    const [r, g, b] = VOICES[voice];
    const loud = of(`/smooth/${voice}/envelope`), onset = of(`/smooth/${voice}/onset`);
    const away = reach * lerp(0.2, 0.95, of(`/smooth/${voice}/pitch`));
    const at = [middle[0] + away * cos(turn), middle[1] + away * sin(turn)];
    for (const [size, alpha] of [[1, 190], [2.2, 60], [5, 18]]) {
      fill(r, g, b, alpha * loud);
      circle(...at, size * (3 + 0.05 * reach * loud));
    }
    if (onset > (before[voice] ?? 0) + 0.15) sparks.push({ at, turn, colour: VOICES[voice], life: 1, size: 2 + 9 * onset });
    before[voice] = onset;
  }

  for (const spark of sparks) {
    spark.life *= 0.985;
    spark.at = [spark.at[0] + 0.9 * cos(spark.turn), spark.at[1] + 0.9 * sin(spark.turn)];
    fill(...spark.colour, 150 * spark.life);
    circle(...spark.at, spark.size * sqrt(spark.life));
  }
  sparks = sparks.filter(({ life }) => life > 0.03);
}
