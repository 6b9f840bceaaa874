// Find out what the address asks for, and show it.

import { badge, counted, el, secondsText } from "./dom.js";
import { showDocument } from "./document.js";
import { Gallery } from "./gallery.js";

const REFRESH_MS = 5000;
const SAID = {
  401: "You are not logged in to Airflow, or your session has ended. Log in, then load this page again.",
  403: "You are not allowed to see this: the viewer needs the rights to read the XComs and task instances of this DAG.",
};

const root = new URL(document.documentElement.dataset.root, location.href);
const parts = location.pathname.slice(root.pathname.length).split("/").slice(1).map(decoded);
const main = document.getElementById("main");

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** An answer that says no. `message` is a sentence for people. */
class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

/** Ask for data. `path` is a list of parts below the viewer's own address. */
async function ask(path, query = {}) {
  const address = new URL(path.map(encodeURIComponent).join("/"), root);
  for (const [name, value] of Object.entries(query)) if (value !== null) address.searchParams.set(name, value);
  let answer;
  try {
    answer = await fetch(address, { headers: { Accept: "application/json" } });
  } catch {
    throw new Refused(0, "Airflow does not answer. Load this page again in a moment.");
  }
  if (answer.ok) return answer.json();
  const body = await answer.json().catch(() => null);
  const detail = typeof body?.detail === "string" ? body.detail : "Airflow does not answer as expected.";
  throw new Refused(answer.status, SAID[answer.status] ?? detail);
}

/** Read a file of a document. Its address is below the viewer's own. */
async function readText(address) {
  const answer = await fetch(new URL(address, root));
  if (answer.ok) return answer.text();
  const body = await answer.json().catch(() => null);
  throw new Refused(answer.status, SAID[answer.status] ?? body?.detail ?? "The file cannot be read.");
}

function say(sentence, ...more) {
  main.replaceChildren(el("p", { className: "say" }, sentence), ...more);
}

function title(...names) {
  document.title = `${names.filter(Boolean).join(" · ")} · OCR results`;
}

function crumbs(view) {
  const run = new URL(["view", parts[0], parts[1]].map(encodeURIComponent).join("/"), root);
  const task = new URL(["view", ...parts].map(encodeURIComponent).join("/"), root);
  const items = [el("a", { href: run.href }, `${parts[0]} · ${parts[1]}`)];
  if (view) items.push(el("a", { href: task.href }, view.map_index < 0 ? view.task_id : `${view.task_id} [${view.label ?? view.map_index}]`));
  return el("nav", { className: "crumbs", "aria-label": "Where" }, items);
}

function facts(task) {
  const seconds = task.seconds === null ? null : `took ${secondsText(task.seconds)}`;
  return [`Airflow task: ${task.state ?? "no state"}`, task.try_number > 1 ? `try ${task.try_number}` : null, seconds].filter(Boolean).join(", ");
}

function progressBar(progress) {
  const { documents = 0, done = 0, failed = 0, running = 0, submits = 0 } = progress;
  if (!documents) return null;
  return el(
    "div",
    { className: "progress" },
    el("progress", { max: documents, value: done + failed, "aria-label": "Documents that are through" }),
    el("p", {}, `${done} of ${counted(documents, "document")} done, ${failed} failed, ${running} running in the cloud; ${counted(submits, "submit")}.`),
  );
}

async function showInstance() {
  const view = await ask(["data", "instance", ...parts]);
  const { task } = view;
  title(task.label ?? task.task_id);
  const head = [crumbs(task)];
  const row = new URLSearchParams(location.search).get("row");
  if (view.batch && row !== null && /^\d{1,9}$/.test(row)) return showRow(head, view, Number(row));
  if (view.batch) {
    const gallery = new Gallery(root, (page, outcome, error) => ask(["data", "rows", ...parts], { page, outcome, error }));
    await gallery.show();
    main.replaceChildren(...head, el("h1", {}, `Batch ${task.task_id}`), el("p", { className: "facts" }, facts(task)), gallery.element);
    return null;
  }
  if (view.document) {
    const shown = showDocument(view.document, { root, readText, note: [view.say, facts(task)].filter(Boolean).join(" ") });
    main.replaceChildren(...head, shown);
    return null;
  }
  const state = el("p", { className: "say" }, badge(view.state), " ", view.say);
  main.replaceChildren(...head, el("h1", {}, task.label ?? task.task_id), state, ...[progressBar(view.progress ?? {})].filter(Boolean), el("p", { className: "facts" }, facts(task)));
  return ["waiting", "running"].includes(view.state) ? showInstance : null;
}

async function showRow(head, view, row) {
  const found = await ask(["data", "row", ...parts, String(row)]);
  title(found.name);
  const to = (index, label, rel) =>
    index >= 0 && index < view.batch.documents ? el("a", { href: `?row=${index}`, rel, className: "button" }, label) : el("span", { className: "button off" }, label);
  const steps = el(
    "nav",
    { className: "pager", "aria-label": "Documents" },
    to(row - 1, "Previous document", "prev"),
    el("span", {}, `${row + 1} of ${view.batch.documents}`),
    to(row + 1, "Next document", "next"),
  );
  main.replaceChildren(...head, steps, showDocument(found, { root, readText, note: "" }));
  return null;
}

async function showRun() {
  const load = (page, outcome) => ask(["data", "run", ...parts], { page, outcome });
  const gallery = new Gallery(root, load);
  const found = await gallery.show();
  title(parts[0], parts[1]);
  const head = [el("h1", {}, `OCR results of ${parts[0]}`), el("p", { className: "facts" }, parts[1])];
  const batches = found.batches.map((batch) =>
    el("li", {}, el("a", { href: new URL(batch.view, root).href }, batch.name), " ", badge(batch.outcome), " ", batch.outcome === "succeeded" ? "" : batch.say),
  );
  if (!found.is_ours) return say("No task of this run is one of Aspose.OCR's, or none has been scheduled yet."), null;
  if (found.batches.length) head.push(el("section", {}, el("h2", {}, "Batches"), el("ul", { className: "batches" }, batches)));
  if (found.documents) head.push(gallery.element);
  else if (!found.batches.length) head.push(el("p", { className: "say" }, "No task of this run stores results: it has no fetch or batch task."));
  main.replaceChildren(...head);
  return found.is_running ? () => refreshRun(gallery) : null;
}

async function refreshRun(gallery) {
  const found = await gallery.show();
  return found.is_running ? () => refreshRun(gallery) : showRun;
}

/** Look as the page around this one does: Airflow sets a class, and nothing tells a frame. */
function followTheme() {
  let outer = null;
  try {
    outer = window.parent === window ? null : window.parent.document.documentElement;
  } catch {
    // A page of another origin; the policy forbids it anyway.
  }
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const isDark = outer ? outer.classList.contains("dark") : system.matches;
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
  };
  if (outer) new MutationObserver(apply).observe(outer, { attributeFilter: ["class"] });
  system.addEventListener("change", apply);
  apply();
}

/** Show, and show again as long as something may change and somebody looks. */
async function run(show) {
  let next;
  try {
    next = await show();
  } catch (error) {
    if (!(error instanceof Refused)) console.error(error);
    say(error instanceof Refused ? error.message : "The page could not be shown. Load it again.");
    return;
  }
  if (next) setTimeout(() => whenVisible(() => run(next)), REFRESH_MS);
}

function whenVisible(action) {
  if (!document.hidden) return action();
  document.addEventListener("visibilitychange", () => whenVisible(action), { once: true });
  return null;
}

followTheme();
run(parts.length > 2 ? showInstance : showRun);
