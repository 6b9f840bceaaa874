// One document: its pages with boxes, its text, its files, and what was said and done.

import { pagesOfBlocks, parseBoxes } from "./blocks.js";
import { showFiles, showWork } from "./details.js";
import { badge, copyButton, el } from "./dom.js";
import { aroundAll, parseHocr } from "./hocr.js";
import { drawOverlay, findInWords, linkHover, textOfPages, writeWords } from "./overlay.js";

/** Show a document. Returns its element; pictures and texts follow as they arrive. */
export function showDocument(doc, { root, readText, note }) {
  return new DocumentView(doc, root, readText, note).element;
}

class DocumentView {
  constructor(doc, root, readText, note) {
    this.doc = doc;
    this.root = root;
    this.readText = readText;
    this.page = 0;
    this.hocr = null;
    this.blocks = null;
    this.regions = [];
    this.plain = null;
    this.query = "";
    this.hit = 0;
    this.layers = layersOf(doc);
    this.after = this.layers.at(-1) ?? null;
    this.before = this.layers.length > 1 ? this.layers[0] : null;
    // What the last step was sent: the boxes of its results are in the pixels of that picture.
    const made = doc.read_from;
    this.read = this.layers.find((layer) => (made ? made.step !== null && layer.step === made.step : layer.step === null)) ?? null;
    this.stage = el("div", { className: "stage", tabIndex: 0, role: "img", "aria-label": `Page of ${doc.name}` });
    this.strip = el("ol", { className: "strip", "aria-label": "Pages" });
    this.text = el("div", { className: "text", tabIndex: 0, role: "region", "aria-label": "Text" });
    this.count = el("span", { className: "count", role: "status" });
    this.tools = el("div", { className: "tools" });
    this.element = el("article", { className: "document" }, this.#head(note), this.#body(), showFiles(doc, root), showWork(doc));
    // Wherever the focus is: after the page has loaded, it is nowhere.
    document.addEventListener("keydown", (event) => this.#key(event));
    this.#show();
    this.#load();
  }

  #head(note) {
    const { doc } = this;
    return el(
      "header",
      {},
      el("h1", {}, doc.name, " ", badge(doc.outcome)),
      doc.source ? el("p", { className: "uri" }, el("code", {}, doc.source), copyButton("Copy", doc.source)) : null,
      note ? el("p", { className: "facts" }, note) : null,
      doc.error ? el("p", { className: "problem" }, el("code", {}, doc.error.class), ` ${doc.error.message}`) : null,
      doc.shortfall ? el("p", { className: "problem" }, `Results are missing: ${doc.shortfall}`) : null,
    );
  }

  #body() {
    const search = el("input", { type: "search", placeholder: "Search ( / )", "aria-label": "Search in the text" });
    search.oninput = () => this.#search(search.value, 0);
    search.onkeydown = (event) => {
      if (event.key === "Enter") this.#search(search.value, this.hit + (event.shiftKey ? -1 : 1));
    };
    this.search = search;
    const bar = el("div", { className: "tools" }, search, this.count, copyButton("Copy text", () => this.#allText()));
    return el(
      "div",
      { className: "columns" },
      el("section", { className: "pages" }, this.tools, this.strip, this.stage),
      el("section", { className: "reading" }, bar, this.text),
    );
  }

  #show() {
    this.#showTools();
    this.#showStrip();
    this.#showStage();
    this.#showText();
  }

  #pageCount() {
    return Math.max(1, this.hocr?.pages.length ?? 0, ...this.layers.map((layer) => layer.pages.length), ...this.regions.map((region) => region.page));
  }

  #showTools() {
    const boxes = el("input", { type: "checkbox", checked: !this.stage.classList.contains("no-boxes") });
    boxes.onchange = () => this.stage.classList.toggle("no-boxes", !boxes.checked);
    const zoom = el("input", { type: "checkbox", checked: this.stage.classList.contains("full-size") });
    zoom.onchange = () => this.stage.classList.toggle("full-size", zoom.checked);
    const parts = [el("label", {}, boxes, " Boxes (b)"), el("label", {}, zoom, " Full size (z)")];
    if (this.layers.length > 1) {
      parts.push(this.#chooser("Picture", this.after, (layer) => (this.after = layer), false));
      parts.push(this.#chooser("Before", this.before, (layer) => (this.before = layer), true));
    }
    if (this.hocr?.cut) parts.push(el("span", { className: "facts" }, "Not all words are shown: there are too many."));
    this.tools.replaceChildren(...parts);
  }

  #chooser(name, chosen, choose, mayBeNone) {
    const select = el("select", { "aria-label": name });
    if (mayBeNone) select.append(el("option", { value: "" }, "compare with …"));
    this.layers.forEach((layer, index) => select.append(el("option", { value: String(index), selected: layer === chosen }, layer.name)));
    select.onchange = () => {
      choose(this.layers[select.value] ?? null);
      this.#showStage();
    };
    return select;
  }

