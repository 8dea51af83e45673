// The contender cards: real check boxes in a field set, drawn from {rows, presets, chosen}; the value then holds the chosen
// names alone. New rows with chosen null leave the ticks as they are: a visitor may have changed them since the server looked.
// A system is a contender for each way to run and each prompt picked on its card: "name+precision+device#template", or "name"
// alone for its own. `store` and `made`: prompts.store.js; `shelf`: picker.store.js; `finder`: picker.js; `openModels`: models.open.js.
const list = element.querySelector(".es-pick");
const TEMPLATE = /^[a-z0-9][a-z0-9-]{0,39}$/;
const OWN_WORDING = "";
const AUTOMATIC = "";
const FEW = 4; // more than these are folded away, or leave the place before the button
const most = () => (window.innerWidth <= 760 ? 12 : 18); // cards until "show all"
let ticked = []; // systems
let pending = []; // remembered contenders of systems that cannot run yet
let isWhole = false; // all that was found is shown
const picked = new Map(); // of a system: names of templates, OWN_WORDING among them
const going = new Map(); // of a system: ways to run, as names ask for them, "float32+cpu"; AUTOMATIC among them

const boxes = () => Array.from(list.querySelectorAll("input[type=checkbox]:not([data-template], [data-way])"));
const picks = (system) => picked.get(system) ?? [OWN_WORDING];
const ways = (system) => going.get(system) ?? [AUTOMATIC];
const contender = (system, template, way = AUTOMATIC) => `${system}${way && `+${way}`}${template && `#${template}`}`;
const need = (row, way) => (row.ways.find(({ asked }) => asked === way) ?? row).need_bytes;
const canRun = (row) => row !== undefined && row.state !== "skipped";

// A contender's system, way to run and template; a # or + in the name of a folder is the folder's.
const parted = (name) => {
  const parts = { system: name, way: AUTOMATIC, template: OWN_WORDING };
  if (shelf.get(name)) return parts;
  const hash = name.lastIndexOf("#");
  if (hash > 0 && TEMPLATE.test(name.slice(hash + 1))) {
    parts.template = name.slice(hash + 1);
    parts.system = name.slice(0, hash);
  }
  if (shelf.get(parts.system)) return parts;
  const row = shelf.rows.find((each) => parts.system.startsWith(`${each.name}+`));
  const asked = row && parts.system.slice(row.name.length + 1);
  if (!row || !asked.split("+").every((each) => row.dtypes.includes(each) || row.devices.includes(each))) return parts;
  return { ...parts, system: row.name, way: asked };
};

// The systems, ways and prompts in names of contenders.
const take = (names) => {
  const systems = new Map();
  for (const { system, way, template } of names.map(parted)) {
    const { at, told } = systems.get(system) ?? { at: new Set(), told: new Set() };
    systems.set(system, { at: at.add(way), told: told.add(template) });
  }
  ticked = shelf.rows.filter((row) => systems.has(row.name) && canRun(row)).map((row) => row.name);
  for (const [system, { at, told }] of systems) {
    going.set(system, Array.from(at));
    picked.set(system, Array.from(told));
  }
};

const ask = (names) => {
  take(names);
  draw();
  tell(true);
};

// What the server says: rows and presets, and names to choose; on a first visit the remembered ones, where some can run.
const served = () => {
  const value = props.value || {};
  const isNew = value.rows !== undefined;
  if (isNew) {
    shelf.serve(value.rows, value.presets, value.free_bytes);
    finder.serve();
  }
  if (Array.isArray(value.chosen) && (isNew || JSON.stringify(value.chosen) !== JSON.stringify(shelf.chosen))) {
    const kept = value.first ? shelf.remembered() : [];
    const isAble = (name) => canRun(shelf.get(parted(name).system));
    if (value.first) pending = kept.filter((name) => shelf.get(parted(name).system) && !isAble(name));
    take(kept.some(isAble) ? kept : value.chosen);
  } else if (isNew) {
    const able = pending.filter((name) => canRun(shelf.get(parted(name).system)));
    if (able.length) take([...shelf.chosen, ...able]);
    pending = pending.filter((name) => !able.includes(name));
    ticked = ticked.filter((system) => canRun(shelf.get(system)));
  } else return;
  draw();
  tell(false);
};

