"use strict";
// The chart that the page holds, and what the page is made of.

/**
 * @typedef {"state" | "event" | "guard" | "action" | "arrow"} Kind
 *
 * @typedef {object} Subject What is explained
 * @property {Kind} kind
 * @property {string[]} names Its name; of an arrow, the source and the destination of each step that it stands for
 * @property {Row} [row] The one that was searched for
 *
 * @typedef {object} Found A search result
 * @property {string} kind
 * @property {string} text
 * @property {string} about
 * @property {Subject} subject
 * @property {Row[]} rows
 *
 * @typedef {object} Way A step on the picture, or a state on it if there is no source
 * @property {string} source
 * @property {string} dest
 * @property {Row | null} [row]
 *
 * @typedef {object} PlayedStep A step that happened
 * @property {number} at Seconds since the first one
 * @property {string} trigger
 * @property {string} source
 * @property {string} dest
 * @property {number | null} row Its number, if it is known
 * @property {string[]} lines What else there is to say
 *
 * @typedef {object} Played A walk that happened
 * @property {string} title
 * @property {string[]} lines
 * @property {PlayedStep[]} steps
 */

/** @type {Chart & {imported_from: string, views: string[], arrows: Record<string, [string, string]>, taken: [number, string][] | null, played: Played | null}} */
const chart = JSON.parse(element("chart").textContent ?? "");
const states = new Map(chart.states.map((state) => [state.name, state]));

/** The rows, by number, with the states in which tests took them; null if nothing is known of tests. */
const taken = chart.taken && new Set(chart.taken.map((pair) => JSON.stringify(pair)));

/**
 * Whether no test took a row in a state, or in any state if none is given.
 * @param {Row} row
 * @param {string} [source]
 */
function isUntested(row, source) {
  const number = chart.rows.indexOf(row);
  const sources = source === undefined ? row.source : [source];
  return taken !== null && !sources.some((state) => taken.has(JSON.stringify([number, state])));
}

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element ${id}`);
  return found;
}

/**
 * An element; text is only ever text.
 * @param {string} tag
 * @param {Record<string, any>} properties Attributes, and listeners as `onclick` and the like
 * @param {(Node | string | null | false | (Node | string)[])[]} children
 * @returns {HTMLElement}
 */
function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.flat().filter((child) => child !== null && child !== false));
  return made;
}

/**
 * Items with words between them.
 * @param {Node[]} items
 * @param {string} between
 * @returns {(Node | string)[]}
 */
function joined(items, between = ", ") {
  return items.flatMap((item, index) => (index === 0 ? [item] : [between, item]));
}

/**
 * @param {number} count
 * @param {string} noun
 */
function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** @param {string} name */
function swatch(name) {
  return make("span", { class: `swatch ${states.get(name)?.role ?? ""}`, "aria-hidden": "true" });
}

/** @param {string} name */
function stateName(name) {
  return make("span", { class: "identifier" }, name);
}

/**
 * What the chart says about a name; nothing if it does not.
 * @param {Kind} kind
 * @param {string} name
 */
function meaningOf(kind, name) {
  if (kind === "state") return states.get(name)?.meaning ?? "";
  const glossary = (kind === "guard" ? chart.guards : kind === "action" ? chart.actions : null) ?? {};
  return Object.hasOwn(glossary, name) ? glossary[name] : "";
}

/**
 * A name of the chart: pointed at, it tells its meaning; chosen, it is explained.
 * @param {Kind} kind
 * @param {string} name
 */
function term(kind, name) {
  const meaning = meaningOf(kind, name);
  return make(
    "button",
    {
      type: "button",
      class: `term ${kind}`,
      "data-meaning": meaning || null,
      "aria-description": meaning || null,
      onclick: () => explain({ kind, names: [name] }),
    },
    ...(kind === "state" ? [swatch(name), name] : [name]),
  );
}
