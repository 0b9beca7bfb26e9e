// Two clips; a touch plays, a heart votes. No word is needed.

import { el } from "../lib/dom.js";
import { Clip, voice } from "./sound.js";
import { drawMusic } from "./score.js";

const ENOUGH_S = 1.2; // of each clip, before one can vote

export class Vote {
  constructor(app) {
    this.app = app;
    this.clips = new Map();
    this.ballot = null;
    this.room = null;
    this.node = el("div", "vote");
    this.cards = ["A", "B"].map((letter, side) => this.card(letter, side));
    this.did = el("div", "did");
    this.progress = el("div", "progress");
    this.bar = el("i");
    this.progress.append(this.bar);
    const pair = el("div", "pair");
    pair.append(...this.cards.map(({ node }) => node));
    this.node.append(pair, this.did, this.progress);
    this.player = null;
    this.side = -1;
    this.heard = [0, 0];
    this.choice = null;
    this.next = null; // the ballot that came with the last answer
  }

  card(letter, side) {
    const node = el("div", "card");
    const play = el("button", "play");
    play.setAttribute("aria-label", `▶ ${letter}`);
    const canvas = el("canvas");
    const sign = el("span", "letter", letter);
    play.append(canvas, sign, el("span", "sign", "▶"));
    play.addEventListener("click", () => this.play(side));
    const heart = el("button", "heart", "♥");
    heart.disabled = true;
    heart.addEventListener("click", () => this.vote(side));
    const name = el("span", "name", "");
    node.append(play, heart, name);
    return { node, play, canvas, heart, name };
  }

  texts() {
    const { t } = this.app;
    this.cards.forEach(({ heart, play }, side) => {
      heart.setAttribute("aria-label", t("vote.heart", { letter: "AB"[side] }));
      play.setAttribute("aria-label", t("vote.play", { letter: "AB"[side] }));
    });
    if (!this.ballot && !this.room) this.app.say("vote.wait");
  }

  async fetchClip(id) {
    if (!this.clips.has(id)) {
      const answer = await fetch(`/clip/${id}.json`);
      if (!answer.ok) throw new Error(`clip ${id}: ${answer.status}`);
      this.clips.set(id, await answer.json());
    }
    return this.clips.get(id);
  }

  // On to the ballot that came with the answer, or ask for one.
  go() {
    if (this.next && !this.room) this.open(this.next);
    else this.ask();
    this.next = null;
  }

  ask() {
    if (!this.ballot && !this.room) this.app.connection.send({ kind: "ask" });
  }

  take(message) {
    const { kind } = message;
    if (kind === "hello" || kind === "generation") {
      this.wanted = message.wanted;
      this.count(message.votes);
      if (kind === "generation") {
        this.app.say("vote.generation", { number: message.generation });
        this.ballot = this.next = null;
      }
      if (!this.app.connection.unanswered) this.ask();
    } else if (kind === "ballot") this.open(message);
    else if (kind === "closed") {
      this.app.say("vote.wait");
      setTimeout(() => this.ask(), 3000);
    } else if (kind === "counted") this.counted(message);
    else if (kind === "moved") this.moved(message);
    else if (kind === "refused" && message.ballot) this.refused(message);
    else if (kind === "slow") setTimeout(() => this.app.connection.again(), 1500);
    else if (kind === "room") this.inRoom(message);
  }

  async open(ballot) {
    if (ballot.ballot === this.ballot?.ballot) return;
    this.ballot = ballot;
    [this.heard, this.choice, this.side] = [[0, 0], null, -1];
    this.stop();
    for (const { node, name } of this.cards) {
      node.className = "card";
      name.textContent = "";
    }
    this.musics = [null, null];
    this.enable();
    this.draw();
    if (ballot.room) {
      this.app.say("room.vote");
      return;
    }
    try {
      this.musics = await Promise.all([ballot.first, ballot.second].map((id) => this.fetchClip(id)));
    } catch {
      this.ballot = null;
      setTimeout(() => this.ask(), 1000);
      return;
    }
    if (ballot !== this.ballot) return;
    this.app.say(voice.asleep ? "vote.begin" : "vote.listen");
    this.node.classList.add("ready");
    this.draw();
    if (!voice.asleep && this.app.tab === "vote" && this.following) this.play(0);
  }

  play(side) {
    const music = this.musics?.[side];
    if (!music || this.choice !== null) return;
    const again = this.side === side && this.player;
    this.stop();
    if (again) return;
    this.following = true;
    this.side = side;
    this.player = new Clip(music, { ended: () => this.ended(side) });
    this.cards.forEach(({ node }, k) => node.classList.toggle("playing", k === side));
    this.last = performance.now();
    this.frame();
  }

