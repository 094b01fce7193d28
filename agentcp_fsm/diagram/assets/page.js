"use strict";
// The page: what it shows is kept in the address, so that it can be linked to; everything on it is made from the chart.

/**
 * @typedef {"state" | "event" | "guard" | "action" | "arrow"} Kind
 *
 * @typedef {object} Subject What is explained
 * @property {Kind} kind
 * @property {string} name Of an arrow, its source
 * @property {string} [dest] Of an arrow
 * @property {Row} [row] The one that was searched for
 *
 * @typedef {object} Found A search result
 * @property {string} kind
 * @property {string} text
 * @property {string} about
 * @property {Subject} subject
 * @property {Row[]} rows
 */

/** @type {Chart & {imported_from: string, views: string[]}} */
const chart = JSON.parse(element("chart").textContent ?? "");
const states = new Map(chart.states.map((state) => [state.name, state]));

/** What the page shows. */
const shown = {
  /** @type {"read" | "walk"} */ tab: "read",
  /** @type {Subject | null} */ subject: null,
  /** @type {Sent[]} */ walk: [],
  view: chart.views[0],
};
/** @type {Sent | null} The event whose guards are being asked. */
let pending = null;

// Making elements -----------------------------------------------------------------------------------------------------

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
  return make("span", { class: "name" }, name);
}

/**
 * A name of the chart: pointed at, it tells its meaning; chosen, it is explained.
 * @param {Kind} kind
 * @param {string} name
 */
function term(kind, name) {
  const meaning =
    kind === "guard" ? chart.guards?.[name] : kind === "action" ? chart.actions?.[name] : states.get(name)?.meaning;
  return make(
    "button",
    { type: "button", class: `term ${kind}`, "data-meaning": meaning, onclick: () => explain({ kind, name }) },
    ...(kind === "state" ? [swatch(name), name] : [name]),
  );
}

// Explaining ----------------------------------------------------------------------------------------------------------

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
  const source = known.source ?? row.source[0];
  const does = [...row.prepare, ...actions(chart, row, source)];
  return make(
    "li",
    { class: `row${row.ignored ? " ignored" : ""}${row === shown.subject?.row ? " found" : ""}` },
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
  );
}

/**
 * A headed list of rows; null without any.
 * @param {string} heading
 * @param {Row[]} rows
 * @param {{source?: string, trigger?: string}} known
 */
function rowList(heading, rows, known = {}) {
  return (
    rows.length > 0 &&
    make("div", {}, make("h3", {}, heading), make("ol", { class: "rows" }, rows.map((row) => rowItem(row, known))))
  );
}

/**
 * @param {string} name
 * @param {string} kind
 * @param {string | undefined} meaning
 * @param {(Node | false)[]} content
 */
function article(name, kind, meaning, ...content) {
  return make(
    "article",
    { class: "subject" },
    make("h2", { tabindex: "-1" }, kind === "state" && swatch(name), stateName(name),
      make("span", { class: "kind" }, kind === "state" ? (states.get(name)?.role ?? "state") : kind)),
    meaning ? make("p", { class: "meaning" }, meaning) : false,
    ...content,
  );
}

/**
 * Terms with their names, those without anything left out.
 * @param {[string, (Node | string)[]][]} facts
 */
function factList(facts) {
  const given = facts.filter(([, content]) => content.length > 0);
  return (
    given.length > 0 &&
    make("dl", { class: "facts" },
      given.flatMap(([label, content]) => [make("dt", {}, label), make("dd", { class: "flow" }, content)]))
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
    { type: "button", class: "term state", onclick: () => explain({ kind: "arrow", name: source, dest }) },
    swatch(named), named,
  );
}

/**
 * What a state is and what every event does in it; handled events first, ignored ones folded.
 * @param {State} state
 */
function stateArticle({ name, meaning, owns, on_enter, on_exit, final }) {
  const cells = triggers(chart).map((trigger) => ({ trigger, rows: cell(chart, name, trigger) }));
  const list = (/** @type {typeof cells} */ some) =>
    some.map(({ trigger, rows }) =>
      make("section", { class: "cell" },
        make("h4", {}, term("event", trigger)),
        make("ol", { class: "rows" }, rows.map((row) => rowItem(row, { source: name, trigger })))));
  const handled = cells.filter(({ rows }) => rows.some((row) => !row.ignored));
  const ignored = cells.filter(({ rows }) => rows.length > 0 && rows.every((row) => row.ignored));
  const undecided = cells.filter(({ rows }) => rows.length === 0);
  return article(name, "state", meaning,
    factList([
      ["Owns", owns ? [owns] : []],
      ["On entry", joined(on_enter.map((action) => term("action", action)))],
      ["On exit", joined(on_exit.map((action) => term("action", action)))],
      ["Leads to", leadsTo(name).map((dest) => arrow(name, dest, dest))],
      ["Entered from", enteredFrom(name).map((source) => arrow(source, name, source))],
      ["Final", final ? ["it is not left again"] : []],
      ["Undecided", joined(undecided.map(({ trigger }) => term("event", trigger)))],
    ]),
    handled.length > 0 &&
      make("div", {}, make("h3", {}, `Handled: ${counted(handled.length, "event")}`), ...list(handled)),
    ignored.length > 0 &&
      make("details", { class: "ignored" },
        make("summary", {}, `Ignored on purpose: ${counted(ignored.length, "event")}`), ...list(ignored)));
}

