"use strict";
// What a chart does with an event, read from the chart's rows.  Nothing in here knows of a page.

/**
 * @typedef {object} State
 * @property {string} name
 * @property {string} meaning
 * @property {string} owns
 * @property {string | null} role
 * @property {boolean} final
 * @property {string[]} on_enter
 * @property {string[]} on_exit
 *
 * @typedef {object} Row
 * @property {string} trigger
 * @property {string[]} source
 * @property {string | null} dest A state, "=" to leave and enter the source again, or null to stay
 * @property {string[]} prepare
 * @property {string[]} conditions
 * @property {string[]} unless
 * @property {string[]} before
 * @property {string[]} after
 * @property {string} reason
 * @property {boolean} ignored
 *
 * @typedef {object} Chart
 * @property {string} name
 * @property {string} initial
 * @property {State[]} states
 * @property {Row[]} rows
 * @property {Record<string, string> | null} guards What each guard means, by name
 * @property {Record<string, string> | null} actions
 * @property {string} otherwise What becomes of events that no row decides, in one sentence
 *
 * @typedef {object} Sent An event of a walk
 * @property {string} trigger
 * @property {boolean[]} answers What the walker was asked, in the order of the questions
 *
 * @typedef {object} Asked
 * @property {string} guard
 * @property {boolean} answer
 *
 * @typedef {object} Step What an event came to
 * @property {string} trigger
 * @property {string} source The state before
 * @property {string} dest The state after
 * @property {Row | null} row The row that was taken
 * @property {Row[]} refused The rows that were tried before it
 * @property {Asked[]} asked Every guard that was asked, in order
 * @property {string[]} actions In order
 * @property {string | null} question The guard whose answer is missing; then no row is taken yet
 * @property {boolean[]} answers Those that were used
 */

/**
 * The events of a chart, in the order of their first rows.
 * @param {Chart} chart
 * @returns {string[]}
 */
function triggers(chart) {
  return [...new Set(chart.rows.map((row) => row.trigger))];
}

/**
 * The rows that decide one event in one state, in the order in which they are tried.
 * @param {Chart} chart
 * @param {string} state
 * @param {string} trigger
 * @returns {Row[]}
 */
function cell(chart, state, trigger) {
  return chart.rows.filter((row) => row.trigger === trigger && row.source.includes(state));
}

/**
 * Where a row leads from a state.
 * @param {Row} row
 * @param {string} source
 * @returns {string}
 */
function destination(row, source) {
  return row.dest === null || row.dest === "=" ? source : row.dest;
}

/**
 * The guards of a row in the order in which they are asked, each with the answer that the row wants.
 * @param {Row} row
 * @returns {Asked[]}
 */
function guards(row) {
  return [
    ...row.conditions.map((guard) => ({ guard, answer: true })),
    ...row.unless.map((guard) => ({ guard, answer: false })),
  ];
}

/**
 * What a row does once it is taken, in order.
 * @param {Chart} chart
 * @param {Row} row
 * @param {string} source
 * @returns {string[]}
 */
function actions(chart, row, source) {
  if (row.dest === null) return [...row.before, ...row.after];
  const state = (/** @type {string} */ name) => chart.states.find((known) => known.name === name);
  const exit = state(source)?.on_exit ?? [];
  const entry = state(destination(row, source))?.on_enter ?? [];
  return [...row.before, ...exit, ...entry, ...row.after];
}

/**
 * Sends an event to a chart in a state.  The rows are tried in order: a row prepares itself, asks its guards until one
 * does not answer as it wants, and is taken if all do.  A guard keeps its answer until a row prepares something.
 * @param {Chart} chart
 * @param {string} source
 * @param {Sent} sent
 * @returns {Step} With a question if the answers do not suffice; with neither if no row is taken
 */
function step(chart, source, { trigger, answers }) {
  /** @type {Step} */
  const result = {
    trigger,
    source,
    dest: source,
    row: null,
    refused: [],
    asked: [],
    actions: [],
    question: null,
    answers: [],
  };
  /** @type {Map<string, boolean>} */
  const known = new Map();
  for (const row of cell(chart, source, trigger)) {
    if (row.prepare.length > 0) known.clear();
    result.actions.push(...row.prepare);
    let agreed = true;
    for (const { guard, answer: wanted } of guards(row)) {
      let answer = known.get(guard);
      if (answer === undefined) {
        answer = answers[result.answers.length];
        if (answer === undefined) return { ...result, question: guard };
        known.set(guard, answer);
        result.answers.push(answer);
      }
      result.asked.push({ guard, answer });
      agreed = answer === wanted;
      if (!agreed) break;
    }
    if (agreed) {
      result.actions.push(...actions(chart, row, source));
      return { ...result, row, dest: destination(row, source) };
    }
    result.refused.push(row);
  }
  return result;
}

/**
 * Sends events one after the other, from the initial state, as far as each is decided.
 * @param {Chart} chart
 * @param {Sent[]} events
 * @returns {Step[]}
 */
function walk(chart, events) {
  /** @type {Step[]} */
  const steps = [];
  for (const sent of events) {
    const taken = step(chart, steps.at(-1)?.dest ?? chart.initial, sent);
    if (taken.row === null) break;
    steps.push(taken);
  }
  return steps;
}
