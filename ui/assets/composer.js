// What is asked: quick buttons, prompts with their variables, or words of one's own. Value: {templates, quick, busy, why, at}.
// "ask" carries {template, values} or {text}; "stop" carries nothing. What a prompt comes to is asked of the server.
const form = element.querySelector("form");
const field = element.querySelector(".es-words textarea");
const send = element.querySelector(".es-send");
const halt = element.querySelector(".es-halt");
const picker = element.querySelector(".es-templates");
const draft = element.querySelector(".es-draft");
const told = draft.querySelector(".es-rendered");
const safe = element.querySelector(".es-safe");
let chosen = null; // the template that is being filled in
let stopping = false;
let sent = false; // asked, and nothing heard of it yet
let listed = "";
let from = null; // where the focus was before Stop had it
let asking = 0;

let latest = props.value || {}; // what is known as of its time `at`
const now = () => latest;
const templates = () => now().templates || [];
const busy = () => sent || Boolean(now().busy);

const made = (tag, text, attributes = {}) => {
  const node = document.createElement(tag);
  node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};

const list = () => {
  const key = JSON.stringify(templates().map(({ name, label, task }) => [name, label, task]));
  if (key === listed) return;
  listed = key;
  picker.replaceChildren(made("option", "Prompts", { value: "" }));
  const groups = new Map();
  for (const { name, label, title } of templates()) {
    if (!groups.has(title)) groups.set(title, made("optgroup", "", { label: title }));
    groups.get(title).append(made("option", label, { value: name }));
  }
  picker.append(...groups.values());
};

const values = () => Object.fromEntries(Array.from(draft.querySelectorAll("[data-variable]"), (each) => [each.dataset.variable, each.value]));

// What a system would be told, as the server renders it; the last question asked of the server counts.
const preview = async () => {
  const mine = ++asking;
  const asked = chosen ? { template: chosen.plain, values: values() } : { text: field.value };
  let answer = null;
  try {
    answer = await server.rendered(asked);
  } catch {
    return; // the server is away; asking will say so
  }
  if (mine !== asking || !answer) return;
  if (chosen) {
    told.replaceChildren(...answer.pieces.map(([kind, text]) => made(kind === "gap" ? "mark" : "span", text)));
    draft.querySelector(".es-verdict").textContent = answer.fault ?? "";
    draft.dataset.ready = answer.fault ? "" : "yes";
  } else {
    const text = answer.pieces.map(([, piece]) => piece).join("");
    safe.hidden = !answer.changed;
    safe.textContent = answer.changed ? `It will be sent as: ${text}` : "";
  }
  draw();
};
let later = null;
const previewSoon = () => {
  clearTimeout(later);
  later = setTimeout(preview, 200);
};

const choose = (name) => {
  chosen = templates().find((each) => each.name === name) ?? null;
  picker.value = "";
  draft.hidden = !chosen;
  element.querySelector(".es-words").hidden = Boolean(chosen);
  safe.hidden = true;
  if (chosen) {
    draft.querySelector(".es-name").replaceChildren(made("b", chosen.label), made("span", ` #${chosen.name}`, { class: "es-soft" }));
    const fields = chosen.variables.map(({ name: variable, about, value }) => {
      const label = made("label", "");
      const long = variable === "question" || variable === "terms";
      const input = made(long ? "textarea" : "input", "", { "data-variable": variable, placeholder: about, ...(long ? { rows: 1 } : { type: "text" }) });
      input.value = value ?? "";
      label.append(made("span", variable), input);
      return label;
    });
    draft.querySelector(".es-fields").replaceChildren(...fields);
    told.textContent = chosen.plain.text;
    draft.dataset.ready = "";
    draw();
    const empty = fields.map((label) => label.lastElementChild).find((input) => !input.value);
    if (empty) empty.focus();
    preview().then(() => !empty && chosen && send.focus());
  } else {
    draw();
    field.focus();
  }
};

const ask = (what) => {
  if (busy() || now().why) return;
  sent = true;
  setTimeout(() => { sent = false; draw(); }, 30_000); // whatever became of it, the page goes on
  draw();
  trigger("ask", what);
};

const submit = () => {
  if (chosen) {
    const what = { template: chosen.name, values: values() };
    if (!draft.dataset.ready || busy()) return;
    choose(null);
    ask(what);
  } else {
    const text = field.value.trim();
    if (!text || busy() || now().why) return;
    field.value = "";
    safe.hidden = true;
    fit();
    ask({ text });
  }
};

const stop = () => {
  if (!busy() || stopping) return;
  stopping = true;
  trigger("stop", {});
};

const fit = () => {
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight + 2, 220)}px`;
};

const draw = () => {
  const { why = null, quick = {} } = now();
  list();
  if (chosen && !templates().some(({ name }) => name === chosen.name)) choose(null);
  const held = element.contains(document.activeElement) ? document.activeElement : null;
  send.hidden = busy();
  halt.hidden = !busy();
  if (!busy()) stopping = false;
  send.disabled = Boolean(why) || (chosen ? !draft.dataset.ready : !field.value.trim());
  send.title = why ?? "";
  for (const button of element.querySelectorAll("[data-quick]")) {
    const template = templates().find(({ name }) => name === quick[button.dataset.quick]);
    button.disabled = busy() || Boolean(why) || !template;
    button.title = why ?? template?.told ?? "";
  }
  picker.disabled = busy() || Boolean(why);
  element.querySelector(".es-why").textContent = why ?? "";
  // A button that is gone hands its focus to Stop, and gets it back; a field keeps it.
  if (held?.matches("button, select") && (held.disabled || held.hidden)) {
    if (busy()) {
      from = held;
      halt.focus({ preventScroll: true });
    } else if (held === halt) (from && !from.disabled && !from.hidden ? from : field).focus({ preventScroll: true });
  }
};

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
element.addEventListener("click", (event) => {
  const quick = event.target.closest?.("[data-quick]")?.dataset.quick;
  if (quick) ask({ template: now().quick[quick], values: null });
  else if (event.target.closest?.(".es-halt")) stop();
  else if (event.target.closest?.(".es-drop")) choose(null);
});
picker.addEventListener("change", () => choose(picker.value));
element.addEventListener("input", (event) => {
  if (event.target === field) {
    fit();
    if (/[<>\[\]|\uff1c\uff5c]/.test(field.value) || !safe.hidden) previewSoon();
    draw();
  } else if (event.target.matches?.("[data-variable]")) previewSoon();
});
element.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.target.matches?.("textarea, input")) {
    event.preventDefault();
    if (chosen) preview().then(submit);
    else submit();
  }
});
// Escape stops an answer from anywhere on the tab, else leaves a prompt that is being filled in.
const escaped = (event) => {
  if (!element.isConnected) return document.removeEventListener("keydown", escaped);
  if (event.key !== "Escape" || event.defaultPrevented || element.offsetParent === null) return;
  if (busy()) stop();
  else if (chosen) choose(null);
};
document.addEventListener("keydown", escaped);
watch("value", () => {
  const told = props.value || {};
  if ((told.at ?? 0) < (latest.at ?? 0)) return; // it was on its way while a question began or ended
  latest = told;
  sent = false;
  const { words = null } = now();
  if (words && !field.value) field.value = words; // what could not be asked is not lost
  fit();
  draw();
});
draw();