/** @param {Subject} subject */
function subjectArticle({ kind, name, dest }) {
  if (kind === "state") return stateArticle(/** @type {State} */ (states.get(name)));
  const rows = subjectRows({ kind, name, dest });
  if (kind === "arrow") {
    const made = article("", "", undefined, rowList(counted(rows.length, "row"), rows, { source: name }) || false);
    made.querySelector("h2")?.replaceChildren(term("state", name), "\u00a0→\u00a0", term("state", dest ?? ""));
    return made;
  }
  if (kind === "event") {
    return article(name, kind, undefined,
      rowList("What it does", rows.filter((row) => !row.ignored), { trigger: name }) || false,
      rowList("Where it is ignored on purpose", rows.filter((row) => row.ignored), { trigger: name }) || false);
  }
  const glossary = kind === "guard" ? chart.guards : chart.actions;
  const entered = chart.states.filter((state) => state.on_enter.includes(name));
  const left = chart.states.filter((state) => state.on_exit.includes(name));
  return article(name, kind, glossary?.[name],
    kind === "action" &&
      factList([
        ["On entry to", entered.map((state) => term("state", state.name))],
        ["On exit from", left.map((state) => term("state", state.name))],
      ]),
    rowList(kind === "guard" ? "Asked by" : "Done by", rows) || false);
}

/**
 * The rows that are about a subject.
 * @param {Subject} subject
 * @returns {Row[]}
 */
function subjectRows({ kind, name, dest }) {
  return chart.rows.filter((row) => {
    if (kind === "state") return row.source.includes(name);
    if (kind === "event") return row.trigger === name;
    if (kind === "guard") return [...row.conditions, ...row.unless].includes(name);
    if (kind === "action") return [...row.prepare, ...row.before, ...row.after].includes(name);
    return row.dest !== null && row.source.includes(name) && destination(row, name) === dest;
  });
}

/** @param {Subject} subject */
function exists({ kind, name, dest }) {
  if (kind === "state") return states.has(name);
  if (kind === "arrow") return states.has(name) && states.has(dest ?? "");
  return subjectRows({ kind, name }).length > 0 || (kind === "action" && name in (chart.actions ?? {}));
}

/** How to read the page, and one sentence on each state. */
function contents() {
  return make("div", {},
    make("p", { class: "lead" },
      "A box is a state, an arrow an event that leads from one to the next; guards stand in brackets. " +
        "Choose a state or an arrow to see what happens there, and why. Turn to Walk to send events yourself."),
    make("ul", { class: "states" },
      chart.states.map(({ name, meaning }) =>
        make("li", {},
          make("button", { type: "button", onclick: () => explain({ kind: "state", name }) },
            swatch(name), stateName(name), make("span", {}, meaning))))));
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
    subjectArticle(subject));
  panel.querySelector(".found")?.closest("details")?.setAttribute("open", "");
}

// Walking -------------------------------------------------------------------------------------------------------------

/** @returns {Step[]} */
const steps = () => walk(chart, shown.walk);
const present = () => steps().at(-1)?.dest ?? chart.initial;

/**
 * Sends an event, or asks the next guard first.
 * @param {Sent} sent
 */
function send(sent) {
  const taken = step(chart, present(), sent);
  pending = taken.question === null ? null : sent;
  if (taken.row !== null) {
    shown.walk = [...shown.walk, { trigger: sent.trigger, answers: taken.answers }];
    announce(`${taken.dest}. ${taken.row.reason}`);
    remember();
  }
  render();
  focusIn("walk", taken.question === null ? `[data-trigger="${CSS.escape(sent.trigger)}"]` : ".answers button");
}

/** @param {boolean} answer */
function reply(answer) {
  if (pending !== null) send({ ...pending, answers: [...pending.answers, answer] });
}

/** Takes back the last answer, or the last event. @param {number} length How much of the walk to keep */
function undo(length = shown.walk.length - 1) {
  if (pending !== null) {
    pending = pending.answers.length > 0 ? { ...pending, answers: pending.answers.slice(0, -1) } : null;
  } else if (length >= 0) {
    shown.walk = shown.walk.slice(0, length);
    announce(`Back in ${present()}.`);
    remember();
  }
  render();
  focusIn("walk", pending === null ? ".events button" : ".answers button");
}

