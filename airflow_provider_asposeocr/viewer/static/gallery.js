// Many documents: a batch, or the task instances of a run.

import { badge, counted, el, outcomeText } from "./dom.js";

const FIRST_BYTES = 600;
const NO_TEXT = "(no text)";

/**
 * Show a page of documents.
 *
 * `load(page, outcome, error)` returns a page; `root` is the address that those of cards begin with.
 */
export class Gallery {
  constructor(root, load) {
    this.root = root;
    this.load = load;
    this.page = 0;
    this.outcome = null;
    this.error = null;
    this.element = el("section", { className: "gallery", "aria-label": "Documents" });
    this.texts = new IntersectionObserver((seen) => this.#readTexts(seen), { rootMargin: "200px" });
  }

  /** Load and show the chosen page. Returns what was loaded. */
  async show() {
    const found = await this.load(this.page, this.outcome, this.error);
    if (this.page >= found.pages && this.page > 0) {
      this.page = found.pages - 1;
      return this.show();
    }
    this.texts.disconnect();
    const cards = el("ol", { className: "cards" }, found.cards.map((card) => this.#card(card)));
    this.element.replaceChildren(this.#filters(found), cards, this.#pager(found));
    for (const words of this.element.querySelectorAll("[data-text]")) this.texts.observe(words);
    return found;
  }

  async #choose(changes) {
    Object.assign(this, { page: 0 }, changes);
    await this.show();
  }

  #filters(found) {
    const all = this.#filter("all", found.documents, this.outcome === null, () => this.#choose({ outcome: null, error: null }));
    const outcomes = Object.entries(found.outcomes).map(([word, count]) =>
      this.#filter(outcomeText(word), count, this.outcome === word, () => this.#choose({ outcome: word, error: null })),
    );
    const errors = Object.keys(found.errors);
    const choose = el("select", { "aria-label": "Class of error" }, el("option", { value: "" }, "any error"));
    for (const name of errors) choose.append(el("option", { value: name, selected: name === this.error }, `${name} (${found.errors[name]})`));
    choose.onchange = () => this.#choose({ error: choose.value || null, outcome: null });
    return el("div", { className: "filters", role: "group", "aria-label": "Filter" }, all, outcomes, errors.length ? choose : null);
  }

  #filter(name, count, isChosen, choose) {
    return el("button", { type: "button", className: "filter", "aria-pressed": String(isChosen), onclick: choose }, `${name} ${count}`);
  }

  #card(card) {
    const picture = card.thumbnail
      ? el("img", { src: this.#address(card.thumbnail), alt: "", loading: "lazy", decoding: "async" })
      : el("span", { className: "no-picture" }, "no picture");
    const words = el("span", { className: "first-words" }, card.words === "" ? NO_TEXT : (card.words ?? ""));
    if (card.text) words.setAttribute("data-text", card.text);
    return el(
      "li",
      { className: "card" },
      el(
        "a",
        { href: this.#address(card.view) },
        el("span", { className: "picture" }, picture),
        el("span", { className: "card-name", title: card.name }, card.name),
        el("span", { className: "card-state" }, badge(card.outcome), card.error ? el("code", {}, card.error) : null),
        card.task && card.task !== card.name ? el("span", { className: "card-task" }, card.task) : null,
        card.say ? el("span", { className: "card-say", title: card.say }, card.say) : words,
      ),
    );
  }

  #address(path) {
    return new URL(path, this.root).href;
  }

  #pager(found) {
    const step = (by) => async () => {
      this.page += by;
      await this.show();
      this.element.scrollIntoView({ block: "start" });
    };
    const first = found.page * 50 + 1;
    return el(
      "nav",
      { className: "pager", "aria-label": "Pages" },
      el("button", { type: "button", disabled: found.page <= 0, onclick: step(-1) }, "Previous"),
      el("span", {}, found.cards.length ? `${first} to ${first + found.cards.length - 1} of ${counted(found.chosen, "document")}` : "no documents"),
      el("button", { type: "button", disabled: found.page + 1 >= found.pages, onclick: step(1) }, "Next"),
    );
  }

  async #readTexts(seen) {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting) continue;
      this.texts.unobserve(target);
      const answer = await fetch(this.#address(target.dataset.text), { headers: { Range: `bytes=0-${FIRST_BYTES - 1}` } }).catch(() => null);
      if (!answer?.ok) continue;
      // The part may end within a character.
      const text = new TextDecoder().decode(await answer.arrayBuffer()).replace(/\uFFFD$/, "");
      target.textContent = text.trim().slice(0, 300) || NO_TEXT;
    }
  }
}
