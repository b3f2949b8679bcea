// One picture on the page: what is known of it, and how that is shown.
import { drawOutline, drawPicture, drawWindow, release, unwatch, watch } from "./drawing.js";
import { save } from "./files.js";
import { decimal, knows, percent, words } from "./language.js";

// Of 200 real pictures every right window was above 0.92; finds where there is none lay around 0.55 to 0.86.
const LEVELS = [[0.92, "high"], [0.8, "middle"], [0, "low"]];

export class Card {
  // `again` is called when the person wants this picture tried again.
  constructor(file, maskName, again) {
    Object.assign(this, { file, maskName, phase: "waiting", near: false, answer: null, problem: null });
    this.size = undefined; // width and height as the browser sees them; null when it cannot
    this.element = document.getElementById("card").content.firstElementChild.cloneNode(true);
    this.find("h3").textContent = file.name;
    this.find(".save").addEventListener("click", () => save(this.mask, maskName));
    this.find(".turn").addEventListener("click", () => this.find(".window").classList.toggle("turned"));
    this.find(".again").addEventListener("click", () => again(this));
    watch(this.element, (near) => this.comes(near));
    this.render();
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  get finished() {
    return ["found", "none", "failed"].includes(this.phase);
  }

  get retryable() {
    return this.phase === "failed" && this.problem.passing;
  }

  // The sentence that stands for this picture's state.
  get verdict() {
    if (this.phase === "failed") {
      const entry = `problems.${this.problem.code}`;
      return words(knows(entry) ? entry : "problems.broken");
    }
    const entries = { found: "windowFound", none: "nothingFound", waiting: "waiting", sending: "sending" };
    return words(entries[this.phase] ?? `waits.${this.phase}`);
  }

  enter(phase) {
    this.phase = phase;
    this.render();
  }

  answered(answer) {
    const { mask, crop, ...facts } = answer;
    this.answer = facts;
    this.mask = blobOf(mask, "image/png");
    this.crop = crop && blobOf(crop, "image/jpeg");
    drawOutline(this.find(".outline"), facts);
    // The room it will take, so that nothing jumps when it is drawn.
    if (crop) this.find(".window").style.aspectRatio = facts.box.width / facts.box.height;
    this.enter(facts.found ? "found" : "none");
    this.show();
  }

  refused(problem) {
    this.problem = problem;
    this.enter("failed");
  }

  comes(near) {
    this.near = near;
    if (near) return this.show();
    for (const canvas of this.element.querySelectorAll("canvas")) release(canvas);
    this.element.classList.remove("drawn");
  }

  async show() {
    const [picture, enlarged] = [this.find(".picture"), this.find(".window")];
    if (!picture.width && this.size !== null) {
      const size = await drawPicture(picture, this.file, () => this.near && !picture.width);
      if (size !== undefined) this.size = size;
    }
    if (this.crop && !enlarged.width) await drawWindow(enlarged, this.crop, () => this.near && !enlarged.width);
    if (!this.near) this.comes(false); // it left while it was drawn
    else this.render();
  }

  // Whether the browser shows the picture as the service saw it: it may not know its format or its turn.
  get seen() {
    if (this.size === undefined || !this.answer) return this.size !== null;
    return this.size?.[0] === this.answer.width && this.size[1] === this.answer.height;
  }

  render() {
    const { phase, answer } = this;
    const level = phase === "found" ? LEVELS.find(([from]) => answer.confidence >= from)[1] : null;
    this.element.dataset.phase = phase;
    this.element.dataset.level = level ?? "";
    this.element.classList.toggle("drawn", this.seen && this.find(".picture").width > 0);
    this.element.ariaBusy = String(!this.finished);
    this.find(".verdict").textContent = this.verdict;
    this.renderConfidence(level);
    fill(this.find(".advice"), this.advice(level));
    const seconds = answer && decimal(answer.timings.total / 1000, 2);
    fill(this.find(".detail"), answer && words("detail", { ...answer, seconds }));
    this.renderPictures();
    this.renderActions();
  }

  renderConfidence(level) {
    const [row, meter] = [this.find(".sureness"), this.find("meter")];
    row.hidden = meter.hidden = !level;
    if (!level) return;
    row.firstElementChild.textContent = words(`sureness.${level}`);
    row.lastElementChild.textContent = percent(this.answer.confidence);
    meter.value = this.answer.confidence;
    meter.ariaLabel = words("confidence");
  }

  advice(level) {
    const kind = this.phase === "none" ? "none" : level;
    const said = [kind && kind !== "high" && words(`check.${kind}`), this.answer && !this.seen && words("unseen")];
    return said.filter(Boolean).join(" ");
  }

  renderPictures() {
    const { name } = this.file;
    this.find(".picture").ariaLabel = this.phase === "found" ? words("outlined", { name }) : name;
    this.find(".window").ariaLabel = words("straightened", { name });
    this.find(".window").hidden = !this.crop;
  }

  renderActions() {
    const offered = { save: this.phase === "found", turn: this.crop, again: this.retryable };
    for (const [action, shown] of Object.entries(offered)) {
      const button = this.find(`.${action}`);
      button.hidden = !shown;
      if (action !== "turn") button.textContent = words(action); // that one is an icon
      button.title = action === "turn" ? words(action) : "";
      button.ariaLabel = words("ofPicture", { action: words(action), name: this.file.name });
    }
  }

  remove() {
    unwatch(this.element);
    this.near = false;
    this.element.remove();
  }
}

function fill(place, text) {
  place.textContent = text ?? "";
  place.hidden = !text;
}

function blobOf(base64, type) {
  return new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], { type });
}
