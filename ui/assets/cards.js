// The contender cards: real check boxes in a field set, drawn from {html, chosen}; the value holds the chosen names.
// New cards with chosen null leave the ticks as they are: a visitor may have changed them since the server looked.
// A system that takes prompts is a contender for each prompt picked on its card: "name#template", or "name" alone for its
// own wording. `store` and `made` come from prompts.store.js.
const list = element.querySelector(".es-pick");
const TEMPLATE = /^[a-z0-9][a-z0-9-]{0,39}$/;
const OWN_WORDING = "";
let drawn = null;
let ticked = []; // systems
const picked = new Map(); // of a system: names of templates, OWN_WORDING among them

const boxes = () => Array.from(list.querySelectorAll("input[type=checkbox]:not([data-template])"));
const picks = (system) => picked.get(system) ?? [OWN_WORDING];
const contender = (system, template) => (template === OWN_WORDING ? system : `${system}#${template}`);

// The systems and picks in names of contenders; a # in the name of a folder is the folder's.
const take = (names) => {
  const systems = new Map();
  const known = new Set(boxes().map((box) => box.value));
  for (const name of names) {
    const at = name.lastIndexOf("#");
    const isPick = !known.has(name) && at > 0 && TEMPLATE.test(name.slice(at + 1));
    const system = isPick ? name.slice(0, at) : name;
    systems.set(system, [...(systems.get(system) ?? []), isPick ? name.slice(at + 1) : OWN_WORDING]);
  }
  ticked = Array.from(systems.keys());
  for (const [system, templates] of systems) picked.set(system, templates);
};

const draw = () => {
  const value = props.value || {};
  if (value.html !== drawn) {
    const held = list.contains(document.activeElement) ? document.activeElement : null;
    const asking = held?.closest(".es-told") ?? list.querySelector(".es-told[open]");
    const before = asking && { system: asking.dataset.system, open: asking.open, within: asking.contains(held), field: { ...held?.dataset } };
    const open = list.querySelector(".es-fold")?.open;
    list.innerHTML = drawn = value.html || "";
    const chosen = Array.isArray(value.chosen) ? value.chosen : ticked;
    const fold = list.querySelector(".es-fold");
    const isChosen = (box) => chosen.some((name) => name === box.value || name.startsWith(`${box.value}#`));
    if (fold && boxes().some((box) => fold.contains(box) && isChosen(box))) fold.open = true;
    else if (fold) fold.open = open ?? fold.open;
    if (held && !asking?.contains(held)) boxes().find((box) => box.value === held.value)?.focus({ preventScroll: true });
    if (before) restore(before);
  }
  const keep = !Array.isArray(value.chosen);
  if (!keep) take(value.chosen);
  for (const box of boxes()) box.checked = ticked.includes(box.value) && box.getAttribute("aria-disabled") !== "true";
  for (const told of list.querySelectorAll(".es-told")) sum(told);
  if (keep) tell();
};

// The menu that was open, or held the focus, before the cards were drawn anew.
const restore = ({ system, open, within, field }) => {
  const told = Array.from(list.querySelectorAll(".es-told")).find((each) => each.dataset.system === system);
  if (!told) return;
  told.open = open;
  if (open) fill(told);
  if (!within) return;
  const [[kind, name] = []] = Object.entries(field);
  (kind ? told.querySelector(`[data-${kind}="${CSS.escape(name)}"]`) : told.querySelector("summary"))?.focus({ preventScroll: true });
};

const tell = () => {
  ticked = boxes().filter((box) => box.checked).map((box) => box.value);
  const asks = new Set(Array.from(list.querySelectorAll(".es-told"), (told) => told.dataset.system));
  const chosen = ticked.flatMap((system) => (asks.has(system) ? picks(system).map((template) => contender(system, template)) : [system]));
  props.value = { ...props.value, chosen };
};

const isUnscored = (name) => {
  const template = store.get(name);
  return name !== OWN_WORDING && template !== undefined && !store.served.tasks.find(({ task }) => task === template.task)?.scored;
};

// What is picked, in a line; what still lacks a value is said there, before anything runs.
const sum = (told) => {
  const templates = picks(told.dataset.system);
  const named = templates.map((template) => (template === OWN_WORDING ? "its own wording" : `#${template}`));
  const gaps = [...new Set(templates.flatMap((name) => store.gaps(store.get(name) ?? { text: "" })))];
  told.querySelector(".es-told-now").replaceChildren(
    named.length > 3 ? `${named.slice(0, 2).join(", ")} and ${named.length - 2} more` : named.join(", "),
    ...(gaps.length ? [made("b", {}, ` ${gaps.map((name) => `{${name}}`).join(", ")} missing`)] : []),
  );
};

