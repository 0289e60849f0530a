"use strict";

const AFTER_TYPING_MS = 150;
const AFTER_TROUBLE_MS = 2000;
const byId = (id) => document.getElementById(id);
const form = byId("form");

/** An element with properties and children; texts become text, never markup. */
function make(tag, properties, ...children) {
  const made = document.createElement(tag);
  const { data, ...others } = properties || {};
  Object.assign(made, others);
  Object.assign(made.dataset, data || {});
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const PIECES = { same: "span", mark: "mark", old: "del", new: "ins", gap: "span" };
const text = (pieces) =>
  make("div", { className: "text" }, ...pieces.map(([kind, said]) => make(PIECES[kind], {}, said)));

function finding(found) {
  const line = make("div", {}, make("strong", {}, found.principle), ` → ${found.action} `,
    make("span", { className: "quiet" },
      `${found.value} · ${found.severity} · ${found.critic}${found.place ? ` · ${found.place}` : ""}`));
  const more = [found.text, found.cause === "policy" ? "" : `cause: ${found.cause}`, found.reason];
  return make("li", {}, line, ...more.filter(Boolean).map((said) => make("div", { className: "quiet" }, said)));
}

function part(title, ...content) {
  return [make("h3", {}, title), ...content];
}

function decision(made) {
  const stage = { input: "The prompt", output: "The reply" }[made.stage] || made.stage;
  const card = make("article", { className: "card", data: { verdict: made.verdict, stage: made.stage } },
    make("h2", {}, stage, make("span", { className: "verdict" }, made.verdict.toUpperCase()),
      made.cause && made.cause !== "policy" ? make("span", { className: "quiet" }, made.cause) : null),
    text(made.marked));
  if (made.findings.length) {
    card.append(...part("Critique", make("ul", {}, ...made.findings.map(finding))));
  }
  if (made.changed) {
    card.append(...part("Revision", text(made.changed)));
  }
  if (!made.delivers) {
    card.append(...part(`Sent instead (${made.reply})`, make("div", { className: "text" }, made.delivered)));
  }
  if (made.open.length) {
    const open = made.open.map((one) => make("li", {}, make("strong", {}, one.id), ` ${one.text}`));
    card.append(make("details", {},
      make("summary", {}, `Not judged: ${open.length} for a model to look at`), make("ul", {}, ...open)));
  }
  return card;
}

function attributes(written) {
  const pairs = written.split("\n").map((line) => line.split("=")).filter((pair) => pair[0].trim() && pair.length > 1);
  return Object.fromEntries(pairs.map(([key, ...value]) => [key.trim(), value.join("=").trim()]));
}

let asked = 0;
async function check() {
  const mine = ++asked;
  const question = {
    prompt: form.elements.prompt.value.toWellFormed(),
    reply: form.elements.reply.value.toWellFormed(),
    language: form.elements.language.value.trim(),
    attributes: attributes(form.elements.attributes.value),
  };
  const open = new Set([...document.querySelectorAll("#decisions details[open]")]
    .map((one) => one.closest(".card").dataset.stage));
  let cards;
  let said;
  try {
    const answer = await fetch("/check", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(question),
    });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.error);
    cards = told.decisions.map(decision);
    said = told.decisions.map((made) =>
      `${made.stage === "input" ? "Prompt" : "Reply"}: ${made.verdict}, ${made.findings.length} findings.`).join(" ");
  } catch (error) {
    cards = [make("p", { className: "card", data: { verdict: "block" } }, `It could not be checked: ${error.message}`)];
    said = "It could not be checked.";
  }
  if (mine !== asked) return; // something newer was typed meanwhile
  if (!cards.length) cards = [make("p", { className: "quiet" }, "Type a prompt or a reply.")];
  byId("decisions").replaceChildren(...cards);
  for (const card of document.querySelectorAll("#decisions .card")) {
    const details = card.querySelector("details");
    if (details && open.has(card.dataset.stage)) details.open = true;
  }
  if (byId("said").textContent !== said) byId("said").textContent = said;
}

function place(line, ...said) {
  return make("li", {}, make("strong", { className: "mono" }, `line ${line} `), ...said);
}

function showState(state) {
  const found = state.constitution;
  byId("name").textContent = found ? found.title || found.id : "Constitution playground";
  byId("pin").textContent = found
    ? `${found.id} ${found.version} · ${found.principles} principles · ${found.digest.slice(0, 19)}…` : "";
  document.title = `${found ? found.id : "Constitution"} · playground`;

  byId("trouble").hidden = !state.problems.length;
  byId("stale").hidden = !(state.stale && found);
  byId("problems").replaceChildren(...state.problems.map((problem) => place(
    `${problem.line}:${problem.column}`, problem.where ? `${problem.where}: ` : "", problem.what,
    problem.hint ? `; ${problem.hint}` : "",
    problem.source ? make("code", { className: "source", tabIndex: 0 }, problem.source) : null)));

  const failed = state.tests.filter((test) => test.status === "failed");
  const badge = byId("tests");
  badge.hidden = !state.tests.length;
  badge.dataset.bad = String(failed.length > 0);
  const passed = state.tests.filter((test) => test.status === "passed").length;
  badge.textContent = `tests: ${passed} passed, ${failed.length} failed, ${state.tests.length - passed - failed.length} not judged`;

  const lines = [
    ...failed.map((test) => place(test.place, `test “${test.name}” fails: ${test.message}`)),
    ...state.findings.map((one) => place(one.line, `${one.code} ${one.level}: ${one.message}; `,
      make("span", { className: "quiet" }, one.hint))),
  ];
  byId("advice").replaceChildren(lines.length ? make("ul", {}, ...lines)
    : make("p", { className: "quiet" }, state.problems.length ? "Mend what is above first." : "Lint finds nothing, and every test passes."));
}

async function follow() {
  let revision = 0;
  for (;;) {
    try {
      const answer = await fetch(`/state?since=${revision}`);
      if (!answer.ok) throw new Error(answer.statusText);
      const state = await answer.json();
      if (state.revision !== revision) {
        revision = state.revision;
        showState(state);
        await check();
      }
    } catch (error) {
      byId("pin").textContent = "The playground has stopped; start it again, and this page goes on.";
      revision = 0;
      await new Promise((resolve) => setTimeout(resolve, AFTER_TROUBLE_MS));
    }
  }
}

let typing;
form.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(check, AFTER_TYPING_MS);
});
form.addEventListener("submit", (event) => event.preventDefault());
follow();