  #showStrip() {
    const count = this.#pageCount();
    this.strip.hidden = count < 2;
    if (count < 2) return;
    const layer = this.layers[0];
    this.strip.replaceChildren(
      ...Array.from({ length: count }, (_, index) => {
        const small = layer?.pages[index]?.thumbnail;
        const button = el("button", { type: "button", "aria-label": `Page ${index + 1}`, onclick: () => this.#turn(index) });
        if (small) button.append(el("img", { src: new URL(small, this.root).href, alt: "", loading: "lazy" }));
        button.append(el("span", {}, String(index + 1)));
        if (index === this.page) button.setAttribute("aria-current", "page");
        return el("li", {}, button);
      }),
    );
  }

  #turn(index) {
    if (index < 0 || index >= this.#pageCount() || index === this.page) return;
    this.page = index;
    this.#show();
    this.strip.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.#mark();
  }

  #showStage() {
    const page = this.hocr?.pages[this.page];
    const regions = this.regions.filter((region) => region.page === this.page + 1);
    const picture = this.after?.pages[this.page];
    const sheet = el("div", { className: "sheet" });
    this.hover = null;
    if (picture) sheet.append(this.#picture(picture, "after"));
    else if (page) sheet.append(blankPage(page.box ?? aroundAll(page.words)));
    else {
      this.stage.replaceChildren(el("p", { className: "say" }, this.#whyNoPicture()));
      return;
    }
    const earlier = picture ? this.before?.pages[this.page] : null;
    if (earlier) this.#compare(sheet, earlier);
    this.stage.replaceChildren(...this.#whatBoxesFit(page, regions), sheet);
    const draw = (box) => {
      this.overlay?.remove();
      this.overlay = drawOverlay(box, page?.words ?? [], regions);
      sheet.append(this.overlay);
      this.#link();
    };
    this.overlay = null;
    if (page?.box) draw(page.box);
    else if (!picture) draw(aroundAll(page.words));
    // Regions and blocks do not say how large their page is.
    else if (page?.words.length || regions.length) this.#sizeOfRead(sheet.querySelector("img.after"), (width, height) => draw([0, 0, width, height]));
  }

  /** Say it if the picture that was read is not here: what is shown may be skewed otherwise, or of another size. */
  #whatBoxesFit(page, regions) {
    if (this.read || !this.doc.read_from || !(page?.words.length || regions.length) || !this.after) return [];
    const maker = this.doc.read_from.operation ?? "an earlier task of the chain";
    const boxes = page?.box ? "Boxes may lie beside their words." : "So no boxes are drawn.";
    return [el("p", { className: "facts" }, `You see the picture "${this.after.name}", but the text was read from what ${maker} has made, of which there is no picture. ${boxes}`)];
  }

  /** Call `use` with the size of the picture that was read, as soon as it is known; never if that picture is not here. */
  #sizeOfRead(image, use) {
    const read = this.read?.pages[this.page];
    if (!read) return;
    if (read.width) return use(read.width, read.height);
    if (this.after !== this.read) return;
    // Kept for the other pictures, which may have another size.
    const measure = () => use((read.width = image.naturalWidth), (read.height = image.naturalHeight));
    if (image.complete && image.naturalWidth) measure();
    else image.addEventListener("load", measure, { once: true });
  }

  #picture(picture, className) {
    const image = el("img", { className, alt: "", decoding: "async" });
    if (picture.width) Object.assign(image, { width: picture.width, height: picture.height });
    image.onerror = async () => {
      let why = "The browser cannot show this picture.";
      await this.readText(picture.image).catch((error) => (why = error.message));
      if (image.isConnected) this.stage.replaceChildren(el("p", { className: "say" }, why));
    };
    image.src = new URL(picture.image, this.root).href;
    return image;
  }

  #compare(sheet, earlier) {
    // The picture before is loaded when somebody moves the slider: it would double what the first view takes.
    let image = null;
    const slider = el("input", { type: "range", min: "0", max: "100", value: "0", className: "slider", "aria-label": "Before and after" });
    slider.oninput = () => {
      if (!image) slider.before((image = this.#picture(earlier, "before")));
      image.style.clipPath = `inset(0 ${100 - slider.value}% 0 0)`;
    };
    sheet.append(slider);
  }

  #whyNoPicture() {
    const source = this.doc.source_file;
    if (this.doc.pages.length) return "There is no picture of this page.";
    if (source?.refused) return source.refused;
    if (source && source.kind !== "image") return "Browsers do not show this type of document. Previews of its pages can be turned on for the next run (previews=True).";
    return "There is no picture of this document: its manifest does not name the source with a checksum.";
  }

  #showText() {
    const page = this.hocr?.pages[this.page];
    if (page) this.text.replaceChildren(page.words.length ? writeWords(page.words) : el("p", { className: "say" }, "There is no text on this page."));
    else if (this.plain !== null) this.text.replaceChildren(el("pre", {}, this.plain || "(no text)"));
    else this.text.replaceChildren(el("p", { className: "say" }, this.textProblem ?? "There is no text to show."));
    this.#link();
  }