function restart() {
  pending = null;
  shown.walk = [];
  announce(`Back at the start, in ${chart.initial}.`);
  remember();
  render();
  focusIn("walk", ".events button");
}

function cancel() {
  const trigger = pending?.trigger;
  pending = null;
  render();
  focusIn("walk", trigger === undefined ? ".events button" : `[data-trigger="${CSS.escape(trigger)}"]`);
}

/**
 * What an event can come to, in a few words.
 * @param {Row[]} rows
 * @param {string} source
 */
function prospects(rows, source) {
  const taken = rows.filter((row) => !row.ignored);
  const moves = [...new Set(taken.filter((row) => row.dest !== null).map((row) => destination(row, source)))];
  const words = moves.map((name) => (name === source ? "again" : name));
  if (taken.some((row) => row.dest === null)) words.push("stays");
  return `${moves.length > 0 ? "→ " : ""}${words.join(", ")}`;
}

/**
 * The buttons of some events, which show on the picture where they can lead.
 * @param {string} source
 * @param {string[]} some
 */
function eventButtons(source, some) {
  const show = (/** @type {string} */ trigger) => () =>
    mark("possible", cell(chart, source, trigger).map((row) => ({ source, dest: destination(row, source), row })));
  const hide = () => mark("possible", []);
  return make("div", { class: "events" },
    some.map((trigger) =>
      make("button",
        {
          type: "button", "data-trigger": trigger, onclick: () => send({ trigger, answers: [] }),
          onpointerenter: show(trigger), onpointerleave: hide, onfocus: show(trigger), onblur: hide,
        },
        stateName(trigger), make("span", { class: "leads" }, prospects(cell(chart, source, trigger), source)))));
}

/** The question that decides the event under way. @param {Step} taken */
function question({ trigger, source, refused, question: guard }) {
  const meaning = chart.guards?.[guard ?? ""];
  const rows = cell(chart, source, trigger);
  const asked = rows[refused.length];
  return make("section", { class: "question", "aria-labelledby": "asks" },
    make("p", { class: "muted" }, stateName(trigger), " in ", stateName(source), " asks:"),
    make("p", { class: "asks", id: "asks" }, term("guard", guard ?? ""), "?"),
    meaning ? make("p", { class: "meaning" }, `Is it so that ${meaning}?`) : null,
    make("div", { class: "answers" },
      make("button", { type: "button", "data-answer": "yes", onclick: () => reply(true) }, "Yes", make("kbd", { "aria-hidden": "true" }, "y")),
      make("button", { type: "button", "data-answer": "no", onclick: () => reply(false) }, "No", make("kbd", { "aria-hidden": "true" }, "n")),
      make("button", { type: "button", class: "quiet", onclick: cancel }, "Cancel")),
    make("ol", { class: "candidates", "aria-label": "Rows in the order in which they are tried" },
      rows.map((row, index) => {
        const is = index < refused.length ? "refused" : row === asked ? "asked" : "open";
        const written = guards(row).map(({ guard: name, answer }) => (answer ? name : `not ${name}`));
        const to = row.ignored ? "ignored" : row.dest === null ? "stays" : `→ ${destination(row, source)}`;
        return make("li", { class: is, "aria-current": is === "asked" && "step" },
          make("span", { "aria-hidden": "true" }, { refused: "×", asked: "?", open: "·" }[is]),
          make("span", {}, written.length > 0 ? `${to} if ${written.join(" and ")}` : `${to} otherwise`,
            is === "refused" && make("span", { class: "unseen" }, " (refused)")));
      })));
}

/**
 * Why a step went where it did, and what was done on the way.
 * @param {Step} taken
 */
function because({ row, asked, actions: done }) {
  const answers = asked.map(({ guard, answer }) => make("span", {}, answer ? "" : "not ", term("guard", guard)));
  return [
    row?.reason ? make("p", { class: "reason" }, row.reason) : "",
    answers.length > 0 ? make("p", { class: "does" }, "as ", ...joined(answers)) : "",
    done.length > 0 ? make("p", { class: "does" }, "did ", ...joined(done.map((name) => term("action", name)))) : "",
  ];
}

/**
 * One step of the walk.
 * @param {Step} taken
 * @param {number} index
 */
function stepItem(taken, index) {
  const { trigger, dest, row } = taken;
  const last = index === shown.walk.length - 1;
  return make("li", {},
    make("span", { class: "number" }, String(index + 1)),
    make("div", {},
      make("p", { class: "went" },
        stateName(trigger),
        row?.dest === null ? (row.ignored ? "ignored" : "stays") : make("span", {}, "→ ", term("state", dest))),
      ...because(taken),
      !last &&
        make("button",
          { type: "button", class: "back quiet", "aria-label": `Go back to step ${index + 1}, ${dest}`, onclick: () => undo(index + 1) },
          "Go back to here")));
}

