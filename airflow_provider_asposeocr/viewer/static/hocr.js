// Read words and boxes out of what the cloud has answered. All of it is untrusted: it is parsed into numbers and texts, and
// the parsed document itself is never put into the page.

import { boxOf, MOST_WORDS } from "./blocks.js";

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
      const box = boxIn(word);
      if (!box) continue;
      const inLine = word.closest(".ocr_line, .ocr_caption, .ocr_header, .ocr_textfloat, .ocrx_line");
      const inBlock = word.closest(".ocr_par") ?? word.closest(".ocr_carea");
      if (inLine !== lastLine && words.length) line += 1;
      if (inBlock !== lastBlock && words.length) block += 1;
      [lastLine, lastBlock] = [inLine, inBlock];
      const text = (word.textContent ?? "").trim().slice(0, MOST_CHARACTERS);
      words.push({ text, box, confidence: confidenceOf(word), line, block });
    }
    found.pages.push({ box: boxIn(page) ?? aroundAll(words), words });
    if (found.cut) break;
  }
  return found.pages.length ? found : null;
}

function boxIn(element) {
  const match = /(?:^|;)\s*bbox\s+(-?[\d.]+)\s+(-?[\d.]+)\s+(-?[\d.]+)\s+(-?[\d.]+)/.exec(element.getAttribute("title") ?? "");
  return match ? boxOf(match.slice(1).map(Number)) : null;
}

function confidenceOf(element) {
  const match = /(?:^|;)\s*x_wconf\s+([\d.]+)/.exec(element.getAttribute("title") ?? "");
  const value = match ? Number(match[1]) : NaN;
  return Number.isFinite(value) ? Math.min(100, Math.max(0, value)) : null;
}

/** Return a box from the corner of a page that holds all boxes. */
export function aroundAll(things) {
  if (!things.length) return [0, 0, 1, 1];
  const edges = [0, 1, 2, 3].map((edge) => things.map((thing) => thing.box[edge]));
  const most = (values) => values.reduce((one, other) => Math.max(one, other));
  return [0, 0, most(edges[2]), most(edges[3])];
}

/** Return the class of a confidence. */
export function confidenceClass(confidence) {
  if (confidence === null) return "unknown";
  if (confidence >= 90) return "good";
  return confidence >= 75 ? "fair" : "poor";
}