const tell = (byPerson) => {
  if (byPerson) pending = [];
  const chosen = ticked.flatMap((system) => {
    const row = shelf.get(system);
    const told = row?.takes_prompt ? picks(system) : [OWN_WORDING];
    return ways(system).flatMap((way) => told.map((template) => contender(system, template, way)));
  });
  props.value = { chosen };
  const local = ticked.map(shelf.get).filter((row) => row && !row.server);
  const needs = local.flatMap((row) => ways(row.name).map((way) => need(row, way)));
  shelf.need = Math.max(0, ...needs.filter((bytes) => bytes !== null));
  shelf.isNeedWhole = !needs.includes(null);
  shelf.choose(ticked, chosen, byPerson);
};

const able = (row, place) => {
  const id = `es-able-${place}`;
  const state = row.state === "available" && !row.server ? [made("i", { class: "es-here", "aria-hidden": "true" }, "●"), " "] : [];
  const label = made(
    "label",
    { title: row.name },
    made("input", { type: "checkbox", value: row.name, checked: ticked.includes(row.name), "aria-describedby": id }),
    made("b", {}, row.label),
    made("span", { id }, ...[row.facts, row.at_once].filter(Boolean).flatMap((fact) => [fact, made("br")]), ...state, row.where),
  );
  if (!row.takes_prompt && !isChoice(row) && row.state !== "download") return label;
  const says = row.takes_prompt ? ["Prompt: ", made("span", { class: "es-told-now" }, "its own wording")] : [made("span", { class: "es-told-now" })];
  const told = made(
    "details",
    { class: row.takes_prompt ? "es-told" : "es-told es-told-quiet", "data-system": row.name },
    made("summary", row.takes_prompt ? {} : { "aria-label": `Choices for ${row.label}`, title: "Choices" }, made("span", {}, ...says)),
    made("div", { class: "es-told-menu", role: "group", "aria-label": `${row.takes_prompt ? "Prompts" : "Choices"} for ${row.label}` }),
  );
  return made("div", { class: "es-asks" }, label, told);
};

// A text with the hub's addresses as links; where a licence is accepted is one press away.
const linked = (text) =>
  text.split(/(https:\/\/huggingface\.co\/[\w./-]*[\w/-])/).map((part, place) =>
    place % 2 ? made("a", { href: part, target: "_blank", rel: "noopener noreferrer" }, part.slice("https://".length)) : part,
  );

// Systems that cannot run for the same reason with the same fix share a card; a fix that names the family is the same as
// another's that names its own.
const grouped = (rows, from = 0) => {
  const groups = new Map();
  for (const row of rows) {
    const why = JSON.stringify([row.reason, row.fix?.replace(`${row.family}:FOLDER`, "FAMILY:FOLDER")]);
    groups.set(why, [...(groups.get(why) ?? []), row]);
  }
  return Array.from(groups, ([why, cards], place) => {
    const id = `es-not-${from + place}`;
    const [reason, ofAny] = JSON.parse(why);
    const fix = cards.every((row) => row.fix === cards[0].fix) ? cards[0].fix : ofAny;
    return made(
      "div",
      { class: cards.length > 1 ? "off many" : "off" },
      ...cards.map((row) =>
        made(
          "label",
          { title: row.name },
          made("input", { type: "checkbox", value: row.name, "aria-disabled": "true", "aria-describedby": id }),
          made("b", {}, row.label),
          " ",
          made("span", {}, [row.facts, row.at_once].filter(Boolean).join(" · ")),
        ),
      ),
      made("p", { id }, reason ?? "", fix && made("br"), ...(fix ? [" → ", ...linked(fix)] : [])),
    );
  });
};

const showAll = (count) => made("button", { type: "button", class: "es-link es-show-all" }, `Show all ${count}`);

const isFirst = (row) => ticked.includes(row.name);
const inOrder = (rows) => [...rows.filter(isFirst), ...rows.filter((row) => !isFirst(row))];

