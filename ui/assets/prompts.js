// The Prompts tab: the templates by task, and an editor beside them. What a person types is kept at once as a draft, so
// that neither another template nor a closed tab loses it; the server alone knows what is a good template, and what
// becomes of it with its variables filled in.
const root = element.querySelector(".es-prompts");
const ORIGINS = { "built-in": "built in", deployer: "this site's", own: "yours" };
const LARGEST_FILE = 1_000_000; // bytes
let open = null; // name of the template in the editor; a new one's draft has a key that no name can be
let deleted = null; // the template and draft that "Undo" brings back
let previewing = 0;
let waiting = null;

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const bare = ({ name, task, text, label, defaults }) => ({ name, task, text, label, defaults: { ...defaults } });
const saved = (key) => store.kept.own.find((template) => template.name === key);
const shelved = (key) => store.served.shelf.find((template) => template.name === key);
const current = (key) => store.kept.drafts[key] ?? saved(key) ?? shelved(key);
const isMine = (key) => !shelved(key);
const slug = (text) => text.toLowerCase().normalize("NFKD").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40);
const asked = async (name, question) => {
  try {
    return (await server[name](question)) ?? null;
  } catch {
    return null;
  }
};

// The page, once

const status = made("span", { role: "status" });
const undo = made("button", { type: "button", hidden: true, onclick: () => restore() }, "Undo");
const fresh = new Set(); // copies and new ones whose name still follows their title
const file = made("input", { type: "file", accept: ".json,application/json", hidden: true, onchange: () => importFrom(file.files[0]) });
const exporting = made("button", { type: "button", onclick: () => exportOwn() }, "Export");
const list = made("nav", { class: "es-prompt-list", "aria-label": "Prompt templates" });
const editor = made("section", { class: "es-prompt-editor es-card", "aria-label": "The chosen template", tabIndex: -1 });
root.append(
  made(
    "div",
    { class: "es-prompt-bar" },
    made("button", { type: "button", onclick: () => begin() }, "New"),
    made("button", { type: "button", title: "Take templates from a JSON file", onclick: () => file.click() }, "Import"),
    exporting,
    file,
  ),
  made("div", { class: "es-prompt-rooms" }, list, editor),
  made("p", { class: "es-prompt-said" }, status, undo),
);

const say = (text, canUndo = false) => {
  status.textContent = text;
  undo.hidden = !canUndo;
  if (!canUndo) deleted = null;
};

// The list

const row = (key, template, origin) => {
  const draft = key in store.kept.drafts;
  const isNew = draft && !saved(key);
  return made(
    "li",
    {},
    made(
      "button",
      { type: "button", "data-key": key, "aria-current": key === open ? "true" : null, onclick: () => choose(key, true) },
      made("b", {}, template.label || template.name || "Without a title"),
      made("span", {}, `#${template.name || "…"} · ${ORIGINS[origin]}`, draft ? made("i", {}, isNew ? " · not saved yet" : " · unsaved changes") : null),
    ),
  );
};

const drawList = () => {
  const held = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const rows = store.all().map((template) => [template.name, current(template.name), template.origin]);
  const known = new Set(rows.map(([key]) => key));
  for (const [key, draft] of Object.entries(store.kept.drafts)) if (!known.has(key)) rows.push([key, draft, "own"]);
  list.replaceChildren(
    ...store.served.tasks.map(({ task, title, scored }) => {
      const of = rows.filter(([, template]) => template.task === task);
      if (!of.length) return "";
      return made(
        "div",
        {},
        made("h2", {}, title, scored ? null : made("span", {}, "not scored")),
        made("ul", {}, ...of.map((each) => row(...each))),
      );
    }),
  );
  exporting.disabled = !store.kept.own.length;
  exporting.title = exporting.disabled ? "There is none of your own yet" : "Save your own templates as a JSON file";
  if (held !== null) list.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus({ preventScroll: true });
};

list.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !event.target.dataset.key) return;
  const buttons = Array.from(list.querySelectorAll("button"));
  buttons[buttons.indexOf(event.target) + step]?.focus();
  event.preventDefault();
});

// What people do

const edit = (change) => {
  const key = open;
  store.change((kept) => {
    const draft = { ...bare(kept.drafts[key] ?? kept.own.find((each) => each.name === key)), ...change };
    const mine = kept.own.find((each) => each.name === key);
    if (mine && same(bare(mine), draft)) delete kept.drafts[key];
    else kept.drafts[key] = draft;
  }, root);
  if (undo.hidden) say(""); // what was said is of before
  drawList();
  drawTyped();
};

const value = (name, text) => {
  store.change((kept) => {
    if (text) kept.values[name] = text;
    else delete kept.values[name];
  }, root);
  drawTyped();
};

const choose = (key, byHand = false) => {
  open = key;
  drawList();
  drawEditor();
  if (!byHand) return;
  say("");
  if (editor.getBoundingClientRect().top > list.getBoundingClientRect().bottom - 1) editor.scrollIntoView({ block: "start" }); // a phone
};

const back = () => {
  root.scrollIntoView({ block: "start" });
  list.querySelector(`[data-key="${CSS.escape(open)}"]`)?.focus({ preventScroll: true });
};

const newKey = () => {
  let n = 1;
  while (`+${n}` in store.kept.drafts) n += 1;
  return `+${n}`;
};

const editFrom = (name) => {
  choose(name);
  editor.scrollIntoView({ block: "nearest" });
  const title = editor.querySelector("[data-field=label]");
  title?.focus();
  title?.select();
};

