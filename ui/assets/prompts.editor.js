// The editor of the Prompts tab; prompts.js, whose names it uses, comes after it and says what becomes of it all.

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
    parts.verdict.className = "es-prompt-verdict faulty";
    return;
  }
  parts.preview.replaceChildren(...answer.pieces.map(([kind, text]) => (kind === "text" ? text : made("mark", { class: `es-prompt-${kind}` }, text))));
  parts.verdict.className = `es-prompt-verdict ${answer.state}`;
  parts.verdict.textContent = answer.verdict;
};