/** What the latest event did. @param {Step} taken */
function verb({ row }) {
  if (row?.ignored) return " is ignored in";
  return row?.dest === null ? " stays in" : row?.dest === "=" ? " leaves and enters again" : " leads to";
}

function renderWalk() {
  const taken = steps();
  const last = taken.at(-1);
  const source = present();
  const all = triggers(chart).map((trigger) => ({ trigger, rows: cell(chart, source, trigger) }));
  const handled = all.filter(({ rows }) => rows.some((row) => !row.ignored)).map(({ trigger }) => trigger);
  const ignored = all.filter(({ rows }) => rows.length > 0 && rows.every((row) => row.ignored)).map(({ trigger }) => trigger);
  const folded = element("walk").querySelector("details.ignored")?.hasAttribute("open") ?? false;
  const [module, name] = chart.imported_from.split(":");
  const code = snippet(module, name, chart, taken);
  element("walk").replaceChildren(
    make("div", { class: "here" },
      make("p", { class: "label" }, ...(last === undefined ? ["The walk begins in"] : [stateName(last.trigger), verb(last)])),
      make("h2", { tabindex: "-1" }, swatch(source), stateName(source)),
      make("p", {}, states.get(source)?.meaning ?? ""),
      last !== undefined && make("div", { class: "row" }, ...because(last))),
    make("div", { class: "controls" },
      make("button", { type: "button", onclick: () => undo(), disabled: taken.length === 0 && pending === null }, "Undo"),
      make("button", { type: "button", onclick: restart, disabled: taken.length === 0 && pending === null }, "Restart"),
      make("button", { type: "button", onclick: () => copy(location.href, "The link") }, "Copy link")),
    ...(pending !== null
      ? [question(step(chart, source, pending))]
      : [
          make("h3", {}, "What happens next?"),
          handled.length > 0 ? eventButtons(source, handled) : make("p", { class: "muted" }, "Nothing leads on from here."),
          ignored.length > 0 &&
            make("details", { class: "ignored", open: folded },
              make("summary", {}, `Ignored here: ${counted(ignored.length, "event")}`), eventButtons(source, ignored)),
        ].filter((part) => part !== false)),
    ...(taken.length === 0
      ? []
      : [
          make("h3", {}, "The walk, its latest event first"),
          make("ol", { class: "steps", reversed: true }, taken.map(stepItem).reverse()),
          make("section", { class: "test" },
            make("div", { class: "head" }, make("h3", {}, "The walk as a test"),
              make("button", { type: "button", onclick: copyTest }, "Copy test")),
            make("pre", { tabindex: "0", "aria-label": "A test for pytest" }, make("code", { id: "test" }, code))),
        ]));
}

function copyTest() {
  const code = document.getElementById("test")?.textContent;
  if (code) copy(code, "The test");
}

/**
 * @param {string} text
 * @param {string} what
 */
function copy(text, what) {
  navigator.clipboard.writeText(text).then(
    () => say(`${what} is in the clipboard.`),
    (error) => say(`${what} could not be copied (${error.message}): select it and copy it by hand.`),
  );
}

// The picture ---------------------------------------------------------------------------------------------------------

/** The least pixels for each of the picture's points. */
const LEGIBLE = 0.6;
/** @type {Map<string, SVGSVGElement>} */
const pictures = new Map();
/** @type {{x: number, y: number, width: number, height: number}} What of the picture is in sight */
let sight = { x: 0, y: 0, width: 1, height: 1 };
/** Whether the picture, where it is too small to be read as a whole, shows what the panel is about. */
let following = true;

const picture = () => /** @type {SVGSVGElement} */ (pictures.get(shown.view));
const nodeOf = (/** @type {string} */ name) => picture().querySelector(`#${CSS.escape(`state-${name}`)}`);
const edgeOf = (/** @type {string} */ source, /** @type {string} */ dest) =>
  picture().querySelector(`#${CSS.escape(`edge-${source}-${dest}`)}`);

/** Makes the states and arrows of the pictures answer to pointer and keyboard. */
function preparePictures() {
  const drawn = [element("picture").querySelector("svg"), .../** @type {HTMLTemplateElement} */ (element("pictures")).content.children];
  drawn.forEach((svg, index) => pictures.set(chart.views[index], /** @type {SVGSVGElement} */ (svg)));
  for (const [view, svg] of pictures) {
    shown.view = view;
    element("picture").replaceChildren(svg);
    svg.removeAttribute("width");
    svg.removeAttribute("height");
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-label", `${chart.name}, ${view}; arrow keys go from state to state`);
    chart.states.forEach(({ name, meaning }) => {
      const node = /** @type {SVGGElement | null} */ (nodeOf(name));
      if (node === null) return;
      const box = node.getBBox();
      const ring = document.createElementNS(svg.namespaceURI, "rect");
      for (const [key, value] of Object.entries({
        class: "ring", x: box.x - 5, y: box.y - 5, width: box.width + 10, height: box.height + 10, rx: 10,
      })) ring.setAttribute(key, String(value));
      node.append(ring);
      node.setAttribute("role", "button");
      node.setAttribute("aria-label", meaning ? `${name}: ${meaning}` : name);
      node.setAttribute("tabindex", name === chart.initial ? "0" : "-1");
      node.addEventListener("click", () => explain({ kind: "state", name }));
      node.addEventListener("keydown", (event) => moveAmongStates(event, name));
    });
    for (const source of states.keys()) {
      for (const dest of states.keys()) {
        edgeOf(source, dest)?.addEventListener("click", () => explain({ kind: "arrow", name: source, dest }));
      }
    }
  }
  shown.view = chart.views[0];
}

