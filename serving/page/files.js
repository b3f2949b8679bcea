// Files that leave the page: masks with names of their own, alone or together in a zip.

const STORED = 20; // the zip version that knows plain stored files
const UTF8_NAMES = 0x0800;

// A name for the mask of `picture` that is not among `taken` (and is then). Cameras of phones call every picture alike.
export function maskName(picture, taken) {
  const stem = picture.normalize("NFC").replace(/\.[^.]*$/, "").replace(/[\\/:*?"<>|\p{Cc}]/gu, "_") || "picture";
  let name = `${stem}-mask.png`;
  for (let number = 2; taken.has(name.toLowerCase()); number += 1) name = `${stem}-mask-${number}.png`;
  taken.add(name.toLowerCase()); // Windows and macOS take names that differ in case alone for one
  return name;
}

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // some browsers fetch it only after they asked where to
}

// A zip of `files`, {name, blob} each, stored as they are: PNG is compressed already. Up to 65,535 files and 4 GB.
export async function zip(files) {
  const [parts, directory] = [[], []];
  const now = dosTime(new Date());
  let offset = 0;
  for (const { name, blob } of files) {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const path = new TextEncoder().encode(name);
    const sizes = [[4, bytes.length], [4, bytes.length], [2, path.length]];
    const facts = [[2, STORED], [2, UTF8_NAMES], [2, 0], [4, now], [4, crc32(bytes)], ...sizes, [2, 0]];
    const header = record(0x04034b50, facts);
    directory.push(record(0x02014b50, [[2, STORED], ...facts, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]), path);
    parts.push(header, path, blob);
    offset += header.length + path.length + bytes.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const counts = [[2, files.length], [2, files.length]];
  const end = record(0x06054b50, [[2, 0], [2, 0], ...counts, [4, size], [4, offset], [2, 0]]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

// Little-endian bytes of `fields`, [size in bytes, value] each, after the signature.
function record(signature, fields) {
  const bytes = ([size, value]) => Array.from({ length: size }, (_, at) => (value >>> (8 * at)) & 255);
  return Uint8Array.from([[4, signature], ...fields].flatMap(bytes));
}

// Date above time, as MS-DOS packed them: years since 1980, months, days; hours, minutes, seconds by two.
function dosTime(date) {
  const day = ((date.getFullYear() - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate();
  const time = (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1);
  return (day << 16) | time;
}

const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit += 1) byte = (byte >>> 1) ^ (byte & 1 ? 0xedb88320 : 0);
  return byte;
});

function crc32(bytes) {
  let sum = -1;
  for (const byte of bytes) sum = (sum >>> 8) ^ TABLE[(sum ^ byte) & 255];
  return ~sum;
}