// What a search or filters leave; last, below a line, what does not say the languages or the size that were asked for.
const matching = () => {
  const rows = shelf.rows.filter(finder.fits);
  const sure = rows.filter((row) => !finder.unnamed(row).length);
  const unsure = rows.filter((row) => finder.unnamed(row).length);
  const what = [...new Set(unsure.flatMap(finder.unnamed))].join(" or ");
  finder.say(sure.length, unsure.length, what);
  if (!rows.length) {
    const again = made("button", { type: "button", class: "es-link", "data-clear": "filters" }, "Clear filters");
    return [made("p", { class: "es-none" }, "No system matches. ", again)];
  }
  let room = isWhole ? Infinity : most();
  let place = 0; // in the list, for ids
  const cards = (some) => {
    const runs = inOrder(some.filter(canRun)).slice(0, room);
    room -= runs.length;
    const off = some.filter((row) => !canRun(row)).slice(0, room);
    room -= off.length;
    place += some.length;
    return [...runs.map((row, at) => able(row, place + at)), ...grouped(off, place)];
  };
  const shown = cards(sure);
  const others = cards(unsure);
  if (others.length) {
    const says = `${what[0].toUpperCase()}${what.slice(1)} not named`;
    shown.push(made("div", { class: "es-unnamed", role: "group", "aria-label": says }, made("p", {}, says), made("div", { class: "es-pick" }, ...others)));
  }
  return !isWhole && rows.length > most() ? [...shown, showAll(rows.length)] : shown;
};

// What stands in the list: chosen ones first, then what runs here, what needs a download, and what cannot run.
const sections = () => {
  if (finder.active) return matching();
  finder.say(shelf.rows.length, 0);
  const firsts = inOrder(shelf.rows.filter(canRun));
  const off = shelf.rows.filter((row) => !canRun(row));
  const isFolded = (row) => row.state === "download" && !isFirst(row);
  const fetched = firsts.filter(isFolded);
  const folds = fetched.length > FEW;
  const plain = folds ? firsts.filter((row) => !isFolded(row)) : firsts;
  const room = isWhole || plain.length <= most() ? Infinity : most();
  const shown = plain.slice(0, room).map(able);
  if (plain.length > room) shown.push(showAll(plain.length));
  if (folds) {
    const cards = made("div", { class: "es-pick" }, ...fetched.map((row, place) => able(row, plain.length + place)));
    shown.push(made("details", { class: "es-fold", open: !plain.length }, made("summary", {}, `${fetched.length} more after a download`), cards));
  }
  return off.length <= FEW ? [...shown, ...grouped(off)] : shown;
};

const draw = () => {
  const held = list.contains(document.activeElement) ? document.activeElement : null;
  const asking = held?.closest(".es-told") ?? list.querySelector(".es-told[open]");
  const before = asking && { system: asking.dataset.system, open: asking.open, within: asking.contains(held), field: { ...held?.dataset } };
  const open = list.querySelector(".es-fold")?.open;
  list.replaceChildren(...sections());
  const fold = list.querySelector(".es-fold");
  if (fold) fold.open = open || fold.open;
  for (const told of list.querySelectorAll(".es-told")) sum(told);
  if (held && !asking?.contains(held)) boxes().find((box) => box.value === held.value)?.focus({ preventScroll: true });
  if (before) restore(before);
};

const tick = (system, isTicked) => {
  const systems = new Set(ticked);
  if (isTicked) systems.add(system);
  else systems.delete(system);
  ticked = shelf.rows.map((row) => row.name).filter((name) => systems.has(name));
  for (const box of boxes()) if (box.value === system) box.checked = isTicked;
};

element.addEventListener("click", (event) => {
  const told = event.target.closest?.(".es-told > summary")?.parentElement;
  if (told && !told.open) fill(told); // it opens next
  // A skipped card stays focusable, so that its reason can be read, but cannot be ticked.
  if (event.target.matches?.("input[aria-disabled=true]")) event.preventDefault();
  const button = event.target.closest?.("button");
  if (button?.dataset.preset !== undefined) ask(shelf.presets.find(({ name }) => name === button.dataset.preset).names);
  if (button?.dataset.clear) finder.clear();
  if (button?.dataset.fetch) openModels(button.dataset.fetch);
  if (button?.matches(".es-show-all")) {
    const shown = boxes().length;
    isWhole = true;
    draw();
    boxes()[shown]?.focus({ preventScroll: true });
  }
});
element.addEventListener("change", (event) => {
  const box = event.target;
  if (box.dataset.variable !== undefined) return;
  if (box.dataset.template !== undefined || box.dataset.way !== undefined) return pick(box);
  tick(box.value, box.checked);
  tell(true);
});
