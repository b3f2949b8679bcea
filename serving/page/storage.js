// What the browser remembers for the page. People may have switched that off: it then lasts until the page closes.

// `kind` is localStorage or sessionStorage.
export function recall(kind, name) {
  return guarded(() => window[kind].getItem(name));
}

export function remember(kind, name, value) {
  guarded(() => window[kind].setItem(name, value));
}

function guarded(use) {
  try {
    return use();
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}
