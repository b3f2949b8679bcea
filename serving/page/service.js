// Asks the service, and is patient with it: what passes by itself is waited out, a missing key is asked for.
import { currentKey, newKey } from "./key.js";

const PATIENCE = { overloaded: 8, "not-ready": 60, offline: 2, timeout: 1 }; // times that a picture is sent again
const LONGEST_WAIT = 30; // seconds, whatever Retry-After asks for
const LONGEST_ANSWER = 120; // seconds; a phone that lost its network would otherwise wait for many minutes
const BY_STATUS = { 413: "too-large", 502: "overloaded", 503: "overloaded", 504: "overloaded" }; // a proxy's answers

export class Refusal extends Error {
  constructor(code, seconds = 2) {
    super(code);
    this.code = code;
    this.seconds = seconds;
  }

  get passing() {
    return this.code in PATIENCE || this.code === "unauthorized" || this.code === "broken";
  }
}

// The service's answer for one picture file; `waits` is told the code of what is being waited out.
export async function findWindow(file, signal, waits) {
  await file.slice(0, 1).arrayBuffer().catch(() => {
    throw new Refusal("unreadable"); // a folder, or a file that has gone
  });
  const tried = {};
  for (;;) {
    const key = currentKey();
    try {
      return await ask("predict?crop=true", { method: "POST", body: form(file), headers: keyed(key) }, signal);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.code === "unauthorized") {
        if (!(await newKey(key))) throw error;
        continue;
      }
      tried[error.code] = (tried[error.code] ?? 0) + 1;
      if (tried[error.code] > (PATIENCE[error.code] ?? 0)) throw error;
      waits(error.code);
      await pause(error.seconds, signal);
    }
  }
}

// What the service says of its model, once it has one; `waits` is told while it has none.
export async function served(waits) {
  for (;;) {
    try {
      return await ask("version", {}, new AbortController().signal);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      waits(error.code);
      await pause(error.code === "not-ready" ? error.seconds : LONGEST_WAIT);
    }
  }
}

async function ask(address, options, signal) {
  let answer, said;
  try {
    const either = AbortSignal.any([signal, AbortSignal.timeout(LONGEST_ANSWER * 1000)]);
    answer = await fetch(address, { ...options, signal: either });
    said = await answer.text();
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Refusal("offline");
  }
  const json = answer.headers.get("content-type")?.startsWith("application/json") ? JSON.parse(said) : null;
  if (answer.ok && json) return json;
  throw new Refusal(json?.error ?? BY_STATUS[answer.status] ?? "broken", retryAfter(answer));
}

function form(file) {
  const fields = new FormData();
  fields.append("image", file);
  return fields;
}

function keyed(key) {
  return key ? { "X-API-Key": key } : {};
}

// Seconds, in its own form only: a date there would be by the other side's clock.
function retryAfter(answer) {
  const seconds = Number(answer.headers.get("retry-after") ?? 2);
  return seconds >= 0 ? Math.min(LONGEST_WAIT, seconds) : 2;
}

// A little longer than asked for, each time differently: those who were refused together should not return together.
function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000 * (1 + Math.random() / 2));
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