  #link() {
    const written = this.text.firstElementChild;
    this.hover = this.overlay && this.hocr && written ? linkHover(this.overlay, written) : null;
    this.#mark();
  }

  async #load() {
    const read = async (file, use) => {
      try {
        use(await this.readText(file.address));
      } catch (error) {
        this.textProblem = error.message;
      }
    };
    const usable = this.doc.results.filter((file) => file.address);
    const first = (kind) => usable.find((file) => file.kind === kind && (kind !== "text" || !/csv/i.test(file.type ?? "")));
    const jobs = [];
    if (first("hocr")) jobs.push(read(first("hocr"), (text) => (this.hocr = parseHocr(text))));
    if (first("text") && !first("hocr")) jobs.push(read(first("text"), (text) => (this.plain = text)));
    if (first("json")) jobs.push(read(first("json"), (text) => this.#takeBoxes(text)));
    const refused = this.doc.results.find((file) => file.refused && file.kind !== "other");
    if (refused) this.textProblem = refused.refused;
    await Promise.all(jobs);
    if (this.hocr === null && first("hocr") && first("text")) await read(first("text"), (text) => (this.plain = text));
    // Words of hOCR are smaller than blocks.
    this.hocr ??= this.blocks;
    this.#show();
  }

  #takeBoxes(text) {
    const found = parseBoxes(text);
    if (!found) return void (this.plain ??= text);
    const written = found.boxes.filter((each) => each.text.trim());
    if (written.length) this.blocks = { ...pagesOfBlocks(written), cut: found.cut };
    this.regions = found.boxes.filter((each) => !each.text.trim());
  }

  #allText() {
    return this.hocr ? textOfPages(this.hocr.pages) : (this.plain ?? "");
  }

  #search(query, hit) {
    this.query = query;
    this.found = this.#places(query);
    this.hit = this.found.length ? (hit + this.found.length) % this.found.length : 0;
    this.count.textContent = query.trim() ? (this.found.length ? `${this.hit + 1} of ${this.found.length}` : "not found") : "";
    const place = this.found[this.hit];
    if (place?.page !== undefined && place.page !== this.page) this.#turn(place.page);
    this.#mark();
    if (place?.words) this.text.querySelector(`[data-word="${place.words[0]}"]`)?.scrollIntoView({ block: "nearest" });
    else if (place) this.#select(place);
  }

  #places(query) {
    if (this.hocr) return this.hocr.pages.flatMap((page, number) => findInWords(page.words, query).map((words) => ({ page: number, words })));
    const text = (this.plain ?? "").toLowerCase();
    const wanted = query.trim().toLowerCase();
    const found = [];
    for (let at = wanted ? text.indexOf(wanted) : -1; at >= 0 && found.length < 1000; at = text.indexOf(wanted, at + wanted.length)) found.push({ at, end: at + wanted.length });
    return found;
  }

  #select({ at, end }) {
    const node = this.text.querySelector("pre")?.firstChild;
    if (!node) return;
    const range = document.createRange();
    range.setStart(node, Math.min(at, node.length));
    range.setEnd(node, Math.min(end, node.length));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    range.startContainer.parentElement.scrollIntoView({ block: "nearest" });
  }

  #mark() {
    const words = this.query ? (this.found ?? []).filter((place) => place.page === this.page).flatMap((place) => place.words ?? []) : [];
    this.hover?.(words);
  }

  #key(event) {
    if (!this.element.isConnected || (event.target === this.search && event.key !== "Escape")) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.("select, input[type=range]")) return;
    const keys = {
      ArrowLeft: () => this.#turn(this.page - 1),
      ArrowRight: () => this.#turn(this.page + 1),
      "/": () => this.search.focus(),
      b: () => this.tools.querySelector("input")?.click(),
      z: () => this.tools.querySelectorAll("input")[1]?.click(),
      Escape: () => {
        this.search.value = "";
        this.#search("", 0);
        this.stage.focus();
      },
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }
}

function layersOf(doc) {
  const layers = [];
  const pages = doc.pages.filter((page) => page.image?.address);
  if (pages.length) {
    layers.push({ name: "Source", step: null, pages: pages.map(pictureOf) });
  } else if (doc.source_file?.kind === "image" && doc.source_file.address) {
    layers.push({ name: "Source", step: null, pages: [{ image: doc.source_file.address }] });
  }
  doc.steps.forEach(({ operation, file, pages }, step) => {
    const previews = pages.filter((page) => page.image?.address);
    if (previews.length) layers.push({ name: operation, step, pages: previews.map(pictureOf) });
    else if (file?.kind === "image" && file.address) layers.push({ name: operation, step, pages: [{ image: file.address }] });
  });
  const pictures = doc.results.filter((file) => file.kind === "image" && file.address);
  pictures.forEach((file, index) => {
    const step = doc.steps.at(-1)?.operation ?? doc.task?.operation ?? "Result";
    layers.push({ name: pictures.length > 1 ? `${step} ${index + 1}` : step, pages: [{ image: file.address }] });
  });
  return layers;
}

function pictureOf({ image, thumbnail, width, height }) {
  return { image: image.address, thumbnail: thumbnail?.address, width, height };
}

function blankPage([x0, y0, x1, y1]) {
  const page = el("div", { className: "blank" });
  page.style.aspectRatio = `${x1 - x0} / ${y1 - y0}`;
  return page;
}
