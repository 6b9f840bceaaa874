// Read words and boxes out of what the cloud has answered. All of it is untrusted: it is parsed into numbers and texts, and
// the parsed document itself is never put into the page.

/** Most words of a document, and most boxes of a JSON result. */
export const MOST_WORDS = 20_000;
const MOST_CHARACTERS = 200;

/**
 * Parse hOCR.
 *
 * Returns pages {box: [x0, y0, x1, y1], words: [{text, box, confidence, line, block}]}; `confidence` is 0 to 100, or null where the
 * cloud gives none. `cut` says whether there are more words than are shown. Returns null for what is no hOCR.
 */
export function parseHocr(source) {
  // XHTML first: its parser loads nothing and runs nothing. Of an HTML document made by DOMParser the same is true.
  let parsed = new DOMParser().parseFromString(source, "application/xhtml+xml");
  if (parsed.querySelector("parsererror")) parsed = new DOMParser().parseFromString(source, "text/html");
  const found = { pages: [], cut: false };
  let left = MOST_WORDS;
  for (const page of parsed.getElementsByClassName("ocr_page")) {
    const words = [];
    let line = 0;
    let block = 0;
    let lastLine = null;
    let lastBlock = null;
    for (const word of page.getElementsByClassName("ocrx_word")) {
      if (left-- <= 0) {
        found.cut = true;
        break;
      }
      const box = boxOf(word);
      if (!box) continue;
      const inLine = word.closest(".ocr_line, .ocr_caption, .ocr_header, .ocr_textfloat, .ocrx_line");
      const inBlock = word.closest(".ocr_par") ?? word.closest(".ocr_carea");
      if (inLine !== lastLine && words.length) line += 1;
      if (inBlock !== lastBlock && words.length) block += 1;
      [lastLine, lastBlock] = [inLine, inBlock];
      const text = (word.textContent ?? "").trim().slice(0, MOST_CHARACTERS);
      words.push({ text, box, confidence: confidenceOf(word), line, block });
    }
    found.pages.push({ box: boxOf(page) ?? aroundAll(words), words });
    if (found.cut) break;
  }
  return found.pages.length ? found : null;
}

function boxOf(element) {
  const match = /(?:^|;)\s*bbox\s+(-?[\d.]+)\s+(-?[\d.]+)\s+(-?[\d.]+)\s+(-?[\d.]+)/.exec(element.getAttribute("title") ?? "");
  return match ? asBox(match.slice(1).map(Number)) : null;
}

function asBox(numbers) {
  const fits = numbers.length === 4 && numbers.every((value) => Number.isFinite(value) && Math.abs(value) < 1e7);
  return fits && numbers[2] > numbers[0] && numbers[3] > numbers[1] ? numbers : null;
}

function confidenceOf(element) {
  const match = /(?:^|;)\s*x_wconf\s+([\d.]+)/.exec(element.getAttribute("title") ?? "");
  const value = match ? Number(match[1]) : NaN;
  return Number.isFinite(value) ? Math.min(100, Math.max(0, value)) : null;
}

function aroundAll(things) {
  if (!things.length) return [0, 0, 1, 1];
  const edges = [0, 1, 2, 3].map((edge) => things.map((thing) => thing.box[edge]));
  const most = (values) => values.reduce((one, other) => Math.max(one, other));
  return [0, 0, most(edges[2]), most(edges[3])];
}

/**
 * Parse a JSON result: regions ([[x0, y0, x1, y1], ...]), or blocks with corners and text.
 *
 * Returns boxes {box, text, page}; pages count from 1. Returns null where there are none.
 */
export function parseBoxes(source) {
  let entries;
  try {
    entries = JSON.parse(source);
  } catch {
    return null;
  }
  if (!Array.isArray(entries)) return null;
  const boxes = [];
  for (const entry of entries.slice(0, MOST_WORDS)) {
    const corners = Array.isArray(entry) ? entry : cornersOf(entry?.rect ?? entry);
    const box = asBox((corners ?? []).map((value) => (typeof value === "number" ? value : NaN)));
    if (!box) continue;
    const text = typeof entry?.text === "string" ? entry.text.slice(0, 2000) : "";
    boxes.push({ box, text, page: Number.isInteger(entry?.page) && entry.page > 0 ? entry.page : 1 });
  }
  return boxes.length ? boxes : null;
}

function cornersOf(rect) {
  if (rect === null || typeof rect !== "object") return null;
  return [rect.topLeftX, rect.topLeftY, rect.bottomRightX, rect.bottomRightY];
}

/** Return the class of a confidence. */
export function confidenceClass(confidence) {
  if (confidence === null) return "unknown";
  if (confidence >= 90) return "good";
  return confidence >= 75 ? "fair" : "poor";
}
