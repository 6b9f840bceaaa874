// Read boxes out of a JSON result. The vendor does not document its keys: as the reader of airflow_provider_asposeocr.api does,
// this one takes the names that the cloud uses elsewhere, in any spelling of case. All of it is untrusted.

/** Most words of a document, and most boxes of a JSON result. */
export const MOST_WORDS = 20_000;
// A page has an entry in the strip of pages.
const MOST_PAGES = 10_000;
const EDGES = ["topleftx", "toplefty", "bottomrightx", "bottomrighty"];
const CORNERS = ["topleft", "bottomright"];
const TEXTS = ["text", "value", "content"];
const HOLDERS = ["rect", "rectangle", "bbox", "box"];

/**
 * Parse a JSON result: regions ([[x0, y0, x1, y1], ...]), or blocks with corners and text.
 *
 * Returns {boxes: [{box, text, page}], cut}; pages count from 1, and `cut` says whether there are more boxes than are shown.
 * Returns null where there are none.
 */
export function parseBoxes(source) {
  let entries;
  try {
    entries = JSON.parse(source);
  } catch {
    return null;
  }
  if (isObject(entries)) {
    const arrays = Object.values(entries).filter(Array.isArray);
    if (arrays.length === 1) [entries] = arrays;
  }
  if (!Array.isArray(entries)) return null;
  const boxes = [];
  let number = 1;
  for (const entry of entries.slice(0, MOST_WORDS)) {
    const keys = isObject(entry) ? lower(entry) : {};
    if (Number.isInteger(keys.page) && keys.page > 0 && keys.page <= MOST_PAGES) number = keys.page;
    const box = Array.isArray(entry) ? boxOf(entry) : placeOf(keys);
    if (box) boxes.push({ box, text: TEXTS.map((name) => keys[name]).find((text) => typeof text === "string") ?? "", page: number });
  }
  return boxes.length ? { boxes, cut: entries.length > MOST_WORDS } : null;
}

/** Make pages of the boxes with text, as `parseHocr` does of words. `box` is null: a JSON result does not say how large a page is. */
export function pagesOfBlocks(boxes) {
  const count = boxes.reduce((most, { page }) => Math.max(most, page), 1);
  const pages = Array.from({ length: count }, () => ({ box: null, words: [] }));
  boxes.forEach(({ box, text, page }, index) => pages[page - 1].words.push({ text: text.trim(), box, confidence: null, line: index, block: index }));
  return { pages, cut: false };
}

/** Return numbers as a box, or null if they are none. */
export function boxOf(numbers) {
  const fits = numbers.length === 4 && numbers.every((value) => typeof value === "number" && Number.isFinite(value) && Math.abs(value) < 1e7);
  return fits && numbers[2] > numbers[0] && numbers[3] > numbers[1] ? numbers : null;
}

function placeOf(keys) {
  for (const held of [keys, ...HOLDERS.map((name) => keys[name])]) {
    if (Array.isArray(held)) return boxOf(held);
    if (!isObject(held)) continue;
    const names = lower(held);
    if (EDGES.every((name) => name in names)) return boxOf(EDGES.map((name) => names[name]));
    const corners = CORNERS.map((name) => names[name]);
    if (corners.every(isObject)) return boxOf(corners.map(lower).flatMap(({ x, y }) => [x, y]));
  }
  return null;
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function lower(object) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name.toLowerCase().replaceAll("_", ""), value]));
}
