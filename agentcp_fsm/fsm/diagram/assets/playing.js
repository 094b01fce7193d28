"use strict";
// What happened: a walk that is played, step by step.  It says what was done, and asks nobody.

/** Milliseconds for which a step that changes the state is shown, and another one. */
const PACE = { change: 1000, other: 250 };
/** How many steps are listed before and after the present one: there may be a great many. */
const NEARBY = { before: 4, after: 15 };
/** @type {ReturnType<typeof setTimeout> | null} What shows the next step, while the walk is played. */
let timer = null;

const played = () => chart.played?.steps ?? [];
/** Whether a step, numbered from 1, changed the state. @param {number} number */
const changes = (number) => played()[number - 1].source !== played()[number - 1].dest;
/** @param {number} seconds */
const since = (seconds) => `${seconds < 0 ? "−" : "+"}${Math.abs(seconds).toFixed(3)} s`;
/** @param {PlayedStep} taken */
const rowOf = ({ row }) => (row === null ? null : chart.rows[row]);

/** The state in which it began, and the present one. */
function playedStates() {
  const [first] = played();
  return [first.source, shown.step === 0 ? first.source : played()[shown.step - 1].dest];
}

/** The steps that are shown, the last one last, each way once. @returns {Way[]} */
function playedWays() {
  /** @type {Map<string, Way>} */
  const ways = new Map();
  for (const taken of played().slice(0, shown.step)) {
    const row = rowOf(taken);
    const stays = row === null ? taken.source === taken.dest : row.dest === null;
    const way = { source: stays ? "" : taken.source, dest: taken.dest, row };
    const key = JSON.stringify([way.source, way.dest]);
    ways.delete(key);
    ways.set(key, way);
  }
  return [...ways.values()];
}

// Moving ---------------------------------------------------------------------------------------------------------------

/** Shows so many steps. @param {number} number */
function goTo(number) {
  shown.step = Math.min(Math.max(number, 0), played().length);
  shown.tab = "play";
  remember(true);
  render();
}

/** As the reader asks: then nothing goes on by itself, and a reader who does not see it is told. @param {number} number */
function stepTo(number) {
  pause();
  goTo(number);
  announce(told());
}

/** To the next change of the state, or the one before. @param {1 | -1} way */
function stepToChange(way) {
  let number = shown.step + way;
  while (number > 0 && number <= played().length && !changes(number)) number += way;
  stepTo(number);
}

function pause() {
  if (timer === null) return;
  clearTimeout(timer);
  timer = null;
  renderPlay();
}

function play() {
  if (timer !== null) return pause();
  if (shown.step === played().length) goTo(0);
  advance();
  renderPlay();
}

/** Shows the next step, and goes on after a while. */
function advance() {
  timer = null;
  if (shown.step === played().length) return renderPlay();
  const change = changes(shown.step + 1);
  timer = setTimeout(advance, change ? PACE.change : PACE.other);
  goTo(shown.step + 1);
  if (change) announce(told());
}

/** The present step in one sentence. */
function told() {
  const [, state] = playedStates();
  if (shown.step === 0) return `Before the first of ${counted(played().length, "step")}, in ${state}`;
  const taken = played()[shown.step - 1];
  const where = taken.source === taken.dest ? `stays in ${state}` : `leads to ${state}`;
  return `Step ${shown.step} of ${played().length}, ${since(taken.at)}: ${taken.trigger} ${where}`;
}

/** @type {{keys: string[], what: string, run: () => void}[]} */
const playShortcuts =
  chart.played === null
    ? []
    : [
        { keys: ["p"], what: "Play what happened, or pause", run: () => play() },
        { keys: [","], what: "One step back", run: () => stepTo(shown.step - 1) },
        { keys: ["."], what: "One step forward", run: () => stepTo(shown.step + 1) },
        { keys: ["<"], what: "Back to the last change of the state", run: () => stepToChange(-1) },
        { keys: [">"], what: "On to the next change of the state", run: () => stepToChange(1) },
      ];

// Showing --------------------------------------------------------------------------------------------------------------

