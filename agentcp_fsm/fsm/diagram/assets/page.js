"use strict";
// What the page shows; it is kept in the address, so that it can be linked to.

/** @typedef {"read" | "walk" | "play"} Tab */

/** @type {Tab} The tab that is shown first. */
const HOME = chart.played === null ? "read" : "play";
/** What the page shows. */
const shown = {
  /** @type {Tab} */ tab: HOME,
  /** @type {Subject | null} */ subject: null,
  /** @type {Sent[]} */ walk: [],
  /** How many steps of what happened are shown. */ step: 0,
  view: chart.views[0],
};
/** @type {Sent | null} The event whose guards are being asked. */
let pending = null;

/** What the page shows, as the fragment of its address. */
function fragment() {
  const parts = [];
  const { subject, walk: events } = shown;
  const encoded = encodeURIComponent;
  if (events.length > 0) {
    const words = events.map(({ trigger, answers }) =>
      [encoded(trigger), answers.map((answer) => (answer ? "y" : "n")).join("")].filter(Boolean).join(":"),
    );
    parts.push(`walk=${words.join(",")}`);
  } else if (shown.tab === "walk") parts.push("walk");
  if (shown.tab === "read" && subject !== null) parts.push(`${subject.kind}=${subject.names.map(encoded).join(",")}`);
  else if (shown.tab === "read" && (events.length > 0 || HOME !== "read")) parts.push("states");
  if (shown.tab === "play") parts.push(`step=${shown.step}`);
  if (shown.view !== chart.views[0]) parts.push(`view=${encoded(shown.view)}`);
  return parts.join("&");
}

/** Puts what is shown into the address; the browser's way back undoes it, unless it takes the place of what was. */
function remember(replacing = false) {
  const next = `#${fragment()}`;
  if (next === (location.hash || "#")) return;
  if (replacing) history.replaceState(null, "", next);
  else history.pushState(null, "", next);
}

/** What can be explained. */
const KINDS = ["state", "event", "guard", "action", "arrow"];

/** Shows what the address says; what it says wrongly is told. */
function recall() {
  Object.assign(shown, { tab: HOME, subject: null, walk: [], step: 0, view: chart.views[0] });
  pending = null;
  pause();
  const parts = location.hash.slice(1).split("&").filter(Boolean);
  const wrong = parts.map(recallPart).filter((problem) => problem !== null);
  const said = new Set(parts.map((part) => part.split("=")[0]));
  if (["states", ...KINDS].some((key) => said.has(key))) shown.tab = "read";
  else if (said.has("step")) shown.tab = HOME;
  else if (said.has("walk")) shown.tab = "walk";
  render();
  if (wrong.length > 0) say(`Not all of the link is shown: ${wrong.join("; ")}.`);
}

/**
 * @param {string} part Of the address
 * @returns {string | null} What is wrong with it
 */
function recallPart(part) {
  const [key, value = ""] = part.split(/=(.*)/s);
  const names = decoded(value.split(","));
  if (names === null || !["walk", "states", "view", "step", ...KINDS].includes(key))
    return `“${part}” is nothing that this page knows`;
  if (key === "step") return recallStep(value);
  if (key === "walk") return recallWalk(value.split(",").filter(Boolean));
  if (key === "states") return null;
  if (key === "view") {
    if (!chart.views.includes(names[0])) return `there is no view ${names[0]}; there are ${chart.views.join(", ")}`;
    shown.view = names[0];
    return null;
  }
  const subject = { kind: /** @type {Kind} */ (key), names };
  if (!exists(subject)) return `this chart has no ${key} ${names.join(", ")}`;
  shown.subject = subject;
  return null;
}

/**
 * @param {string} word How many steps of what happened are shown
 * @returns {string | null} What is wrong with it
 */
function recallStep(word) {
  if (chart.played === null) return "this page has nothing to play";
  const { length } = chart.played.steps;
  if (!/^\d+$/.test(word) || Number(word) > length) return `there is no step ${word}; there are 0 to ${length}`;
  shown.step = Number(word);
  return null;
}

/**
 * @param {string[]} words Each an event, with the answers that it asked for
 * @returns {string | null} What is wrong with them
 */
function recallWalk(words) {
  const events = words.map((word) => {
    const [trigger, answers = ""] = word.split(":");
    return { trigger: decodeURIComponent(trigger), answers: [...answers].map((letter) => letter === "y") };
  });
  const taken = walk(chart, events);
  shown.walk = taken.map(({ trigger, answers }) => ({ trigger, answers }));
  if (taken.length < events.length) {
    const { trigger } = events[taken.length];
    return `the link's walk ends after ${counted(taken.length, "event")}: in ${present()} this chart does not decide ${trigger} as it does`;
  }
  const longer = taken.findIndex(({ answers }, index) => answers.length < events[index].answers.length);
  if (longer < 0) return null;
  return `this chart asks less of ${events[longer].trigger} (event ${longer + 1}) than the link's walk answers`;
}

