// Boxes over a page, and the words beside it: pointing at the one shows the other.

import { el, svg } from "./dom.js";
import { confidenceClass } from "./hocr.js";

/**
 * Draw boxes over a page.
 *
 * `box` is that of the page in the coordinates of the boxes. It is stretched over the picture, so that the boxes fit a picture of
 * any proportional size, for example a preview.
 */
export function drawOverlay(box, words, regions) {
  const [x0, y0, x1, y1] = box;
  const overlay = svg("svg", {
    class: "overlay",
    viewBox: `${x0} ${y0} ${x1 - x0} ${y1 - y0}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  for (const region of regions) overlay.append(rectangle(region.box, "region"));
  words.forEach((word, index) => {
    const drawn = rectangle(word.box, `word ${confidenceClass(word.confidence)}`);
    drawn.setAttribute("data-word", index);
    overlay.append(drawn);
  });
  return overlay;
}

function rectangle([x0, y0, x1, y1], classes) {
  return svg("rect", { class: classes, x: x0, y: y0, width: x1 - x0, height: y1 - y0 });
}

/** Write the words of a page, line by line. */
export function writeWords(words) {
  const text = el("div", { className: "words" });
  let line = null;
  let block = null;
  words.forEach((word, index) => {
    if (block === null || word.block !== block.number) {
      block = { number: word.block, element: el("p") };
      text.append(block.element);
      line = null;
    }
    if (line !== null && word.line !== line) block.element.append("\n");
    else if (line !== null) block.element.append(" ");
    line = word.line;
    const written = el("span", { className: `word ${confidenceClass(word.confidence)}` }, word.text);
    written.setAttribute("data-word", index);
    if (word.confidence !== null) written.title = `confidence ${Math.round(word.confidence)} %`;
    block.element.append(written);
  });
  return text;
}

/** Return the text of pages as `writeWords` writes it. */
export function textOfPages(pages) {
  return pages.map(({ words }) => words.reduce((text, word, index) => text + separator(words[index - 1], word) + word.text, "")).join("\n\n");
}

function separator(before, word) {
  if (!before) return "";
  if (before.block !== word.block) return "\n\n";
  return before.line === word.line ? " " : "\n";
}

/** Let pointing at a box mark its word, and pointing at a word mark its box. Returns a function that marks one. */
export function linkHover(overlay, text) {
  const boxes = new Map([...overlay.querySelectorAll("[data-word]")].map((box) => [box.dataset.word, box]));
  const written = new Map([...text.querySelectorAll("[data-word]")].map((word) => [word.dataset.word, word]));
  let marked = null;
  const mark = (index) => {
    if (index === marked) return;
    for (const each of [boxes.get(marked), written.get(marked)]) each?.classList.remove("marked");
    for (const each of [boxes.get(index), written.get(index)]) each?.classList.add("marked");
    marked = index;
  };
  for (const side of [overlay, text]) {
    side.addEventListener("pointerover", (event) => mark(event.target.dataset?.word ?? null));
    side.addEventListener("pointerleave", () => mark(null));
  }
  overlay.addEventListener("click", (event) => scrollTo(written.get(event.target.dataset?.word)));
  text.addEventListener("click", (event) => scrollTo(boxes.get(event.target.dataset?.word)));
  return (indexes) => {
    for (const each of [...boxes.values(), ...written.values()]) each.classList.remove("hit");
    for (const index of indexes) {
      boxes.get(String(index))?.classList.add("hit");
      written.get(String(index))?.classList.add("hit");
    }
  };
}

function scrollTo(element) {
  element?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** Find where a text occurs among words. Returns the indexes of the words of each place. */
export function findInWords(words, wanted) {
  const query = wanted.trim().replace(/\s+/g, " ").toLowerCase();
  if (!query) return [];
  let joined = "";
  const starts = words.map((word) => {
    const start = joined.length;
    joined += `${word.text.toLowerCase()} `;
    return start;
  });
  const found = [];
  for (let at = joined.indexOf(query); at >= 0 && found.length < 1000; at = joined.indexOf(query, at + query.length)) {
    const end = at + query.length;
    found.push(words.map((_, index) => index).filter((index) => starts[index] < end && starts[index] + words[index].text.length > at));
  }
  return found;
}
