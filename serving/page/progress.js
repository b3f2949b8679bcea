// How far the pictures are: the heading, the bar, and a few spoken words that do not flood a screen reader.
import { words } from "./language.js";

const QUIET = 5000; // milliseconds between two spoken words about progress
const byId = (id) => document.getElementById(id);
let timer = null;

export function say(text) {
  byId("announcer").textContent = text;
}

export function showProgress(cards) {
  const done = cards.filter((card) => card.finished).length;
  byId("results").hidden = cards.length === 0;
  byId("drop").classList.toggle("small", cards.length > 0);
  byId("count").textContent = words("pictures", { n: cards.length });
  byId("summary").textContent = done < cards.length ? words("done", { done, all: cards.length }) : summary(cards);
  byId("progress").max = Math.max(1, cards.length);
  byId("progress").value = done;
  byId("progress").hidden = done === cards.length;
  byId("zip").hidden = done < cards.length || cards.filter((card) => card.phase === "found").length < 2;
  byId("again").hidden = cards.filter((card) => card.retryable).length < 2;
}

// To be told after each finished picture.
export function sayProgress(cards) {
  if (cards.every((card) => card.finished)) {
    clearTimeout(timer);
    timer = null;
    const [{ file, verdict }] = cards;
    const one = cards.length === 1;
    say(one ? words("oneDone", { name: file.name, verdict }) : words("allDone", { summary: summary(cards) }));
  } else {
    timer ??= setTimeout(() => {
      timer = null;
      say(byId("summary").textContent);
    }, QUIET);
  }
}

function summary(cards) {
  const count = (phase) => cards.filter((card) => card.phase === phase).length;
  const phases = ["found", "none", "failed"].filter((phase) => count(phase) > 0);
  return phases.map((phase) => words(phase, { n: count(phase) })).join(", ");
}
