"use strict";
// The search for names, meanings and reasons.

/** @returns {Found[]} */
function everything() {
  /** @type {Found[]} */
  const all = [];
  const add = (/** @type {Subject} */ subject, /** @type {string} */ about) =>
    all.push({ kind: subject.kind, text: subject.names[0], about, subject, rows: subjectRows(subject) });
  for (const { name, meaning, owns } of chart.states)
    add({ kind: "state", names: [name] }, [meaning, owns && `Owns ${owns}.`].filter(Boolean).join(" "));
  for (const name of triggers(chart)) add({ kind: "event", names: [name] }, "");
  for (const name of new Set(chart.rows.flatMap((row) => [...row.conditions, ...row.unless]))) {
    add({ kind: "guard", names: [name] }, meaningOf("guard", name));
  }
  const done = [
    ...chart.states.flatMap((state) => [...state.on_enter, ...state.on_exit]),
    ...chart.rows.flatMap((row) => [...row.prepare, ...row.before, ...row.after]),
  ];
  for (const name of new Set(done)) add({ kind: "action", names: [name] }, meaningOf("action", name));
  for (const row of chart.rows) {
    if (row.reason === "") continue;
    const about = `${row.trigger} in ${row.source.join(", ")}`;
    all.push({
      kind: "reason",
      text: row.reason,
      about,
      subject: { kind: "event", names: [row.trigger], row },
      rows: [row],
    });
  }
  return all;
}

/** @type {Found[]} */
let results = [];
let active = 0;

/**
 * A text with the words of a search marked.
 * @param {string} text
 * @param {string[]} words
 */
function marked(text, words) {
  if (words.length === 0) return [text];
  const literal = words.map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  const pattern = new RegExp(`(${literal.join("|")})`, "gi");
  return text.split(pattern).map((part, index) => (index % 2 === 1 ? make("mark", {}, part) : part));
}

function search() {
  const input = /** @type {HTMLInputElement} */ (element("search"));
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (/** @type {Found} */ { text, about }) => {
    const all = `${text} ${about}`.toLowerCase();
    return words.every((word) => all.includes(word));
  };
  const list = element("results");
  results = words.length === 0 ? [] : everything().filter(matches);
  active = 0;
  list.hidden = words.length === 0;
  input.setAttribute("aria-expanded", String(words.length > 0));
  list.replaceChildren(
    ...results.map(({ kind, text, about }, index) =>
      make(
        "li",
        { role: "option", id: `result-${index}`, onpointermove: () => choose(index), onclick: () => jump(index) },
        make("span", { class: "kind" }, kind),
        make("span", { class: kind === "reason" ? "" : "identifier" }, ...marked(text, words)),
        about !== "" && make("span", { class: "about" }, ...marked(about, words)),
      ),
    ),
    ...(words.length > 0 && results.length === 0
      ? [
          make(
            "li",
            { role: "option", "aria-disabled": "true", class: "nothing" },
            "Nothing in this chart is called so.",
          ),
        ]
      : []),
  );
  choose(0);
  renderPicture(words.length === 0 ? null : results.flatMap(({ rows }) => rows));
}

/** @param {number} index */
function choose(index) {
  active = Math.min(Math.max(index, 0), results.length - 1);
  const input = element("search");
  for (const option of element("results").children)
    option.setAttribute("aria-selected", String(option.id === `result-${active}`));
  if (results.length > 0) input.setAttribute("aria-activedescendant", `result-${active}`);
  else input.removeAttribute("aria-activedescendant");
}

/** @param {number} index */
function jump(index) {
  if (results[index] === undefined) return;
  const { subject } = results[index];
  closeSearch();
  explain(subject);
}

function closeSearch() {
  /** @type {HTMLInputElement} */ (element("search")).value = "";
  search();
}

/** @param {KeyboardEvent} event */
function searchKey(event) {
  const input = /** @type {HTMLInputElement} */ (element("search"));
  if (event.key === "ArrowDown") choose(active + 1);
  else if (event.key === "ArrowUp") choose(active - 1);
  else if (event.key === "Enter") jump(active);
  else if (event.key === "Escape") {
    closeSearch();
    input.blur();
  } else return;
  event.preventDefault();
  document.getElementById(`result-${active}`)?.scrollIntoView({ block: "nearest" });
}