const begin = () => {
  const key = newKey();
  store.change((kept) => {
    kept.drafts[key] = { name: "", task: "transcription", text: "", label: "", defaults: {} };
  }, root);
  fresh.add(key);
  say("");
  editFrom(key);
};

const duplicate = () => {
  const from = bare(current(open));
  const isDraft = open in store.kept.drafts;
  const copy = { ...from, name: store.unused(`${(from.name || "copy").slice(0, 35)}-copy`), label: `${from.label || from.name} (copy)`.trim().slice(0, 80) };
  const key = isDraft ? newKey() : copy.name;
  store.change((kept) => {
    if (isDraft) kept.drafts[key] = copy;
    else kept.own.push(copy);
  }, root);
  fresh.add(key);
  say(isDraft ? "" : `#${copy.name} is yours: change what you like.`);
  editFrom(key);
};

const save = async () => {
  const key = open;
  const draft = store.kept.drafts[key];
  if (!draft) return;
  if (draft.name !== key && store.get(draft.name)) {
    say(`There is a template called #${draft.name} already: choose another name.`);
    editor.querySelector("[data-field=name]").focus();
    return;
  }
  const answer = await asked("preview", { template: draft });
  if (!answer || answer.fault) {
    say(answer ? `Not saved: your changes are kept. ${answer.fault}` : "Earshot does not answer. Your changes are kept: save them when it is back.");
    return;
  }
  store.change((kept) => {
    const later = kept.drafts[key]; // somebody may have typed on
    delete kept.drafts[key];
    const at = kept.own.findIndex((each) => each.name === key);
    if (at < 0) kept.own.push(draft);
    else kept.own[at] = draft;
    if (later && !same(later, draft)) kept.drafts[draft.name] = later;
  }, root);
  fresh.delete(key);
  if (open === key) open = draft.name;
  drawList();
  if (open === draft.name) drawTyped();
  say(`#${draft.name} is saved${store.lasting ? " in this browser" : ", but this browser keeps nothing: export it before you leave"}.`);
};

const discard = () => {
  const key = open;
  deleted = { key, draft: store.kept.drafts[key] };
  store.change((kept) => {
    delete kept.drafts[key];
  }, root);
  choose(saved(key) ? key : store.all()[0]?.name);
  say("The changes are gone.", true);
};

const remove = () => {
  const key = open;
  deleted = { key, template: saved(key), at: store.kept.own.indexOf(saved(key)), draft: store.kept.drafts[key] };
  store.change((kept) => {
    kept.own = kept.own.filter((each) => each.name !== key);
    delete kept.drafts[key];
  }, root);
  choose(store.all()[0]?.name);
  say(`#${key} is deleted.`, true);
  undo.focus({ preventScroll: true });
};

const restore = () => {
  if (!deleted) return;
  const { key, template, at, draft } = deleted;
  const name = template ? store.unused(key) : key;
  store.change((kept) => {
    if (template) kept.own.splice(at, 0, { ...template, name });
    if (draft) kept.drafts[name] = draft;
  }, root);
  choose(name);
  say("It is back.");
  list.querySelector(`[data-key="${CSS.escape(name)}"]`)?.focus();
};

const importFrom = async (from) => {
  file.value = "";
  if (!from) return;
  if (from.size > LARGEST_FILE) {
    say(`${from.name} has ${Math.round(from.size / 1e6)} MB: that is no file of templates.`);
    return;
  }
  const answer = await asked("imported", { text: await from.text() });
  if (!answer) {
    say("Earshot does not answer: nothing was imported.");
    return;
  }
  const taken = [];
  const renamed = [];
  let known = 0;
  store.change((kept) => {
    for (const template of answer.templates.map(bare)) {
      const there = store.get(template.name);
      if (there && same(bare(there), template)) {
        known += 1;
        continue;
      }
      const name = store.unused(template.name);
      if (name !== template.name) renamed.push(`#${template.name} as #${name}, since there is another of that name`);
      kept.own.push({ ...template, name });
      taken.push(name);
    }
  }, root);
  if (taken.length) choose(taken[0]);
  const said = [
    taken.length ? `${taken.length} imported${renamed.length ? ` (${renamed.join("; ")})` : ""}.` : "",
    known ? `${known} ${known === 1 ? "was" : "were"} here already.` : "",
    answer.faults.length ? `Left out: ${answer.faults.join(" ")}` : "",
  ];
  say(said.filter(Boolean).join(" ") || "There is no template in that file.");
};

const exportOwn = async () => {
  const answer = await asked("exported", { own: store.kept.own });
  if (!answer || answer.fault) {
    say(answer ? answer.fault : "Earshot does not answer: nothing was exported.");
    return;
  }
  const link = made("a", { href: URL.createObjectURL(new Blob([answer.text], { type: "application/json;charset=utf-8" })), download: "earshot-prompts.json" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  const drafts = Object.keys(store.kept.drafts).length;
  say(drafts ? "Exported as saved: unsaved changes are not in the file." : "Exported.");
};

editor.addEventListener("keydown", (event) => {
  if (event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  save();
});

store.listen((by) => {
  if (by === root) return; // this panel draws its own changes
  if (open === null || !current(open)) open = Object.keys(store.kept.drafts)[0] ?? store.all()[0]?.name ?? null;
  drawList();
  if (by === "the server" || by === "another tab" || !parts) drawEditor();
  else drawTyped();
});
open = Object.keys(store.kept.drafts)[0] ?? store.all()[0]?.name ?? null;
drawList();
drawEditor();