/**
 * @param {KeyboardEvent} event
 * @param {string} name
 */
function moveAmongStates(event, name) {
  if (event.key === "Enter" || event.key === " ") explain({ kind: "state", name });
  const [right, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
  if (right === 0 && down === 0 && event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault();
  if (right === 0 && down === 0) return;
  const middle = (/** @type {string} */ state) => {
    const box = nodeOf(state)?.getBoundingClientRect();
    return box === undefined ? null : { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  };
  const from = middle(name);
  /** @type {[number, string | null]} */
  let best = [Infinity, null];
  for (const other of states.keys()) {
    const to = middle(other);
    if (other === name || from === null || to === null) continue;
    const along = (to.x - from.x) * right + (to.y - from.y) * down;
    const aside = Math.abs((to.x - from.x) * down) + Math.abs((to.y - from.y) * right);
    if (along > 1 && along + 2 * aside < best[0]) best = [along + 2 * aside, other];
  }
  if (best[1] === null) return;
  for (const state of states.keys()) nodeOf(state)?.setAttribute("tabindex", state === best[1] ? "0" : "-1");
  /** @type {SVGElement | null} */ (nodeOf(best[1]))?.focus();
}

/**
 * Gives a class to the states and arrows on some ways, and to no others.
 * @param {string} name
 * @param {{source: string, dest: string, row?: Row | null}[]} ways
 */
function mark(name, ways) {
  for (const marked of picture().querySelectorAll(`.${name}`)) marked.classList.remove(name);
  for (const { source, dest, row } of ways) {
    if (row?.dest !== null) edgeOf(source, dest)?.classList.add(name);
    nodeOf(dest)?.classList.add(name);
  }
}

/** Shows on the picture what the panel is about. @param {Row[] | null} found Rows that are searched for */
function renderPicture(found = null) {
  const reading = shown.tab === "read";
  const { subject } = shown;
  const taken = reading ? [] : steps();
  if (!element("picture").contains(picture())) {
    element("picture").replaceChildren(picture());
    fit();
  }
  mark("possible", []);
  mark("walked", taken);
  mark("visited", reading ? [] : [{ source: "", dest: chart.initial }, ...taken]);
  mark("latest", taken.slice(-1));
  mark("current", reading ? [] : [{ source: "", dest: present(), row: null }]);
  const chosen = reading && subject !== null ? (subject.kind === "arrow" ? [subject.name, subject.dest ?? ""] : [subject.name]) : [];
  const named = subject?.kind === "state" || subject?.kind === "arrow" ? chosen : [];
  mark("selected", named.map((dest) => ({ source: "", dest, row: null })));
  const rows = found ?? (reading && subject !== null ? subjectRows(subject) : null);
  picture().classList.toggle("dimmed", rows !== null && (found !== null || subject?.kind !== "state" || rows.length > 0));
  const only = found === null && named.length > 0 ? named[0] : null;
  const ways = (rows ?? []).flatMap((row) =>
    row.source.filter((source) => only === null || source === only).map((source) => ({ source, dest: destination(row, source), row })));
  mark("hit", [...ways, ...ways.map(({ source }) => ({ source: "", dest: source, row: null })), ...named.map((dest) => ({ source: "", dest, row: null }))]);
  reveal(reading ? named.at(-1) : present());
}

/** The whole of the picture. */
function whole() {
  const [x, y, width, height] = (picture().dataset.whole ?? picture().getAttribute("viewBox") ?? "0 0 1 1").split(/[\s,]+/).map(Number);
  picture().dataset.whole = [x, y, width, height].join(" ");
  return { x, y, width, height };
}

/** @param {typeof sight} box */
function look(box) {
  const { width } = whole();
  sight = box;
  picture().setAttribute("viewBox", `${box.x} ${box.y} ${box.width} ${box.height}`);
  picture().classList.toggle("zoomed", box.width < width * 0.999);
}

function fit() {
  look(whole());
}

/**
 * @param {number} factor More than 1 to come closer
 * @param {{x: number, y: number}} [at] What stays where it is, in the picture's own units
 */
function zoom(factor, at = { x: sight.x + sight.width / 2, y: sight.y + sight.height / 2 }) {
  const { width, height } = whole();
  const scale = Math.min(Math.max(sight.width / factor, width / 8), width) / sight.width;
  if (sight.width * scale >= width) return fit();
  look({
    x: at.x - (at.x - sight.x) * scale, y: at.y - (at.y - sight.y) * scale,
    width: sight.width * scale, height: height * (sight.width * scale) / width,
  });
}

const nearer = () => zoom(1.5);
const farther = () => zoom(1 / 1.5);

/** Shows the whole of the picture, and does not come nearer again by itself. */
function showAll() {
  following = false;
  fit();
}

/** Brings a state into sight, and nearer if the whole is too small to be read. @param {string | undefined} name */
function reveal(name) {
  const node = name === undefined ? null : /** @type {SVGGElement | null} */ (nodeOf(name));
  if (node === null || !following) return;
  const scale = picture().getScreenCTM()?.a ?? 1;
  if (scale < LEGIBLE) zoom(LEGIBLE / scale);
  if (!picture().classList.contains("zoomed")) return;
  const frame = picture().getBoundingClientRect();
  const box = node.getBoundingClientRect();
  if (box.left >= frame.left && box.right <= frame.right && box.top >= frame.top && box.bottom <= frame.bottom) return;
  const middle = inPicture(box.x + box.width / 2, box.y + box.height / 2);
  look({ ...sight, x: middle.x - sight.width / 2, y: middle.y - sight.height / 2 });
}

/**
 * A point of the window in the picture's own units.
 * @param {number} x
 * @param {number} y
 */
function inPicture(x, y) {
  return new DOMPoint(x, y).matrixTransform(picture().getScreenCTM()?.inverse());
}

/** Zooming by wheel and moving by dragging. */
function listenToPicture() {
  const frame = element("picture");
  frame.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 200), inPicture(event.clientX, event.clientY));
  }, { passive: false });
  frame.addEventListener("pointerdown", (down) => {
    if (!picture().classList.contains("zoomed") || down.button !== 0) return;
    const start = inPicture(down.clientX, down.clientY);
    let moved = false;
    const move = (/** @type {PointerEvent} */ event) => {
      const now = inPicture(event.clientX, event.clientY);
      moved ||= Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) > 4;
      picture().classList.toggle("grabbed", moved);
      if (moved) look({ ...sight, x: sight.x + start.x - now.x, y: sight.y + start.y - now.y });
    };
    const up = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", up);
      window.removeEventListener("pointercancel", up);
      picture().classList.remove("grabbed");
      // The click that ends a drag is none.
      if (moved) window.addEventListener("click", (event) => event.stopPropagation(), { capture: true, once: true });
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up);
    window.addEventListener("pointercancel", up);
  });
}

