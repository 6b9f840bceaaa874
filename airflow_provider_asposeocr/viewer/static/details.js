// What is known of a document besides its pages and its text: its files, and what was done and said.

import { copyButton, counted, el, secondsText, sizeText } from "./dom.js";

/** List the files of a document. */
export function showFiles(doc, root) {
  const source = doc.source_file ? [["source", doc.source_file]] : [];
  const kept = doc.steps.filter((step) => step.file).map((step) => [step.operation, step.file]);
  const files = [...doc.results.map((file) => [file.type ?? "result", file]), ...kept, ...source];
  if (!files.length) return null;
  const rows = files.map(([name, file]) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, name),
      el("td", {}, file.address ? el("a", { href: new URL(file.address, root).href, download: nameOf(file.uri) }, "Download") : file.refused),
      el("td", {}, sizeText(file.bytes)),
      el("td", { className: "uri" }, el("code", {}, file.uri), copyButton("Copy", file.uri)),
    ),
  );
  return el("section", { className: "files" }, el("h2", {}, "Files"), el("table", {}, el("tbody", {}, rows)));
}

function nameOf(uri) {
  return uri.split("/").pop() || "result";
}

/** Say how a document was read: steps, submits, what was billed, what the cloud said. */
export function showWork(doc) {
  const lines = [];
  if (doc.steps.length) lines.push(...stepLines(doc.steps));
  else if (doc.task) {
    const when = new Date(doc.task.submitted_at).toLocaleString();
    lines.push(el("p", {}, `${doc.task.operation}, submitted ${when}, cloud task `, el("code", {}, doc.task.id)));
  }
  if (doc.maybe_billed_twice) {
    const text = "A step was submitted again although an earlier submit may have been billed: it may be billed twice.";
    lines.push(el("p", { className: "problem" }, text));
  }
  if (doc.error) {
    const help = doc.error.retryable ? "Trying again may help." : "Trying again does not help.";
    lines.push(el("p", {}, `${BILLED[doc.error.billed] ?? "It is unknown whether the failed step was billed."} ${help}`));
  }
  for (const text of [...doc.messages, ...doc.warnings]) lines.push(el("p", { className: "notice" }, `The cloud says: ${text}`));
  return lines.length ? el("section", { className: "work" }, el("h2", {}, "How it was read"), lines) : null;
}

const BILLED = {
  no: "The step that failed was not billed.",
  maybe: "The step that failed may have been billed.",
  yes: "The step that failed was billed.",
  already: "The failure bills nothing more than what was billed before.",
};

function stepLines(steps) {
  const head = ["Step", "Took", "Submitted", "Cloud task"].map((name) => el("th", { scope: "col" }, name));
  const rows = steps.map((step) =>
    el(
      "tr",
      {},
      el("td", {}, step.operation),
      el("td", {}, secondsText(step.seconds)),
      el("td", {}, counted(step.submits, "time")),
      el("td", {}, el("code", {}, step.id)),
    ),
  );
  const submits = steps.reduce((sum, step) => sum + step.submits, 0);
  return [
    el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows)),
    el("p", {}, `${counted(submits, "submit")} for ${counted(steps.length, "step")}; the cloud bills each submit that it completes.`),
  ];
}
