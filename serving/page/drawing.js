// Draws pictures into canvases, only those near the eye: a canvas holds 4 bytes a pixel, and there may be hundreds.

const PICTURE_EDGE = 1200; // pixels, enough for a card on a screen of twice the density
const WINDOW_EDGE = 1000;

let turn = Promise.resolve(); // one picture is decoded at a time: 64 megapixels are 256 MB while that lasts

const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) nearness.get(target)(isIntersecting);
  },
  { rootMargin: "100% 0px" },
);
const nearness = new WeakMap();

// `told` hears true when `element` comes near the viewport, false when it leaves.
export function watch(element, told) {
  nearness.set(element, told);
  observer.observe(element);
}

export function unwatch(element) {
  observer.unobserve(element);
}

// Draws `blob` upright into `canvas` if `wanted()` still says so when its turn has come.
// Resolves to the picture's own width and height, or null when the browser cannot decode it.
export function drawPicture(canvas, blob, wanted) {
  return inTurn(() => draw(canvas, blob, PICTURE_EDGE, wanted));
}

export function drawWindow(canvas, blob, wanted) {
  return inTurn(() => draw(canvas, blob, WINDOW_EDGE, wanted));
}

export function release(canvas) {
  canvas.width = canvas.height = 0;
}

function inTurn(job) {
  const done = turn.then(job);
  turn = done.catch(() => {});
  return done;
}

async function draw(canvas, blob, edge, wanted) {
  if (!wanted()) return undefined;
  const photo = await decoded(blob);
  if (!photo) return null;
  const size = [photo.width, photo.height];
  const scale = Math.min(1, edge / Math.max(...size));
  [canvas.width, canvas.height] = size.map((pixels) => Math.max(1, Math.round(pixels * scale)));
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(photo, 0, 0, canvas.width, canvas.height);
  photo.close();
  return size;
}

async function decoded(blob) {
  if (await isWebpWithExif(blob)) return null;
  try {
    return await createImageBitmap(blob, { imageOrientation: "from-image" });
  } catch (error) {
    if (error instanceof DOMException) return null; // a format that this browser does not know
    throw error;
  }
}

// Chromium turns JPEG and PNG as their tag asks for, but not WebP: shown upside down, it would carry a wrong outline.
async function isWebpWithExif(blob) {
  const head = new Uint8Array(await blob.slice(0, 21).arrayBuffer());
  return new TextDecoder("latin1").decode(head.slice(8, 16)) === "WEBPVP8X" && (head[20] & 8) !== 0;
}

// The outline of `polygon` over a picture of `width` by `height`, and a shade on everything outside it.
export function drawOutline(svg, { width, height, polygon }) {
  const [sheet, shade, ...rims] = svg.children;
  const points = polygon.map((point) => point.join(",")).join(" ");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  sheet.setAttribute("width", width);
  sheet.setAttribute("height", height);
  shade.setAttribute("d", points && `M0 0H${width}V${height}H0ZM${points}Z`);
  for (const rim of rims) rim.setAttribute("points", points);
}