/**
 * @param {string[]} words
 * @returns {string[] | null}
 */
function decoded(words) {
  try {
    return words.map(decodeURIComponent);
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}

// Showing --------------------------------------------------------------------------------------------------------------

/** @param {Subject | null} subject */
function explain(subject) {
  pause();
  shown.tab = "read";
  shown.subject = subject;
  remember();
  render();
  element("panel").scrollTop = 0;
  const target = element("read").querySelector(subject?.row === undefined ? "h2, .states button" : ".found");
  if (subject?.row !== undefined) target?.setAttribute("tabindex", "-1");
  /** @type {HTMLElement | null} */ (target)?.focus({ preventScroll: subject?.row === undefined });
  if (subject?.row !== undefined) target?.scrollIntoView({ block: "center" });
}

/** @param {Tab} tab */
function turnTo(tab) {
  if (tab !== "play") pause();
  shown.tab = tab;
  remember();
  render();
}

/** @param {string} view */
function turnView(view) {
  shown.view = view;
  remember();
  render();
}

/** @type {Tab[]} */
const TABS = ["read", "walk", "play"];

function render() {
  element("notice").hidden = true;
  for (const tab of TABS) {
    const selected = tab === shown.tab;
    element(tab).hidden = !selected;
    element(`tab-${tab}`).setAttribute("aria-selected", String(selected));
    element(`tab-${tab}`).setAttribute("tabindex", selected ? "0" : "-1");
  }
  element("tab-walk").textContent = shown.walk.length > 0 ? `Walk (${shown.walk.length})` : "Walk";
  for (const button of element("views").children) {
    button.setAttribute("aria-pressed", String(button.textContent?.toLowerCase() === shown.view));
  }
  element("tip").hidden = true;
  renderRead();
  renderWalk();
  renderPlay();
  renderPicture();
}

/**
 * Puts the focus where the reader goes on: on what is named, if it is in sight, else on the next thing to choose.
 * @param {string} id
 * @param {string} selector
 */
function focusIn(id, selector) {
  const targets = [selector, ".answers button", ".events button", "h2"].map((each) => element(id).querySelector(each));
  const target = targets.find((each) => each?.checkVisibility());
  /** @type {HTMLElement | undefined} */ (target)?.focus({ preventScroll: true });
}

/** Tells a reader who does not see it. @param {string} text */
function announce(text) {
  element("announcement").textContent = text;
}

/** Tells every reader. @param {string} text */
function say(text) {
  element("notice").textContent = text;
  element("notice").hidden = false;
}

/** @param {"light" | "dark"} theme */
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const other = theme === "dark" ? "light" : "dark";
  element("theme").textContent = theme === "dark" ? "☀" : "☾";
  element("theme").setAttribute("aria-label", `Use ${other} colours`);
  element("theme").title = `Use ${other} colours (t)`;
}

function toggleTheme() {
  setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
}

// Keys -----------------------------------------------------------------------------------------------------------------

const help = () => /** @type {HTMLDialogElement} */ (element("help")).showModal();

/** @type {{keys: string[], what: string, run: () => void}[]} */
const shortcuts = [
  { keys: ["/"], what: "Search", run: () => element("search").focus() },
  { keys: ["s"], what: "All states", run: () => explain(null) },
  {
    keys: ["d"],
    what: "To the diagram; arrow keys go from state to state",
    run: () => /** @type {SVGElement | null} */ (picture().querySelector(".node[tabindex='0']"))?.focus(),
  },
  {
    keys: ["w"],
    what: "Walk",
    run: () => {
      turnTo("walk");
      focusIn("walk", ".events button");
    },
  },
  { keys: ["y"], what: "Answer a guard: yes", run: () => reply(true) },
  { keys: ["n"], what: "Answer a guard: no", run: () => reply(false) },
  {
    keys: ["u"],
    what: "Undo",
    run: () => {
      if (shown.tab === "walk") undo();
    },
  },
  {
    keys: ["r"],
    what: "Restart the walk",
    run: () => {
      if (shown.tab === "walk") restart();
    },
  },
  { keys: ["c"], what: "Copy the walk as a test", run: copyTest },
  {
    keys: ["v"],
    what: "The next view of the diagram",
    run: () => turnView(chart.views[(chart.views.indexOf(shown.view) + 1) % chart.views.length]),
  },
  ...playShortcuts,
  { keys: ["+", "="], what: "Zoom in", run: nearer },
  { keys: ["-"], what: "Zoom out", run: farther },
  { keys: ["0"], what: "Show all of the diagram", run: showAll },
  { keys: ["t"], what: "Light or dark", run: toggleTheme },
  { keys: ["?"], what: "These shortcuts", run: help },
  {
    keys: ["Escape"],
    what: "Back: out of a question, an explanation",
    run: () => {
      if (pending !== null) cancel();
      else if (shown.subject !== null && shown.tab === "read") explain(null);
    },
  },
];

