// Sends each chosen picture to `predict` and shows what comes back. Nothing is kept once the page is closed.
import { drawView, drawWindow } from "./outline.js";

const AT_ONCE = 2; // requests in flight; more would only wait in the service
const ADVICE = {
  empty: "This file is empty. Choose another one.",
  format: "This is not a picture we can read. Use JPEG, PNG, WebP, BMP or TIFF.",
  truncated: "A part of this picture is missing. Copy it from the camera again.",
  undecodable: "This picture is damaged. Copy it from the camera again.",
  "too-large": "This picture is too large. Send a smaller copy.",
};

const byId = (id) => document.getElementById(id);
const [drop, chooser, results, cards] = ["drop", "chooser", "results", "cards"].map(byId);
let waiting = [];
let working = 0;

class Refusal extends Error {
  constructor(advice, detail) {
    super(advice);
    this.detail = detail;
  }
}

function add(files) {
  for (const file of files) {
    const card = byId("card").content.firstElementChild.cloneNode(true);
    card.querySelector("h3").textContent = file.name;
    cards.append(card);
    waiting.push({ file, card });
  }
  update();
  work();
}

function update() {
  const count = cards.children.length;
  results.hidden = count === 0;
  drop.classList.toggle("small", count > 0);
  byId("count").textContent = count === 1 ? "1 picture" : `${count} pictures`;
}

async function work() {
  while (working < AT_ONCE && waiting.length) {
    working += 1;
    examine(waiting.shift()).finally(() => {
      working -= 1;
      work();
    });
  }
}

async function examine({ file, card }) {
  say(card, "Looking for the window…");
  try {
    const answer = await ask(file);
    await show(card, file, answer);
  } catch (error) {
    card.classList.add("failed");
    const known = error instanceof Refusal;
    say(card, known ? error.message : "This page could not show the answer.", known ? error.detail : error.message);
  } finally {
    card.classList.remove("busy");
    const verdict = card.querySelector(".verdict").textContent;
    byId("announcer").textContent = `${file.name}: ${verdict}`;
  }
}

async function ask(file) {
  await file.slice(0, 1).arrayBuffer().catch((error) => {
    throw new Refusal("This cannot be read. Drop pictures, not folders.", error.message);
  });
  const form = new FormData();
  form.append("image", file);
  const answer = await reach("predict", { method: "POST", body: form });
  const said = await answer.json();
  if (!answer.ok) throw new Refusal(ADVICE[said.error] ?? "The service refused this picture.", said.message);
  return said;
}

async function reach(address, options) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch (error) {
    throw new Refusal("The service does not answer. Check the connection and drop the picture again.", error.message);
  }
  if (answer.headers.get("content-type") !== "application/json") {
    throw new Refusal("Something went wrong in the service. Try again in a minute.", `HTTP ${answer.status}`);
  }
  return answer;
}

async function show(card, file, answer) {
  const bytes = Uint8Array.from(atob(answer.mask), (letter) => letter.charCodeAt(0));
  const png = new Blob([bytes], { type: "image/png" });
  const [mask, photo] = [await createImageBitmap(png), await upright(file, answer)];
  const canvas = card.querySelector(".picture");
  const box = drawView(canvas, photo, mask);
  canvas.ariaLabel = box ? `${file.name} with the reading window outlined` : file.name;
  const size = `${answer.width} × ${answer.height} pixels, ${(answer.milliseconds / 1000).toFixed(2)} s`;
  const unseen = photo ? "" : " This browser cannot show this kind of picture.";
  if (answer.found) {
    say(card, `Confidence ${Math.round(answer.confidence * 100)} %`, size + unseen);
    const meter = card.querySelector("meter");
    Object.assign(meter, { hidden: false, value: answer.confidence, ariaLabel: "Confidence" });
    offer(card, file, png);
  } else {
    say(card, "No reading window found", `${size}. Come closer, and keep the digits in the picture.${unseen}`);
  }
  if (box && photo) {
    const enlarged = card.querySelector(".window");
    drawWindow(enlarged, photo, box);
    enlarged.hidden = false;
  }
  photo?.close();
  mask.close();
}

// The picture as people hold it, or null: a browser may not know the format, or not the turn that its tag asks for.
async function upright(file, { width, height }) {
  try {
    const photo = await createImageBitmap(file, { imageOrientation: "from-image" });
    return photo.width === width && photo.height === height ? photo : null;
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

function offer(card, file, png) {
  const link = card.querySelector("a");
  link.href = URL.createObjectURL(png);
  link.download = `${file.name.replace(/\.[^.]*$/, "")}-mask.png`;
  link.ariaLabel = `Download the mask of ${file.name}`;
  link.hidden = false;
}

function say(card, verdict, detail = "") {
  card.querySelector(".verdict").textContent = verdict;
  card.querySelector(".detail").textContent = detail.charAt(0).toUpperCase() + detail.slice(1);
}

function clear() {
  for (const link of cards.querySelectorAll("a[href]")) URL.revokeObjectURL(link.href);
  waiting = [];
  cards.replaceChildren();
  update();
  chooser.focus();
}

async function nameTheModel() {
  const { model_name, model_version, data_version, metrics } = await (await reach("version")).json();
  byId("model").textContent =
    `Model ${model_name}, version ${model_version}, data ${data_version.slice(0, 12)}. ` +
    `On the test pictures: Dice ${metrics.dice.toFixed(3)}, IoU ${metrics.iou.toFixed(3)} (1 is perfect).`;
}

chooser.addEventListener("change", () => {
  add(chooser.files);
  chooser.value = ""; // so that choosing the same file again is a change
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
nameTheModel().catch((error) => {
  byId("model").textContent = error.message;
});
