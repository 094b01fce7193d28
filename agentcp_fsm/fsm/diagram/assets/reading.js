"use strict";
// What is explained: a state, an event, a guard, an action, an arrow.

/**
 * "if a and not b", with the names explained.
 * @param {Row} row
 */
function conditions(row) {
  const parts = guards(row).map(({ guard, answer }) => make("span", {}, answer ? "" : "not ", term("guard", guard)));
  return parts.length === 0 ? [] : [" if ", ...joined(parts, " and ")];
}

/**
 * Where a row leads.
 * @param {Row} row
 * @returns {(Node | string)[]}
 */
function outcome(row) {
  if (row.ignored) return ["ignored"];
  if (row.dest === null) return ["stays"];
  if (row.dest === "=") return ["→ left and entered again"];
  return ["→ ", term("state", row.dest)];
}

/**
 * A row; where it holds and its event are left out where they are plain from the surroundings.
 * @param {Row} row
 * @param {{source?: string, trigger?: string}} known
 */
function rowItem(row, known) {
  const doing = known.source === undefined ? [...row.before, ...row.after] : actions(chart, row, known.source);
  const does = [...row.prepare, ...doing];
  const untested = isUntested(row, known.source);
  return make(
    "li",
    { class: `row${row.ignored ? " ignored" : ""}${untested ? " untested" : ""}${row === shown.subject?.row ? " found" : ""}` },
    (known.source === undefined || known.trigger === undefined) &&
      make(
        "p",
        { class: "where" },
        known.trigger === undefined ? [term("event", row.trigger), known.source === undefined ? " in " : ""] : "",
        known.source === undefined ? joined(row.source.map((name) => term("state", name))) : "",
      ),
    make("p", { class: "outcome" }, make("span", { class: "to" }, ...outcome(row)), ...conditions(row)),
    row.reason !== "" && make("p", { class: "reason" }, row.reason),
    does.length > 0 && make("p", { class: "does" }, ...joined(does.map((name) => term("action", name)))),
    untested && make("p", { class: "mark" }, `No test takes it${known.source === undefined ? "" : " here"}.`),
  );
}

/**
 * A headed list of rows, if there are any.
 * @param {string} heading
 * @param {Row[]} rows
 * @param {{source?: string, trigger?: string}} known
 */
function rowList(heading, rows, known = {}) {
  return (
    rows.length > 0 &&
    make(
      "div",
      {},
      make("h3", {}, heading),
      make(
        "ol",
        { class: "rows" },
        rows.map((row) => rowItem(row, known)),
      ),
    )
  );
}

/**
 * @param {(Node | string)[]} heading
 * @param {string} meaning
 * @param {(Node | false)[]} content
 */
function article(heading, meaning, ...content) {
  return make(
    "article",
    { class: "subject" },
    make("h2", { tabindex: "-1" }, heading),
    meaning !== "" && make("p", { class: "meaning" }, meaning),
    ...content,
  );
}

/** A word beside a heading. @param {string} text */
function kindWord(text) {
  return make("span", { class: "kind" }, text);
}

/**
 * Terms with their names, those without anything left out.
 * @param {[string, (Node | string)[]][]} facts
 */
function factList(facts) {
  const given = facts.filter(([, content]) => content.length > 0);
  return (
    given.length > 0 &&
    make(
      "dl",
      { class: "facts" },
      given.flatMap(([label, content]) => [make("dt", {}, label), make("dd", { class: "flow" }, content)]),
    )
  );
}

/** The states that a state is left for, or entered from, each once. */
const leadsTo = (/** @type {string} */ name) =>
  [...new Set(chart.rows.filter((row) => row.source.includes(name)).map((row) => destination(row, name)))].filter(
    (dest) => dest !== name,
  );
const enteredFrom = (/** @type {string} */ name) =>
  chart.states.map((state) => state.name).filter((source) => source !== name && leadsTo(source).includes(name));

/**
 * A link to what leads from one state to another.
 * @param {string} source
 * @param {string} dest
 * @param {string} named
 */
function arrow(source, dest, named) {
  return make(
    "button",
    { type: "button", class: "term state", onclick: () => explain({ kind: "arrow", names: [source, dest] }) },
    swatch(named),
    named,
  );
}

/**
 * What a state is and what every event does in it; handled events first, ignored ones folded.
 * @param {State} state
 */
