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

// The editor

let parts = null; // what changes in it while somebody types
let fields = 0;

const field = (label, control, hint = null) => {
  control.classList.add("es-entry");
  control.id = `es-prompt-field-${(fields += 1)}`;
  if (hint) hint.id = `${control.id}-hint`;
  if (hint) control.setAttribute("aria-describedby", hint.id);
  return made("div", { class: "es-prompt-field" }, made("label", { htmlFor: control.id }, label), control, hint);
};

const fit = (area) => {
  area.style.height = "auto";
  if (area.scrollHeight) area.style.height = `${area.scrollHeight + 2}px`;
};

const drawEditor = () => {
  const template = current(open);
  if (!template) {
    parts = null;
    editor.replaceChildren(made("p", { class: "es-soft" }, "Choose a template."));
    return;
  }
  const mine = isMine(open);
  parts = {
    title: made("h2", {}),
    actions: made("div", { class: "es-prompt-actions" }),
    variables: made("div", { class: "es-prompt-variables" }),
    names: null,
    preview: made("div", { class: "es-prompt-preview" }),
    verdict: made("p", { class: "es-prompt-verdict", role: "status" }),
  };
  const text = made("textarea", {
    class: "es-prompt-text", rows: mine ? 3 : 1, readOnly: !mine, value: template.text, spellcheck: mine, oninput: () => {
      fit(text);
      edit({ text: text.value });
    },
  });
  const kind = store.served.tasks.find(({ task }) => task === template.task);
  const origin = saved(open) || mine ? "own" : shelved(open).origin;
  editor.replaceChildren(
    made("button", { type: "button", class: "es-prompt-back", onclick: () => back() }, "↑ All templates"),
    made("header", {}, made("div", {}, parts.title, made("span", { class: "es-soft es-small" }, `${ORIGINS[origin]}${mine ? "" : `, for ${kind.title.toLowerCase()}: duplicate it to change it`}`)), parts.actions),
    mine ? naming(template) : "",
    field("What it says", text, mine ? hints(text) : null),
    parts.variables,
    made("div", { class: "es-prompt-field" }, made("h3", {}, "What a system is told"), parts.preview, parts.verdict),
  );
  fit(text);
  drawTyped();
};

const naming = (template) => {
  const title = made("input", { type: "text", value: template.label, maxLength: 80, autocomplete: "off", "data-field": "label" });
  const name = made("input", { type: "text", value: template.name, maxLength: 40, autocomplete: "off", spellcheck: false, "data-field": "name" });
  const task = made("select", { "data-field": "task", onchange: () => edit({ task: task.value }) });
  for (const each of store.served.tasks) {
    task.append(made("option", { value: each.task, selected: each.task === template.task }, each.scored ? each.title : `${each.title} (not scored)`));
  }
  title.addEventListener("input", () => {
    if (fresh.has(open)) name.value = slug(title.value);
    edit({ label: title.value, name: name.value });
  });
  name.addEventListener("input", () => {
    fresh.delete(open);
    edit({ name: name.value });
  });
  return made("div", { class: "es-prompt-naming" }, field("Title", title), field("Name, after the #", name), field("Task", task));
};

const hints = (text) => {
  const put = (name) => {
    text.setRangeText(`{${name}}`, text.selectionStart, text.selectionEnd, "end");
    text.focus();
    text.dispatchEvent(new Event("input"));
  };
  return made(
    "p",
    { class: "es-prompt-hints es-soft es-small" },
    "Put in a variable: ",
    ...Object.entries(store.served.variables).map(([name, meaning]) =>
      made("button", { type: "button", title: meaning, onclick: () => put(name) }, `{${name}}`),
    ),
  );
};

const drawTyped = () => {
  if (!parts) return;
  const template = current(open);
  parts.title.textContent = template.label || template.name || "Without a title";
  drawActions();
  const names = store.variables(template.text);
  const shown = JSON.stringify([names, template.defaults ?? {}]);
  if (parts.names !== shown) {
    parts.names = shown;
    drawVariables(template, names);
  }
  clearTimeout(waiting);
  waiting = setTimeout(preview, parts.preview.firstChild ? 200 : 0);
};

const drawActions = () => {
  const mine = isMine(open);
  const draft = open in store.kept.drafts;
  const held = parts.actions.contains(document.activeElement) ? document.activeElement.textContent : null;
  const action = (label, act, more = {}) => made("button", { type: "button", onclick: act, ...more }, label);
  const kept = mine && !draft ? made("span", { class: "es-soft es-small" }, store.lasting ? "Saved in this browser" : "Kept until this page is left") : null;
  parts.actions.replaceChildren(
    ...[
      kept,
      draft && action("Save", save, { class: "es-prompt-save" }),
      draft && action(saved(open) ? "Discard changes" : "Discard", discard),
      action("Duplicate", duplicate),
      saved(open) && action("Delete", remove),
    ].filter(Boolean),
  );
  if (held) Array.from(parts.actions.querySelectorAll("button")).find((button) => button.textContent === held)?.focus();
};

const drawVariables = (template, names) => {
  const held = parts.variables.contains(document.activeElement) ? document.activeElement.dataset.variable : null;
  const mine = isMine(open);
  parts.variables.replaceChildren(
    ...names.map((name) => {
      const given = template.defaults?.[name];
      const input = made("input", {
        type: "text", "data-variable": name, value: store.kept.values[name] ?? "", autocomplete: "off",
        placeholder: given || "no value yet",
        oninput: () => {
          value(name, input.value);
          offer();
        },
      });
      const keep = made(
        "button",
        {
          type: "button", class: "es-prompt-link", title: "The template then carries this value, also when it is exported",
          onclick: () => {
            edit({ defaults: { ...current(open).defaults, [name]: input.value.trim() } });
            parts.variables.querySelector(`[data-variable="${CSS.escape(name)}"]`)?.focus();
          },
        },
        "Keep as its default",
      );
      const offer = () => {
        keep.hidden = !mine || !input.value.trim() || input.value.trim() === given;
      };
      offer();
      return field(
        `{${name}}`,
        input,
        made(
          "p",
          { class: "es-soft es-small" },
          store.served.variables[name] ?? "Not a variable that Earshot knows.",
          given ? ` If left empty: ${given}.` : "",
          " ",
          keep,
        ),
      );
    }),
  );
  parts.variables.hidden = !names.length;
  if (held) parts.variables.querySelector(`[data-variable="${CSS.escape(held)}"]`)?.focus();
};

const preview = async () => {
  const number = (previewing += 1);
  const into = parts;
  const answer = await asked("preview", { template: bare(current(open)), values: store.kept.values });
  if (number !== previewing || into !== parts || !parts) return;
  if (!answer) {
    parts.verdict.textContent = "Earshot does not answer: the preview waits for it.";
    parts.verdict.className = "es-prompt-verdict bad";
    return;
  }
  parts.preview.replaceChildren(...answer.pieces.map(([kind, text]) => (kind === "text" ? text : made("mark", { class: `es-prompt-${kind}` }, text))));
  parts.verdict.className = `es-prompt-verdict${answer.fault ? " bad" : answer.gaps.length ? " gaps" : ""}`;
  parts.verdict.textContent = answer.verdict;
};

// What people do

const edit = (change) => {
  const key = open;
  store.change((kept) => {
    const draft = { ...bare(kept.drafts[key] ?? kept.own.find((each) => each.name === key)), ...change };
    const mine = kept.own.find((each) => each.name === key);
    if (mine && same(bare(mine), draft)) delete kept.drafts[key];
    else kept.drafts[key] = draft;
  }, root);
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
