// Which language the page speaks: the one chosen here before, else the browser's first that we know, else English.
import { english } from "./english.js";
import { polish } from "./polish.js";
import { recall, remember } from "./storage.js";

const DICTIONARIES = { en: english, pl: polish };
const preferred = [recall("localStorage", "language"), ...navigator.languages.map((tag) => tag.split("-")[0])];

let language = preferred.find((code) => code in DICTIONARIES) ?? "en";

// The entry at `path` ("problems.empty"), with {names} filled in. With `values.n`, the plural form that fits n.
export function words(path, values = {}) {
  let entry = path.split(".").reduce((part, key) => part[key], DICTIONARIES[language]);
  if (typeof entry === "object") entry = entry[new Intl.PluralRules(language).select(values.n)] ?? entry.other;
  return entry.replace(/\{(\w+)\}/g, (_, name) => said(values[name]));
}

export const knows = (path) => path.split(".").reduce((part, key) => part?.[key], english) !== undefined;

export function decimal(value, digits) {
  return value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export const percent = (share) => share.toLocaleString(language, { style: "percent" });

// Everything in the document that has words of its own; `lang` makes screen readers pronounce them rightly.
export function translate() {
  document.documentElement.lang = language;
  document.title = words("title");
  for (const place of document.querySelectorAll("[data-words]")) place.textContent = words(place.dataset.words);
  for (const place of document.querySelectorAll("[data-label]")) place.ariaLabel = words(place.dataset.label);
  for (const button of document.querySelectorAll("button[lang]")) button.ariaPressed = String(button.lang === language);
}

export function speak(code) {
  language = code;
  remember("localStorage", "language", code);
  translate();
}

function said(value) {
  return typeof value === "number" ? value.toLocaleString(language) : value;
}
