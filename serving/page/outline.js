// Draws what the model found: the picture with the window outlined, and the window enlarged.

const VIEW_EDGE = 1000; // pixels; a canvas holds 4 bytes for each, and there may be hundreds of pictures
const WINDOW_EDGE = 560;
const FOUND = "rgb(0 200 255)"; // the colour that stands for predictions everywhere in the platform
const RIM = "rgb(0 20 30 / 0.75)"; // keeps the outline visible on bright and on blue pictures
const SHADE = "rgb(0 12 20 / 0.25)";

// `photo` is null when the browser cannot show the picture: the outline then stands alone.
export function drawView(canvas, photo, mask) {
  const scale = Math.min(1, VIEW_EDGE / Math.max(mask.width, mask.height));
  canvas.width = Math.max(1, Math.round(mask.width * scale));
  canvas.height = Math.max(1, Math.round(mask.height * scale));
  const pen = canvas.getContext("2d");
  if (photo) pen.drawImage(photo, 0, 0, canvas.width, canvas.height);
  const { stencil, box } = cut(mask, canvas.width, canvas.height);
  if (!box) return null;
  const thickness = Math.max(2, Math.round(Math.max(canvas.width, canvas.height) / 160));
  pen.drawImage(outside(stencil), 0, 0);
  pen.drawImage(ring(stencil, thickness * 1.6, RIM), 0, 0);
  pen.drawImage(ring(stencil, thickness, FOUND), 0, 0);
  return box.map((value) => value / scale);
}

// `box` is what drawView returned: left, top, right, bottom in the photo's own pixels.
export function drawWindow(canvas, photo, [left, top, right, bottom]) {
  const margin = 0.12 * Math.min(right - left, bottom - top);
  const x = Math.max(0, left - margin);
  const y = Math.max(0, top - margin);
  const width = Math.min(photo.width, right + margin) - x;
  const height = Math.min(photo.height, bottom + margin) - y;
  const scale = WINDOW_EDGE / Math.max(width, height);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.getContext("2d").drawImage(photo, x, y, width, height, 0, 0, canvas.width, canvas.height);
}

function sheet(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  return [canvas, canvas.getContext("2d", { willReadFrequently: true })];
}

// The mask as opacity, and the box around it (null when the mask is empty).
function cut(mask, width, height) {
  const [stencil, pen] = sheet(width, height);
  pen.drawImage(mask, 0, 0, width, height);
  const pixels = pen.getImageData(0, 0, width, height);
  const bytes = pixels.data;
  const box = [width, height, 0, 0];
  for (let at = 0; at < bytes.length; at += 4) {
    bytes[at + 3] = bytes[at];
    if (bytes[at] < 128) continue;
    const x = (at >> 2) % width;
    const y = Math.floor((at >> 2) / width);
    box[0] = Math.min(box[0], x);
    box[1] = Math.min(box[1], y);
    box[2] = Math.max(box[2], x + 1);
    box[3] = Math.max(box[3], y + 1);
  }
  pen.putImageData(pixels, 0, 0);
  return { stencil, box: box[2] > 0 ? box : null };
}

function outside(stencil) {
  const [shade, pen] = sheet(stencil.width, stencil.height);
  pen.fillStyle = SHADE;
  pen.fillRect(0, 0, shade.width, shade.height);
  pen.globalCompositeOperation = "destination-out";
  pen.drawImage(stencil, 0, 0);
  return shade;
}

// A line around the stencil, outside of it, so that it never covers a digit.
function ring(stencil, thickness, colour) {
  const [line, pen] = sheet(stencil.width, stencil.height);
  for (let angle = 0; angle < 2 * Math.PI; angle += Math.PI / 8) {
    pen.drawImage(stencil, thickness * Math.cos(angle), thickness * Math.sin(angle));
  }
  pen.globalCompositeOperation = "destination-out";
  pen.drawImage(stencil, 0, 0);
  pen.globalCompositeOperation = "source-in";
  pen.fillStyle = colour;
  pen.fillRect(0, 0, line.width, line.height);
  return line;
}