/** Builds what stays there from step to step, so that the focus does, too. */
function preparePlay() {
  if (chart.played === null) return;
  const { title, lines, steps: all } = chart.played;
  element("tab-play").hidden = false;
  const button = (/** @type {string} */ id, /** @type {string} */ label, /** @type {string} */ text, /** @type {() => void} */ onclick) =>
    make("button", { type: "button", id, "aria-label": label, title: label, onclick }, text);
  element("play").replaceChildren(
    make("div", { class: "here", id: "play-here" }),
    make(
      "div",
      { class: "player", role: "group", "aria-label": "Playing" },
      make(
        "div",
        { class: "controls" },
        button("play-last-change", "Back to the last change of the state (<)", "«", () => stepToChange(-1)),
        button("play-back", "One step back (,)", "‹", () => stepTo(shown.step - 1)),
        button("play-toggle", "Play (p)", "Play", play),
        button("play-forward", "One step forward (.)", "›", () => stepTo(shown.step + 1)),
        button("play-next-change", "On to the next change of the state (>)", "»", () => stepToChange(1)),
      ),
      make("input", {
        id: "play-slider",
        type: "range",
        min: 0,
        max: all.length,
        step: 1,
        "aria-label": "Step",
        oninput: (/** @type {Event} */ event) => stepTo(Number(/** @type {HTMLInputElement} */ (event.target).value)),
      }),
      make("p", { id: "play-place", class: "muted" }),
    ),
    make("ol", { id: "play-steps", class: "steps", "aria-label": "Steps" }),
    make("h3", {}, title),
    make("ul", { class: "lines" }, lines.map((line) => make("li", {}, line))),
  );
}

function renderPlay() {
  if (chart.played === null) return;
  const all = played();
  const { step: number } = shown;
  const [, state] = playedStates();
  const taken = number === 0 ? null : all[number - 1];
  const row = taken === null ? null : rowOf(taken);
  element("play-here").replaceChildren(
    make(
      "p",
      { class: "label" },
      ...(taken === null ? ["It begins in"] : [stateName(taken.trigger), ledTo(taken)]),
    ),
    make("h2", { tabindex: "-1" }, term("state", state)),
    make("p", {}, states.get(state)?.meaning ?? ""),
    ...(taken === null
      ? []
      : [
          make(
            "div",
            { class: "row" },
            row !== null && make("p", { class: "reason" }, row.reason),
            row === null && make("p", { class: "does" }, "Which row was taken is not known."),
            make("ul", { class: "lines" }, taken.lines.map((line) => make("li", {}, line))),
          ),
        ]),
  );
  const playing = timer !== null;
  element("play-toggle").textContent = playing ? "Pause" : "Play";
  element("play-toggle").setAttribute("aria-label", playing ? "Pause (p)" : "Play (p)");
  element("play-toggle").title = playing ? "Pause (p)" : "Play (p)";
  // Not `disabled`, which would lose the focus at the end of the way.
  for (const id of ["play-back", "play-last-change"]) element(id).setAttribute("aria-disabled", String(number === 0));
  for (const id of ["play-forward", "play-next-change"])
    element(id).setAttribute("aria-disabled", String(number === all.length));
  const slider = /** @type {HTMLInputElement} */ (element("play-slider"));
  slider.value = String(number);
  slider.setAttribute("aria-valuetext", told());
  element("play-place").textContent =
    taken === null ? `Before the first of ${counted(all.length, "step")}` : `Step ${number} of ${all.length}, ${since(taken.at)}`;
  const first = Math.max(0, number - 1 - NEARBY.before);
  element("play-steps").replaceChildren(
    ...all.slice(first, number + NEARBY.after).map((each, index) => playedItem(each, first + index + 1)),
  );
}

/** What an event did, before the name of the state. @param {PlayedStep} taken */
function ledTo(taken) {
  const row = rowOf(taken);
  if (row !== null) return verb({ row });
  return taken.source === taken.dest ? " stays in" : " leads to";
}

/**
 * @param {PlayedStep} taken
 * @param {number} number From 1
 */
function playedItem(taken, number) {
  return make(
    "li",
    { class: number > shown.step && "later", "aria-current": number === shown.step && "step" },
    make("span", { class: "number" }, String(number)),
    make(
      "p",
      { class: "went" },
      make(
        "button",
        { type: "button", class: "quiet", "aria-label": `Step ${number}: ${taken.trigger}`, onclick: () => stepTo(number) },
        stateName(taken.trigger),
      ),
      make("span", {}, taken.source === taken.dest ? "" : `→ ${taken.dest} `, make("span", { class: "muted" }, since(taken.at))),
    ),
  );
}