// The menu of a card, made when it is opened: its own wording, then the templates by task.
const fill = (told) => {
  const menu = told.querySelector(".es-told-menu");
  const system = told.dataset.system;
  const held = menu.contains(document.activeElement) ? document.activeElement.dataset : null;
  const top = menu.scrollTop;
  const asked = new Set(); // variables that have their field already
  const field = (name, template) => {
    asked.add(name);
    return made(
      "label",
      { class: "es-told-value" },
      made("span", {}, `{${name}} `, made("i", {}, store.served.variables[name] ?? "")),
      made("input", { type: "text", "data-variable": name, value: store.kept.values[name] ?? "", placeholder: template.defaults?.[name] || "no value yet", autocomplete: "off" }),
    );
  };
  const option = (name, label, template = null) => {
    const isPicked = picks(system).includes(name);
    const box = made("input", { type: "checkbox", "data-template": name, value: contender(system, name), checked: isPicked });
    const variables = isPicked && template ? store.variables(template.text).filter((each) => !asked.has(each)) : [];
    return [
      made("label", {}, box, made("span", {}, label, template && made("i", {}, ` #${name}${template.origin === "own" ? " · yours" : ""}`))),
      ...variables.map((each) => field(each, template)),
    ];
  };
  const groups = (scored) =>
    store.served.tasks.filter((each) => each.scored === scored).flatMap(({ task, title }) => {
      const of = store.all().filter((template) => template.task === task);
      return of.length ? [made("h3", {}, title), ...of.flatMap((each) => option(each.name, each.label, each))] : [];
    });
  const isOpen = menu.querySelector("details")?.open ?? picks(system).some(isUnscored);
  const rows = [...option(OWN_WORDING, "Its own wording"), ...groups(true)];
  const unscored = groups(false);
  if (unscored.length) rows.push(made("details", { open: isOpen }, made("summary", {}, "Others, which are not scored"), made("div", {}, ...unscored)));
  menu.replaceChildren(...rows);
  menu.scrollTop = top;
  for (const [kind, name] of Object.entries(held ?? {})) menu.querySelector(`[data-${kind}="${CSS.escape(name)}"]`)?.focus({ preventScroll: true });
};

// All of the menu on the screen, within reason.
const place = (told) => {
  const menu = told.querySelector(".es-told-menu");
  told.classList.remove("es-told-left");
  const { top, right } = menu.getBoundingClientRect();
  told.classList.toggle("es-told-left", right > document.documentElement.clientWidth - 8);
  menu.style.maxHeight = `${Math.max(280, Math.min(460, window.innerHeight - top - 12))}px`;
};

const pick = (box) => {
  const told = box.closest(".es-told");
  const system = told.dataset.system;
  const order = [OWN_WORDING, ...store.served.tasks.flatMap(({ task }) => store.all().filter((each) => each.task === task).map((each) => each.name))];
  const now = new Set(picks(system));
  if (box.checked) now.add(box.dataset.template);
  else now.delete(box.dataset.template);
  picked.set(system, now.size ? order.filter((name) => now.has(name)) : [OWN_WORDING]); // none is its own wording
  const card = boxes().find((each) => each.value === system);
  if (box.checked && card) card.checked = true;
  fill(told);
  sum(told);
  place(told);
  tell();
};

element.addEventListener("click", (event) => {
  const told = event.target.closest?.(".es-told > summary")?.parentElement;
  if (told && !told.open) fill(told); // it opens next
  // A skipped card stays focusable, so that its reason can be read, but cannot be ticked.
  if (event.target.matches?.("input[aria-disabled=true]")) event.preventDefault();
});
element.addEventListener("change", (event) => {
  if (event.target.dataset.variable !== undefined) return;
  if (event.target.dataset.template !== undefined) pick(event.target);
  else tell();
});
element.addEventListener("input", (event) => {
  const name = event.target.dataset?.variable;
  if (name === undefined) return;
  store.change((kept) => {
    if (event.target.value) kept.values[name] = event.target.value;
    else delete kept.values[name];
  }, element);
  for (const told of list.querySelectorAll(".es-told")) sum(told);
});

// One menu at a time; it goes with Escape, or when somebody presses or tabs elsewhere.
const close = (but = null) => {
  for (const told of list.querySelectorAll(".es-told[open]")) if (told !== but) told.open = false;
};
list.addEventListener(
  "toggle",
  (event) => {
    const told = event.target;
    if (!told.matches?.(".es-told") || !told.open) return;
    close(told);
    place(told);
  },
  true,
);
element.addEventListener("keydown", (event) => {
  const told = event.target.closest?.(".es-told[open]");
  if (event.key !== "Escape" || !told) return;
  told.open = false;
  told.querySelector("summary").focus();
});
document.addEventListener("pointerdown", (event) => close(event.target.closest?.(".es-told")));
element.addEventListener("focusout", (event) => {
  if (event.relatedTarget && !event.relatedTarget.closest?.(".es-told[open]")) close();
});

store.listen((by) => {
  if (by === element) return;
  const known = new Set(store.all().map((template) => template.name));
  for (const [system, templates] of picked) {
    const left = templates.filter((name) => name === OWN_WORDING || known.has(name) || !store.served.shelf.length);
    picked.set(system, left.length ? left : [OWN_WORDING]);
  }
  for (const told of list.querySelectorAll(".es-told")) {
    if (told.open) fill(told);
    sum(told);
  }
  tell();
});
watch("value", draw);
draw();
