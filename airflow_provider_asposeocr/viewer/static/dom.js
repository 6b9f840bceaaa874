// Make parts of the page. Whatever is shown enters it as text: no function here makes markup of data.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element. `props` are properties (className, onclick), or attributes if their name has a dash or is `role`. */
export function el(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined) continue;
    if (name.includes("-") || name === "role" || name === "for") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** Make an element of SVG with attributes. */
export function svg(tag, attributes = {}) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** Write a size for people. */
export function sizeText(bytes) {
  if (bytes === null || bytes === undefined) return "";
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** Write a duration for people. */
export function secondsText(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return `${Math.round(seconds / 60)} min`;
}

/** Write a count with its noun. */
export function counted(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

const WORDS = {
  succeeded: "succeeded",
  failed: "failed",
  low_quality: "low quality",
  skipped: "left as it was",
  duplicate: "duplicate",
  busy: "busy elsewhere",
  gone: "gone",
  changed: "changed",
  not_started: "not started",
  cancelled: "cancelled",
  waiting: "not yet",
  running: "running",
  expired: "expired",
  outside: "kept outside",
  not_ours: "nothing here",
  nothing: "no manifest",
};

/** Return the words for an outcome or a state. */
export function outcomeText(word) {
  return WORDS[word] ?? String(word);
}

/** Make the badge of an outcome. It says in words what its colour means. */
export function badge(word) {
  return el("span", { className: `badge badge-${String(word).replace(/[^a-z_]/g, "")}` }, outcomeText(word));
}

/** Copy a text. Frames without the right to the clipboard copy a selection instead. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { value: text, readOnly: true, className: "offscreen" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/** Make a button that copies a text and says that it has. */
export function copyButton(label, text) {
  const button = el("button", { type: "button", className: "quiet" }, label);
  button.onclick = async () => {
    await copyText(typeof text === "function" ? text() : text);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = label), 1500);
  };
  return button;
}