// Searching -----------------------------------------------------------------------------------------------------------

/** @returns {Found[]} */
function everything() {
  /** @type {Found[]} */
  const all = [];
  const add = (/** @type {Subject} */ subject, /** @type {string} */ about) =>
    all.push({ kind: subject.kind, text: subject.name, about, subject, rows: subjectRows(subject) });
  for (const { name, meaning, owns } of chart.states) add({ kind: "state", name }, [meaning, owns && `Owns ${owns}.`].filter(Boolean).join(" "));
  for (const name of triggers(chart)) add({ kind: "event", name }, "");
  for (const name of new Set(chart.rows.flatMap((row) => [...row.conditions, ...row.unless]))) {
    add({ kind: "guard", name }, chart.guards?.[name] ?? "");
  }
  const done = [...chart.states.flatMap((state) => [...state.on_enter, ...state.on_exit]), ...chart.rows.flatMap((row) => [...row.prepare, ...row.before, ...row.after])];
  for (const name of new Set(done)) add({ kind: "action", name }, chart.actions?.[name] ?? "");
  for (const row of chart.rows) {
    if (row.reason === "") continue;
    const about = `${row.trigger} in ${row.source.join(", ")}`;
    all.push({ kind: "reason", text: row.reason, about, subject: { kind: "event", name: row.trigger, row }, rows: [row] });
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
  const pattern = new RegExp(`(${words.map((word) => word.replace(/[^\p{L}\p{N}\s]/gu, "\\$&").replace(/\\_/g, "_")).join("|")})`, "gi");
  return text.split(pattern).map((part, index) => (index % 2 === 1 ? make("mark", {}, part) : part));
}

function search() {
  const input = /** @type {HTMLInputElement} */ (element("search"));
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (/** @type {Found} */ { text, about, kind }) => {
    const all = (kind === "reason" ? text : `${text} ${about}`).toLowerCase();
    return words.every((word) => all.includes(word));
  };
  const list = element("results");
  results = words.length === 0 ? [] : everything().filter(matches);
  active = 0;
  list.hidden = words.length === 0;
  input.setAttribute("aria-expanded", String(words.length > 0));
  list.replaceChildren(
    ...results.map(({ kind, text, about }, index) =>
      make("li", { role: "option", id: `result-${index}`, onpointermove: () => choose(index), onclick: () => jump(index) },
        make("span", { class: "kind" }, kind),
        make("span", { class: kind === "reason" ? "" : "name" }, ...marked(text, words)),
        about !== "" && make("span", { class: "about" }, ...(kind === "reason" ? [about] : marked(about, words))))),
    ...(words.length > 0 && results.length === 0
      ? [make("li", { role: "option", "aria-disabled": "true", class: "nothing" }, "Nothing in this chart is called so.")]
      : []));
  choose(0);
  renderPicture(words.length === 0 ? null : results.flatMap(({ rows }) => rows));
}

/** @param {number} index */
function choose(index) {
  active = Math.min(Math.max(index, 0), results.length - 1);
  const input = element("search");
  for (const option of element("results").children) option.setAttribute("aria-selected", String(option.id === `result-${active}`));
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

// The address ---------------------------------------------------------------------------------------------------------

/** What the page shows, as the fragment of its address. */
function fragment() {
  const parts = [];
  const { subject, walk: events } = shown;
  const encoded = encodeURIComponent;
  if (events.length > 0) {
    const words = events.map(({ trigger, answers }) =>
      [encoded(trigger), answers.map((answer) => (answer ? "y" : "n")).join("")].filter(Boolean).join(":"));
    parts.push(`walk=${words.join(",")}`);
  } else if (shown.tab === "walk") parts.push("walk");
  if (shown.tab === "read" && subject?.kind === "arrow") parts.push(`arrow=${encoded(subject.name)},${encoded(subject.dest ?? "")}`);
  else if (shown.tab === "read" && subject !== null) parts.push(`${subject.kind}=${encoded(subject.name)}`);
  else if (shown.tab === "read" && events.length > 0) parts.push("states");
  if (shown.view !== chart.views[0]) parts.push(`view=${encoded(shown.view)}`);
  return parts.join("&");
}

/** Puts what is shown into the address; the browser's way back undoes it. */
function remember() {
  const next = `#${fragment()}`;
  if (next !== (location.hash || "#")) history.pushState(null, "", next);
}

/** Shows what the address says; what it says wrongly is told. */
function recall() {
  const wrong = [];
  Object.assign(shown, { tab: "read", subject: null, walk: [], view: chart.views[0] });
  pending = null;
  for (const part of location.hash.slice(1).split("&").filter(Boolean)) {
    const [key, value = ""] = part.split(/=(.*)/s);
    const names = decoded(value.split(","));
    if (names === null) wrong.push(`“${part}” is not a link of this page`);
    else if (key === "walk") {
      if (!location.hash.match(/[#&](states|state|event|guard|action|arrow)\b/)) shown.tab = "walk";
      const events = value.split(",").filter(Boolean).map((word) => {
        const [trigger, answers = ""] = word.split(":");
        return { trigger: decodeURIComponent(trigger), answers: [...answers].map((letter) => letter === "y") };
      });
      const taken = walk(chart, events);
      shown.walk = taken.map(({ trigger, answers }) => ({ trigger, answers }));
      const kept = taken.length;
      const different = taken.findIndex(({ answers }, index) => answers.length !== events[index].answers.length);
      if (kept < events.length) {
        const { trigger } = events[kept];
        const place = taken.at(-1)?.dest ?? chart.initial;
        wrong.push(`the link's walk ends after ${counted(kept, "event")}: in ${place} this chart does not decide ${trigger} as it does`);
      } else if (different >= 0) {
        wrong.push(`this chart asks less of ${events[different].trigger} (event ${different + 1}) than the link's walk answers`);
      }
    } else if (key === "view") {
      if (chart.views.includes(names[0])) shown.view = names[0];
      else wrong.push(`there is no view ${names[0]}; there are ${chart.views.join(", ")}`);
    } else if (key !== "states") {
      /** @type {Subject} */
      const subject = { kind: /** @type {Kind} */ (key), name: names[0], dest: names[1] };
      if (["state", "event", "guard", "action", "arrow"].includes(key) && exists(subject)) shown.subject = subject;
      else wrong.push(`this chart has no ${key} ${names.join(", ")}`);
    }
  }
  render();
  if (wrong.length > 0) say(`Not all of the link is shown: ${wrong.join("; ")}.`);
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

// Showing -------------------------------------------------------------------------------------------------------------

/** @param {Subject | null} subject */
function explain(subject) {
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

/** @param {"read" | "walk"} tab */
function turnTo(tab) {
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

function render() {
  element("notice").hidden = true;
  for (const tab of /** @type {const} */ (["read", "walk"])) {
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
  renderPicture();
}

/**
 * @param {string} id
 * @param {string} selector
 */
function focusIn(id, selector) {
  if (element(id).hidden) return;
  const target = element(id).querySelector(selector) ?? element(id).querySelector(".events button, .answers button, h2");
  /** @type {HTMLElement | null} */ (target)?.focus({ preventScroll: target?.matches("h2") });
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

// Keys ----------------------------------------------------------------------------------------------------------------

const help = () => /** @type {HTMLDialogElement} */ (element("help")).showModal();

/** @type {{keys: string[], what: string, run: () => void}[]} */
const shortcuts = [
  { keys: ["/"], what: "Search", run: () => element("search").focus() },
  { keys: ["s"], what: "All states", run: () => explain(null) },
  { keys: ["d"], what: "To the diagram; arrow keys go from state to state", run: () => /** @type {SVGElement | null} */ (picture().querySelector(".node[tabindex='0']"))?.focus() },
  { keys: ["w"], what: "Walk", run: () => { turnTo("walk"); focusIn("walk", ".events button"); } },
  { keys: ["y"], what: "Answer a guard: yes", run: () => reply(true) },
  { keys: ["n"], what: "Answer a guard: no", run: () => reply(false) },
  { keys: ["u"], what: "Undo", run: () => { if (shown.tab === "walk") undo(); } },
  { keys: ["r"], what: "Restart the walk", run: () => { if (shown.tab === "walk") restart(); } },
  { keys: ["c"], what: "Copy the walk as a test", run: copyTest },
  { keys: ["v"], what: "The next view of the diagram", run: () => turnView(chart.views[(chart.views.indexOf(shown.view) + 1) % chart.views.length]) },
  { keys: ["+", "="], what: "Zoom in", run: nearer },
  { keys: ["-"], what: "Zoom out", run: farther },
  { keys: ["0"], what: "Show all of the diagram", run: showAll },
  { keys: ["t"], what: "Light or dark", run: toggleTheme },
  { keys: ["?"], what: "These shortcuts", run: help },
  { keys: ["Escape"], what: "Back: out of a question, an explanation", run: () => { if (pending !== null) cancel(); else if (shown.subject !== null && shown.tab === "read") explain(null); } },
];

/** @param {KeyboardEvent} event */
function pressed(event) {
  const within = event.target instanceof Element ? event.target : document.body;
  if (event.ctrlKey || event.metaKey || event.altKey || within.closest("input, dialog")) return;
  const buttons = within.closest(".events, .states, .answers, [role='tablist']")?.querySelectorAll("button");
  if (buttons !== undefined && event.key.startsWith("Arrow")) {
    const list = [...buttons];
    const next = list[list.indexOf(/** @type {HTMLButtonElement} */ (within)) + (/Down|Right/.test(event.key) ? 1 : -1)];
    next?.focus();
    if (next?.getAttribute("role") === "tab") turnTo(next.id === "tab-walk" ? "walk" : "read");
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

// Beginning -----------------------------------------------------------------------------------------------------------

function begin() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  setTheme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));

  element("summary").textContent =
    `${[counted(chart.states.length, "state"), counted(triggers(chart).length, "event"), counted(chart.rows.length, "row")].join(", ")}: all that it does, and why.`;
  const roles = new Set(chart.states.map((state) => state.role).filter((role) => role !== null));
  element("legend").append(
    ...[...roles].map((role) => make("li", {}, make("span", { class: `swatch ${role}`, "aria-hidden": "true" }), role)));
  element("views").append(
    ...chart.views.map((view) => make("button", { type: "button", onclick: () => turnView(view) }, view[0].toUpperCase() + view.slice(1))));
  element("help").querySelector("dl")?.append(
    ...shortcuts.flatMap(({ keys, what }) => [make("dt", {}, make("kbd", {}, keys[0])), make("dd", {}, what)]));
  element("everything").append(contents(), ...chart.states.map(stateArticle));
  for (const folded of element("everything").querySelectorAll("details")) folded.open = true;

  preparePictures();
  listenToPicture();
  for (const [id, run] of /** @type {[string, () => void][]} */ ([
    ["zoom-in", nearer], ["zoom-out", farther], ["zoom-fit", showAll], ["theme", toggleTheme], ["shortcuts", help],
    ["tab-read", () => turnTo("read")], ["tab-walk", () => turnTo("walk")],
  ])) element(id).addEventListener("click", run);
  element("search").addEventListener("input", search);
  element("search").addEventListener("keydown", searchKey);
  document.addEventListener("pointerdown", (event) => {
    if (event.target instanceof Element && !event.target.closest(".search") && !element("results").hidden) closeSearch();
  });
  document.addEventListener("keydown", pressed);
  for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, tip);
  document.addEventListener("scroll", () => { element("tip").hidden = true; }, { capture: true, passive: true });
  window.addEventListener("popstate", recall);
  recall();
}

begin();
