// The menus on the cards: the prompts that a system is told, and the precisions and devices that it runs in and on. Begins
// after cards.js.
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

const isUnscored = (name) => {
  const template = store.get(name);
  return name !== OWN_WORDING && template !== undefined && !store.served.tasks.find(({ task }) => task === template.task)?.scored;
};

// What is picked, in a line; what still lacks a value is said there, before anything runs.
const sum = (told) => {
  const system = told.dataset.system;
  const row = shelf.get(system);
  const templates = row?.takes_prompt ? picks(system) : [];
  const named = templates.map((template) => (template === OWN_WORDING ? "its own wording" : `#${template}`));
  const at = ways(system);
  if (at.some((way) => way !== AUTOMATIC)) named.push(...at.map((way) => offered(row).find(({ asked }) => asked === way).briefly));
  const gaps = [...new Set(templates.flatMap((name) => store.gaps(store.get(name) ?? { text: "" })))];
  told.querySelector(".es-told-now").replaceChildren(
    named.length > 3 ? `${named.slice(0, 2).join(", ")} and ${named.length - 2} more` : named.join(", "),
    ...(gaps.length ? [made("b", {}, ` ${gaps.map((name) => `{${name}}`).join(", ")} missing`)] : []),
  );
};

// The menu of a card, made when it is opened: its own wording, then the templates by task, then where and how it runs.
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
  const row = shelf.get(system);
  const isOpen = menu.querySelector("details")?.open ?? picks(system).some(isUnscored);
  const rows = row.takes_prompt ? [...option(OWN_WORDING, "Its own wording"), ...groups(true)] : [];
  const unscored = row.takes_prompt ? groups(false) : [];
  if (unscored.length) rows.push(made("details", { open: isOpen }, made("summary", {}, "Others, which are not scored"), made("div", {}, ...unscored)));
  if (isChoice(row)) {
    for (const device of new Set(offered(row).map(({ on }) => on))) {
      const there = offered(row).filter(({ on }) => on === device);
      rows.push(made("h3", {}, device ?? "Precision"), ...there.map((each) => way(row, each)));
    }
  }
  if (row.state === "download") {
    const size = row.download_bytes === null ? "" : ` (${shelf.bytes(row.download_bytes)})`;
    rows.push(made("button", { type: "button", class: "es-link", "data-fetch": row.name }, `Download it before it runs${size}`));
  }
  menu.replaceChildren(...rows);
  menu.scrollTop = top;
  for (const [kind, name] of Object.entries(held ?? {})) menu.querySelector(`[data-${kind}="${CSS.escape(name)}"]`)?.focus({ preventScroll: true });
};

// The ways that its card offers, in their order, and what a name has asked for besides.
const offered = (row) => {
  const known = row.ways.length ? row.ways : [{ asked: AUTOMATIC, on: null, says: "Automatic", briefly: row.dtype ?? "automatic" }];
  const others = ways(row.name).filter((way) => !known.some(({ asked }) => asked === way));
  return [...known, ...others.map((way) => ({ asked: way, on: null, says: way.replace("+", ", "), briefly: way.replace("+", " on ") }))];
};

const isChoice = (row) => offered(row).length > 1;

const way = (row, { asked, on, says }) => {
  const box = made("input", { type: "checkbox", "data-way": asked, value: contender(row.name, OWN_WORDING, asked), checked: ways(row.name).includes(asked) });
  // Below its heading a box is seen to be one of that device; it is heard, too.
  return made("label", {}, box, made("span", {}, says, on && made("span", { class: "sr" }, ` ${on[0].toLowerCase()}${on.slice(1)}`)));
};

// All of the menu on the screen, within reason.
const place = (told) => {
  const menu = told.querySelector(".es-told-menu");
  told.classList.remove("es-told-left");
  const { top, right } = menu.getBoundingClientRect();
  told.classList.toggle("es-told-left", right > document.documentElement.clientWidth - 8);
  menu.style.maxHeight = `${Math.max(280, Math.min(460, window.innerHeight - top - 12))}px`;
};

// None is the first of the order: its own wording, or where and how it goes by itself.
const pick = (box) => {
  const told = box.closest(".es-told");
  const system = told.dataset.system;
  const isTemplate = box.dataset.template !== undefined;
  const order = isTemplate
    ? [OWN_WORDING, ...store.served.tasks.flatMap(({ task }) => store.all().filter((each) => each.task === task).map((each) => each.name))]
    : offered(shelf.get(system)).map(({ asked }) => asked);
  const now = new Set(isTemplate ? picks(system) : ways(system));
  const name = isTemplate ? box.dataset.template : box.dataset.way;
  if (box.checked) now.add(name);
  else now.delete(name);
  (isTemplate ? picked : going).set(system, now.size ? order.filter((each) => now.has(each)) : [order[0]]);
  if (box.checked) tick(system, true);
  fill(told);
  sum(told);
  place(told);
  tell(true);
};

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

