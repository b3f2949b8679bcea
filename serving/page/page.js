// Takes the pictures that people add and has each looked at, a few at a time. Nothing is kept once the page is closed.
import { Card } from "./card.js";
import { maskName, save, zip } from "./files.js";
import { askAgain } from "./key.js";
import { decimal, speak, translate, words } from "./language.js";
import { say, sayProgress, showProgress } from "./progress.js";
import { findWindow, Refusal, served } from "./service.js";

const AT_ONCE = 2; // requests in flight; more would only wait in the service
const byId = (id) => document.getElementById(id);
const [drop, chooser, camera] = ["drop", "chooser", "camera"].map(byId);
let cards = [];
let waiting = [];
let working = 0;
let names = new Set();
let cleared = new AbortController();
let model = () => "";

function add(files) {
  if (!files.length) return;
  const again = (card) => tryAgain([card], card.element);
  const fresh = Array.from(files, (file) => new Card(file, maskName(file.name, names), again));
  cards.push(...fresh);
  byId("cards").append(...fresh.map((card) => card.element));
  say(words("added", { n: fresh.length }));
  queue(fresh);
}

function queue(some) {
  askAgain();
  waiting.push(...some);
  showProgress(cards);
  work();
}

function work() {
  while (working < AT_ONCE && waiting.length) {
    working += 1;
    examine(waiting.shift(), cleared.signal).finally(() => {
      working -= 1;
      work();
    });
  }
}

async function examine(card, signal) {
  card.enter("sending");
  try {
    card.answered(await findWindow(card.file, signal, (code) => card.enter(code)));
  } catch (error) {
    if (signal.aborted) return;
    card.refused(error instanceof Refusal ? error : new Refusal("broken"));
    if (!(error instanceof Refusal)) console.error(error);
  }
  showProgress(cards);
  sayProgress(cards);
}

// The button that asked for it disappears: `place` takes the focus.
function tryAgain(some, place) {
  place.focus();
  for (const card of some) card.enter("waiting");
  queue(some);
}

function clear() {
  cleared.abort();
  cleared = new AbortController();
  for (const card of cards) card.remove();
  [cards, waiting, names] = [[], [], new Set()];
  showProgress(cards);
  chooser.focus();
}

async function saveAll() {
  const found = cards.filter((card) => card.phase === "found");
  save(await zip(found.map((card) => ({ name: card.maskName, blob: card.mask }))), "masks.zip");
}

function switchTo(language) {
  speak(language);
  for (const card of cards) card.render();
  showProgress(cards);
  nameModel();
}

function nameModel(sentence = model) {
  model = sentence;
  byId("model").textContent = model();
}

for (const input of [chooser, camera]) {
  input.addEventListener("change", () => {
    add(input.files);
    input.value = ""; // so that choosing the same file again is a change
  });
}
drop.addEventListener("click", (event) => {
  if (!event.target.closest("label")) chooser.click();
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  add(event.dataTransfer.files);
});
byId("clear").addEventListener("click", clear);
byId("zip").addEventListener("click", saveAll);
byId("again").addEventListener("click", () => tryAgain(cards.filter((card) => card.retryable), byId("count")));
for (const button of document.querySelectorAll("button[lang]")) {
  button.addEventListener("click", () => switchTo(button.lang));
}

translate();
const { model_name: name, model_version: version, data_version, metrics } = await served((code) =>
  nameModel(() => words(code === "not-ready" ? "modelLoading" : "modelUnknown")),
);
nameModel(() => {
  const [dice, iou] = [metrics.dice, metrics.iou].map((value) => decimal(value, 3));
  return words("model", { name, version, data: data_version.slice(0, 12), dice, iou });
});
