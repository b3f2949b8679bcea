// The key that a service may ask for: asked of the person once, kept until the tab closes.
import { recall, remember } from "./storage.js";

const dialog = document.getElementById("key-dialog");
const input = document.getElementById("key");

let key = recall("sessionStorage", "key");
let asking = null; // the answer that several pictures wait for together
let declined = false;

export const currentKey = () => key;

// Whether there is a key other than `refused` now. Who declined is not asked again until `askAgain`.
export async function newKey(refused) {
  if (key !== refused) return true;
  if (declined) return false;
  asking ??= ask(refused !== null).finally(() => {
    asking = null;
  });
  return asking;
}

export function askAgain() {
  declined = false;
}

async function ask(wrong) {
  document.getElementById("key-wrong").hidden = !wrong;
  input.value = "";
  dialog.returnValue = "cancel"; // what Escape leaves
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  declined = dialog.returnValue !== "key";
  if (!declined) {
    key = input.value;
    remember("sessionStorage", "key", key);
  }
  input.value = "";
  return !declined;
}

document.getElementById("key-cancel").addEventListener("click", () => dialog.close("cancel"));