  ended(side) {
    this.player = null;
    this.cards[side].node.classList.remove("playing");
    if (side === 0 && this.heard[1] < ENOUGH_S) this.play(1);
    else {
      this.side = -1;
      this.app.say("vote.choose");
      this.draw();
    }
  }

  stop() {
    this.player?.stop();
    this.player = null;
    this.cards?.forEach(({ node }) => node.classList.remove("playing"));
  }

  frame() {
    if (!this.player) return;
    const now = performance.now();
    if (this.player.at > 0) this.heard[this.side] += (now - this.last) / 1000;
    this.last = now;
    this.enable();
    this.draw();
    requestAnimationFrame(() => this.frame());
  }

  enable() {
    const may = this.ballot && this.choice === null && (this.ballot.room || this.heard.every((s) => s >= ENOUGH_S));
    for (const { heart } of this.cards) if (heart.disabled === Boolean(may)) heart.disabled = !may;
  }

  draw() {
    this.cards.forEach(({ canvas }, side) => {
      const music = this.musics?.[side];
      const at = this.player && this.side === side ? Math.max(this.player.at / this.player.length, 0) : -1;
      drawMusic(canvas, music, at, this.choice === null || this.choice === side ? 1 : 0.4);
    });
  }

  vote(side) {
    if (this.choice !== null || !this.ballot) return;
    this.choice = side;
    this.stop();
    this.enable();
    this.cards[side].node.classList.add("chosen");
    this.app.connection.vote(this.ballot.ballot, side);
    this.draw();
  }

  counted({ ballot, names, place, number, next }) {
    if (ballot !== this.ballot?.ballot) return;
    names?.forEach((name, side) => (this.cards[side].name.textContent = name));
    this.count(number);
    const name = names?.[this.choice];
    this.app.say(name ? (place ? "vote.counted" : "vote.first") : "vote.again", { name, number, place });
    this.ballot = null;
    this.node.classList.remove("ready");
    this.next = next ?? null;
    for (const id of next ? [next.first, next.second] : []) this.fetchClip(id).catch(() => {}); // it is tried again when it is asked
    if (!this.room) setTimeout(() => this.go(), 1600);
  }

  moved({ name, was, place, of }) {
    const by = was ? was - place : 0;
    const arrow = by > 0 ? `▲ ${by}` : by < 0 ? `▼ ${-by}` : "＝";
    this.did.replaceChildren(el("span", "heart-small", "♥"), el("b", "", name), el("span", by > 0 ? "up" : "", arrow), el("span", "soft", this.app.t("vote.place", { place, of })));
  }

  refused({ again, reason }) {
    if (again) {
      this.app.say("vote.kept", {});
      setTimeout(() => this.app.connection.again(), 2000);
    } else {
      this.app.say("vote.over", { reason });
      this.ballot = null;
      setTimeout(() => this.ask(), 1000);
    }
  }

  count(votes) {
    const share = this.wanted ? Math.min(votes / this.wanted, 1) : 0;
    this.bar.style.width = `${(100 * share).toFixed(1)}%`;
    this.progress.setAttribute("aria-label", this.app.t("vote.progress", { votes, wanted: this.wanted ?? "" }));
    this.progress.dataset.text = `${votes} / ${this.wanted ?? ""}`;
  }

  inRoom(message) {
    const { phase } = message;
    if (phase === "off") {
      this.room = null;
      this.ballot = null;
      this.node.classList.remove("room");
      this.ask();
      return;
    }
    this.room = message;
    this.next = null;
    this.node.classList.add("room");
    this.stop();
    const side = { first: 0, second: 1 }[phase] ?? -1;
    this.cards.forEach(({ node }, k) => node.classList.toggle("playing", k === side));
    if (phase === "first") {
      this.ballot = null;
      this.choice = null;
      this.musics = [null, null];
      this.cards.forEach(({ node, name }) => {
        node.classList.remove("chosen");
        name.textContent = "";
      });
    }
    if (phase === "result") {
      message.names?.forEach((name, k) => (this.cards[k].name.textContent = `${name} · ${message.votes?.[k] ?? "?"}`));
      this.ballot = null;
    }
    this.enable();
    this.draw();
    if (phase !== "vote") this.app.say(phase === "result" ? "room.result" : "room.listen");
  }

  show() {
    this.draw();
    this.ask();
  }

  hide() {
    this.stop();
    this.following = false;
  }
}