function stateArticle({ name, meaning, owns, role, on_enter, on_exit, final }) {
  const cells = triggers(chart).map((trigger) => ({ trigger, rows: cell(chart, name, trigger) }));
  const list = (/** @type {typeof cells} */ some) =>
    make(
      "div",
      { class: "cells" },
      some.map(({ trigger, rows }) =>
        make(
          "section",
          { class: "cell" },
          make("h4", {}, term("event", trigger)),
          make(
            "ol",
            { class: "rows" },
            rows.map((row) => rowItem(row, { source: name, trigger })),
          ),
        ),
      ),
    );
  const handled = cells.filter(({ rows }) => rows.some((row) => !row.ignored));
  const ignored = cells.filter(({ rows }) => rows.length > 0 && rows.every((row) => row.ignored));
  const undecided = cells.filter(({ rows }) => rows.length === 0);
  return article(
    [swatch(name), stateName(name), kindWord(role ?? "state")],
    meaning,
    factList([
      ["Owns", owns ? [owns] : []],
      ["On entry", joined(on_enter.map((action) => term("action", action)))],
      ["On exit", joined(on_exit.map((action) => term("action", action)))],
      ["Leads to", leadsTo(name).map((dest) => arrow(name, dest, dest))],
      ["Entered from", enteredFrom(name).map((source) => arrow(source, name, source))],
      ["Final", final ? ["it is not left again"] : []],
      [chart.otherwise === "" ? "Undecided" : "An error here", joined(undecided.map(({ trigger }) => term("event", trigger)))],
    ]),
    handled.length > 0 &&
      make("div", {}, make("h3", {}, `Handled: ${counted(handled.length, "event")}`), list(handled)),
    ignored.length > 0 &&
      make(
        "details",
        { class: "ignored" },
        make("summary", {}, `Ignored on purpose: ${counted(ignored.length, "event")}`),
        list(ignored),
      ),
  );
}

/** @param {Subject} subject */
function subjectArticle(subject) {
  const { kind, names } = subject;
  const [name] = names;
  if (kind === "state") return stateArticle(/** @type {State} */ (states.get(name)));
  const rows = subjectRows(subject);
  if (kind === "arrow") return arrowArticle(waysOf(names), rows);
  if (kind === "event") {
    return article(
      [stateName(name), kindWord(kind)],
      "",
      rowList(
        "What it does",
        rows.filter((row) => !row.ignored),
        { trigger: name },
      ),
      rowList(
        "Where it is ignored on purpose",
        rows.filter((row) => row.ignored),
        { trigger: name },
      ),
    );
  }
  const entered = chart.states.filter((state) => state.on_enter.includes(name));
  const left = chart.states.filter((state) => state.on_exit.includes(name));
  return article(
    [stateName(name), kindWord(kind)],
    meaningOf(kind, name),
    kind === "action" &&
      factList([
        ["On entry to", entered.map((state) => term("state", state.name))],
        ["On exit from", left.map((state) => term("state", state.name))],
      ]),
    rowList(kind === "guard" ? "Asked by" : "Done by", rows),
  );
}

/**
 * What leads from one state to another; a line of the picture may stand for several such steps.
 * @param {Way[]} ways
 * @param {Row[]} rows
 */
function arrowArticle(ways, rows) {
  const named = (/** @type {string[]} */ some) => joined([...new Set(some)].map((name) => term("state", name)));
  const heading = [...named(ways.map(({ source }) => source)), " → ", ...named(ways.map(({ dest }) => dest))];
  return article(
    [make("span", {}, heading)],
    "",
    rowList(counted(rows.length, "row"), rows, ways.length === 1 ? { source: ways[0].source } : {}),
  );
}

/**
 * The steps that an arrow's names tell.
 * @param {string[]} names
 * @returns {Way[]}
 */
function waysOf(names) {
  return names.flatMap((source, index) => (index % 2 === 0 ? [{ source, dest: names[index + 1] }] : []));
}

/**
 * The rows that are about a subject.
 * @param {Subject} subject
 * @returns {Row[]}
 */
function subjectRows({ kind, names }) {
  const [name] = names;
  const ways = waysOf(names);
  return chart.rows.filter((row) => {
    if (kind === "state") return row.source.includes(name);
    if (kind === "event") return row.trigger === name;
    if (kind === "guard") return [...row.conditions, ...row.unless].includes(name);
    if (kind === "action") return [...row.prepare, ...row.before, ...row.after].includes(name);
    return (
      row.dest !== null &&
      ways.some(({ source, dest }) => row.source.includes(source) && destination(row, source) === dest)
    );
  });
}

/** @param {Subject} subject */
function exists({ kind, names }) {
  if (kind === "state") return states.has(names[0]);
  if (kind === "arrow") return names.length % 2 === 0 && names.every((name) => states.has(name));
  const onStates = chart.states.flatMap((state) => [...state.on_enter, ...state.on_exit]);
  return subjectRows({ kind, names }).length > 0 || (kind === "action" && onStates.includes(names[0]));
}

/** How to read the page, and one sentence on each state. */
function contents() {
  return make(
    "div",
    {},
    make(
      "p",
      { class: "lead" },
      "A box is a state, an arrow an event that leads from one to the next; guards stand in brackets. ",
      chart.otherwise,
      make(
        "span",
        { class: "on-screen" },
        " Choose a state or an arrow to see what happens there, and why. Turn to Walk to send events yourself.",
      ),
    ),
    make(
      "ul",
      { class: "states" },
      chart.states.map(({ name, meaning }) =>
        make(
          "li",
          {},
          make(
            "button",
            { type: "button", onclick: () => explain({ kind: "state", names: [name] }) },
            swatch(name),
            stateName(name),
            make("span", {}, meaning),
          ),
        ),
      ),
    ),
  );
}

function renderRead() {
  const { subject } = shown;
  const panel = element("read");
  if (subject === null) {
    panel.replaceChildren(contents());
    return;
  }
  panel.replaceChildren(
    make("button", { type: "button", class: "back quiet", onclick: () => explain(null) }, "← All states"),
    subjectArticle(subject),
  );
  panel.querySelector(".found")?.closest("details")?.setAttribute("open", "");
}