/** @param {KeyboardEvent} event */
function pressed(event) {
  const within = event.target instanceof Element ? event.target : document.body;
  if (event.ctrlKey || event.metaKey || event.altKey || within.closest("input, dialog")) return;
  const buttons = within.closest(".events, .states, .answers, [role='tablist']")?.querySelectorAll("button");
  if (buttons !== undefined && event.key.startsWith("Arrow")) {
    const list = [...buttons].filter((button) => !button.hidden);
    const next =
      list[list.indexOf(/** @type {HTMLButtonElement} */ (within)) + (/Down|Right/.test(event.key) ? 1 : -1)];
    next?.focus();
    if (next?.getAttribute("role") === "tab") turnTo(/** @type {Tab} */ (next.id.slice("tab-".length)));
    event.preventDefault();
    return;
  }
  const shortcut = shortcuts.find(({ keys }) => keys.includes(event.key));
  if (shortcut === undefined) return;
  event.preventDefault();
  shortcut.run();
}

/** Shows the meaning of a name that is pointed at or has the focus. @param {Event} event */
function tip(event) {
  const named = event.target instanceof Element ? event.target.closest("[data-meaning]") : null;
  const box = element("tip");
  const meaning = named?.getAttribute("data-meaning");
  box.hidden = !meaning;
  if (!named || !meaning) return;
  box.textContent = meaning;
  const at = named.getBoundingClientRect();
  const below = at.bottom + 6 + box.offsetHeight < innerHeight;
  box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.offsetWidth - 8))}px`;
  box.style.top = `${below ? at.bottom + 6 : at.top - 6 - box.offsetHeight}px`;
}

// Beginning ------------------------------------------------------------------------------------------------------------

function begin() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  setTheme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));

  element("summary").textContent =
    `${[counted(chart.states.length, "state"), counted(triggers(chart).length, "event"), counted(chart.rows.length, "row")].join(", ")}: all that it does, and why.`;
  if (taken !== null) {
    const untested = chart.rows.filter((row) => isUntested(row)).length;
    element("summary").append(` Tests take ${chart.rows.length - untested} of the rows; others are marked.`);
  }
  const roles = new Set(chart.states.map((state) => state.role).filter((role) => role !== null));
  element("legend").append(
    ...[...roles].map((role) => make("li", {}, make("span", { class: `swatch ${role}`, "aria-hidden": "true" }), role)),
  );
  element("views").append(
    ...chart.views.map((view) =>
      make("button", { type: "button", onclick: () => turnView(view) }, view[0].toUpperCase() + view.slice(1)),
    ),
  );
  element("help")
    .querySelector("dl")
    ?.append(
      ...shortcuts.flatMap(({ keys, what }) => [make("dt", {}, make("kbd", {}, keys[0])), make("dd", {}, what)]),
    );
  element("everything").append(contents(), ...chart.states.map(stateArticle));
  for (const folded of element("everything").querySelectorAll("details")) folded.open = true;

  preparePictures();
  preparePlay();
  listenToPicture();
  for (const [id, run] of /** @type {[string, () => void][]} */ ([
    ["zoom-in", nearer],
    ["zoom-out", farther],
    ["zoom-fit", showAll],
    ["theme", toggleTheme],
    ["shortcuts", help],
    ["tab-read", () => turnTo("read")],
    ["tab-walk", () => turnTo("walk")],
    ["tab-play", () => turnTo("play")],
  ]))
    element(id).addEventListener("click", run);
  element("search").addEventListener("input", search);
  element("search").addEventListener("keydown", searchKey);
  document.addEventListener("pointerdown", (event) => {
    if (event.target instanceof Element && !event.target.closest(".search") && !element("results").hidden)
      closeSearch();
  });
  document.addEventListener("keydown", pressed);
  for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, tip);
  document.addEventListener(
    "scroll",
    () => {
      element("tip").hidden = true;
    },
    { capture: true, passive: true },
  );
  window.addEventListener("popstate", recall);
  recall();
}

begin();
