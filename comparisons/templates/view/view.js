// The transcripts side by side, drawn from one JSON text of comparisons.sides.drawn.plain: first what is seen, the rest when
// the browser has time. Passages that are off the screen cost it nothing until they come near. Who shows them is the host:
// the page (ui/assets/view.host.js), or a report (alone.js). It gives element, props, trigger, watch, addressOf, isReadOnly.
const view = element.querySelector(".es-view");
const rows = view.querySelector(".es-rows");
const heads = view.querySelector(".es-heads");
const list = view.querySelector(".es-passages");
const nothing = view.querySelector(".es-nothing");
const told = view.querySelector(".es-told");
const count = view.querySelector(".es-count");
const legend = view.querySelector(".es-view-legend");
const chooser = view.querySelector("select");
const useMajority = view.querySelector(".es-use-majority");
const FIRST_PASSAGES = 10;
const MANY_PASSAGES = 60; // from so many on, what is off the screen is not laid out
const FILTERS = ["all", "differ", "wrong"];
const NOTHING = { differ: "They say the same everywhere.", wrong: "No errors." };

let value = null; // what is drawn
let drawn = 0; // how many passages are
let passages = []; // their nodes
let cellNodes = []; // of each passage, of each side, its words; the anchor's last
let places = [];
let place = -1; // where somebody walks
let passage = -1; // where somebody is
let filter = "all";
let marked = [];
let turn = 0; // drawing goes on as long as this is its own number
let handsOff = 0; // somebody scrolled: do not follow the playing word until then

const calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const say = (text) => { told.textContent = text; };
const isReference = () => value.kind === "reference";
const wordFor = () => (isReference() ? "error" : "difference");

const drawHeads = () => {
  heads.replaceChildren();
  view.style.setProperty("--es-n", String(value.sides.length));
  for (const side of value.sides) {
    const head = make("div", "es-side");
    const name = make("b", "", side.label);
    name.title = side.name;
    head.append(name);
    if (side.rate) head.append(" ", make("span", "es-soft", side.rate));
    if (!side.timed) {
      const sign = make("span", "es-soft es-approximate", "≈ times");
      sign.title = "This system gives no times of its words: they are estimated from the others'";
      head.append(" ", sign);
    }
    if (side.seed) head.append(" ", make("span", "es-seed", "the reference was made from it"));
    heads.append(head);
    if (isReadOnly) continue;
    const use = make("button", "es-use", "Use as reference");
    use.type = "button";
    use.dataset.name = side.name;
    use.setAttribute("aria-label", `Use the text of ${side.label} as reference`);
    head.append(use);
  }
};

// How high a passage will be, before it is laid out: close enough that nothing jumps while somebody scrolls.
let room = { width: 0, isStacked: false };
const LINE_PX = 23.3;
const LETTER_PX = 7.3;
const measureRoom = () => {
  const width = list.clientWidth || rows.clientWidth;
  const isStacked = window.matchMedia("(max-width: 760px)").matches;
  room = { width: Math.max(120, (isStacked ? width : width / value.sides.length) - 32), isStacked };
};
const linesOf = (words, width) => {
  let length = 0;
  for (const word of words) length += word[0].length + 1;
  return Math.max(1, Math.ceil((length * LETTER_PX * 1.04) / width)); // a line breaks before its last word
};
const guessedHeight = (anchor, cells) => {
  const lines = cells.map((words) => linesOf(words, room.width));
  const below = room.isStacked ? lines.reduce((sum, count) => sum + count * LINE_PX + 23, 0) : Math.max(...lines) * LINE_PX;
  const above = linesOf(anchor, room.isStacked ? room.width : list.clientWidth - 80);
  return Math.round(23 + above * LINE_PX + below);
};

const drawPassage = (number) => {
  const [start, , anchor, cells] = value.passages[number];
  const node = make("article", "es-passage");
  node.number = number;
  const { wrong, differ } = lookAt(cells);
  node.classList.toggle("es-is-wrong", wrong);
  node.classList.toggle("es-is-differ", differ);
  if (value.passages.length > MANY_PASSAGES) {
    node.classList.add("es-late");
    node.style.containIntrinsicSize = `auto none auto ${guessedHeight(anchor, cells)}px`;
  }

  const line = make("div", "es-anchor");
  line.dir = "auto";
  if (start !== null) {
    const time = make("button", "es-t", clockOf(start / 100));
    time.type = "button";
    time.title = "Hear this passage";
    line.append(time, " ");
  }
  const said = drawWords(line, anchor, isReference(), value.sides.length);
  const box = make("div", "es-cells");
  const nodes = cells.map((words, side) => {
    const cell = make("div", "es-cell");
    cell.dir = "auto";
    cell.setAttribute("role", "group");
    cell.setAttribute("aria-label", value.sides[side].label);
    const found = drawWords(cell, words, isReference(), value.sides.length);
    box.append(cell);
    return found;
  });
  node.append(line, box);
  passages.push(node);
  nodes.push(said);
  cellNodes.push(nodes);
  nodes.forEach((found, side) => addTimes(hearing.columns[side], found));
  return node;
};

// Flags stand where in time they are.
const drawFlags = (number) => {
  const start = number ? value.passages[number][0] : -1;
  const next = value.passages[number + 1]?.[0] ?? Infinity;
  value.sides.forEach(({ flags }, side) => {
    for (const [at, text] of flags) {
      if (at < start || at >= next) continue;
      passages[number].querySelectorAll(".es-cell")[side].append(make("p", "es-odd", text));
    }
  });
};

const drawUpTo = (end) => {
  const box = document.createDocumentFragment();
  const last = Math.min(end, value.passages.length);
  while (drawn < last) {
    box.append(drawPassage(drawn));
    drawFlags(drawn);
    drawn += 1;
  }
  list.append(box);
};

const SLICE_MS = 12;
const later = window.requestIdleCallback?.bind(window) ?? ((action) => setTimeout(action, 0));
const drawRest = (mine) => {
  if (mine !== turn || !element.isConnected) return;
  if (drawn >= value.passages.length) {
    view.dataset.drawn = "all";
    return;
  }
  later(() => {
    if (mine !== turn) return;
    const began = performance.now();
    do drawUpTo(drawn + 4);
    while (drawn < value.passages.length && performance.now() - began < SLICE_MS);
    drawRest(mine);
  }, { timeout: 30 });
};

const isShown = (number) => {
  if (filter === "all") return true;
  const { wrong, differ } = lookAt(value.passages[number][3]);
  return filter === "wrong" ? wrong : differ;
};

const countPlaces = () => {
  const number = place < 0 ? "" : `${place + 1} of `;
  count.textContent = `${number}${places.length} ${places.length === 1 ? "place" : "places"}`;
  count.title = `Where at least one text has ${isReference() ? "an error" : "a difference"}: what stands at one place is walked at once`;
};

const setFilter = (name) => {
  filter = name;
  rows.dataset.filter = name;
  for (const button of view.querySelectorAll(".es-filter button")) {
    button.setAttribute("aria-pressed", String(button.dataset.filter === name));
  }
  const here = places[place];
  places = placesOf(value).filter((each) => isShown(each.passage));
  place = here ? places.findIndex((each) => each.passage === here.passage && each.at === here.at) : -1;
  if (place < 0) unmark();
  const isEmpty = name !== "all" && !value.passages.some((_, number) => isShown(number));
  nothing.hidden = !isEmpty;
  nothing.textContent = isEmpty ? NOTHING[name] : "";
  countPlaces();
};

const unmark = () => {
  for (const node of marked) node.classList.remove("es-at");
  marked = [];
};

const FAR = 3; // screens; somebody who goes further than that wants to be there, not to see the way

const comeTo = (node, block) => {
  const box = rows.scrollHeight > rows.clientHeight + 1 ? rows : document.documentElement;
  const way = Math.abs(node.getBoundingClientRect().top - (box === rows ? rows.getBoundingClientRect().top : 0));
  const isFar = way > FAR * box.clientHeight;
  node.scrollIntoView({ block, inline: "nearest", behavior: calm() || isFar ? "auto" : "smooth" });
};

const showPassage = (number, block = "nearest") => {
  drawUpTo(number + 1);
  passages[passage]?.classList.remove("es-here-now");
  passage = number;
  passages[number].classList.add("es-here-now");
  comeTo(passages[number], block);
};

// What each side has at a place; words that one of them adds there are one thing.
const heardAt = ({ passage: number, words }) => {
  const said = [];
  for (const [side, at] of words) {
    const word = value.passages[number][3][side][at];
    const last = said.at(-1);
    if (last && last.side === side && kindOf(word) === 3 && kindOf(last.word) === 3) last.text += ` ${word[0]}`;
    else said.push({ side, word, text: word[0] });
  }
  return said.map(({ side, word, text }) => `${value.sides[side].label}: “${text}” ${meaning(word, isReference())}`);
};

const walk = (step) => {
  if (!places.length) return;
  if (place < 0 && passage >= 0) {
    const next = places.findIndex((each) => each.passage >= passage);
    place = step > 0 ? (next < 0 ? 0 : next) : (next < 0 ? places.length : next) - 1;
  } else place += step;
  place = (place + places.length) % places.length; // after the last comes the first
  const here = places[place];
  showPassage(here.passage);
  unmark();
  const nodes = cellNodes[here.passage];
  marked = here.words.map(([side, number]) => nodes[side][number]);
  marked.push(...nodes[value.sides.length].filter((node) => node.word[4] === here.at));
  for (const node of marked) node.classList.add("es-at");
  countPlaces();
  const what = heardAt(here);
  const [start] = value.passages[here.passage];
  say(`${place + 1} of ${places.length}${start === null ? "" : `, ${clockOf(start / 100)}`}. ${what.join("; ")}`);
  const [side, number] = here.words[0];
  const time = startOf(value.passages[here.passage][3][side][number]);
  if (time !== null && audio.paused) seek(Math.max(0, time - 0.3));
};

const pace = (step) => {
  let number = passage + step;
  while (number >= 0 && number < value.passages.length && !isShown(number)) number += step;
  if (number < 0 || number >= value.passages.length) return;
  showPassage(number);
  const [start] = value.passages[number];
  if (start !== null) (audio.paused ? seek : hearFrom)(start / 100);
};

const passageAt = (seconds) => {
  const hundredths = seconds * 100 + 1;
  let found = 0;
  value.passages.forEach(([start], number) => { if (start !== null && start <= hundredths) found = number; });
  return found;
};

// The stretch of what is selected in the transcripts; null if nothing is.
const selected = () => {
  const selection = window.getSelection();
  if (!selection || selection.isCollapsed || !rows.contains(selection.anchorNode)) return null;
  const nodes = [...rows.querySelectorAll(".es-v")].filter((node) => selection.containsNode(node, true));
  const times = nodes.filter((node) => startOf(node.word) !== null);
  if (!times.length) return null;
  const start = Math.min(...times.map((node) => startOf(node.word)));
  const end = Math.max(...times.map((node) => endOf(node.word) ?? startOf(node.word) + 0.5));
  return [start, Math.max(end, start + 0.3)];
};

const loop = () => {
  const stretch = selected();
  if (hearing.loop && !stretch) {
    setLoop(null);
    return;
  }
  const number = passage >= 0 ? passage : passageAt(audio.currentTime || 0);
  const [start, end] = value.passages[number];
  const found = stretch ?? (start === null ? null : [start / 100, Math.max((end ?? start) / 100, start / 100 + 0.3)]);
  if (!found) return;
  setLoop(found);
  hearFrom(found[0]);
};

const moved = (time) => {
  clockFace.textContent = value?.seconds ? `${clockOf(time)} / ${clockOf(value.seconds)}` : "";
  showPlace(time, value?.seconds);
  if (!value) return;
  const number = passageAt(time);
  if (!audio.paused) drawUpTo(number + 2);
  light(audio.paused && time === 0 ? null : time);
  if (audio.paused || number === passage) return;
  if (performance.now() > handsOff && isShown(number)) showPassage(number);
  else {
    passages[passage]?.classList.remove("es-here-now");
    passage = number;
    passages[number].classList.add("es-here-now");
  }
};

const drawLegend = () => {
  const [other, gone, extra] = isReference() ? ["substituted", "missing", "added"] : ["differs", "not here", "only here"];
  legend.replaceChildren();
  const show = (node) => legend.append(node, " ");
  if (value.kind !== "none") {
    show(make("u", "es-v es-s", other));
    show(make("del", "es-v es-d", gone));
    show(make("ins", "es-v es-i", extra));
    if (value.passages.some(([, , , cells]) => cells.some((words) => words.some(isCompound)))) {
      show(make("u", "es-v es-s es-c", "apart or together"));
    }
  }
  if (value.kind === "majority") {
    const node = make("span", "es-v es-some", "said by some");
    node.append(make("sub", "es-support", `2/${value.sides.length}`));
    show(node);
  }
  if (value.audio) show(make("span", "es-v es-lit", "being said"));
  if (isReadOnly && value.label) legend.append(make("span", "es-soft", `Held against: ${value.label}.`), " ");
  if (value.kind === "majority" || value.kind === "contender") {
    legend.append(make("span", "es-soft", value.kind === "majority"
      ? "This is agreement, not accuracy: systems can agree on what was never said."
      : `Held against ${value.label}: differences, not errors.`));
  }
};

const drawControls = () => {
  chooser.replaceChildren(...value.anchors.map(([against, label]) => {
    const option = make("option", "", label);
    option.value = against;
    return option;
  }));
  chooser.value = value.against ?? "";
  chooser.closest("label").hidden = isReadOnly || value.anchors.length < 2;
  useMajority.hidden = isReadOnly || value.kind !== "majority";
  const hasPlaces = value.kind !== "none";
  view.querySelector(".es-steps").hidden = !hasPlaces;
  view.querySelector(".es-filter").hidden = !hasPlaces;
  view.querySelector("[data-filter=wrong]").textContent = isReference() ? "Only errors" : "Only differences";
  view.querySelector("[data-filter=differ]").hidden = value.sides.length < 2;
  view.querySelector(".es-before").setAttribute("aria-label", `Previous ${wordFor()}`);
  view.querySelector(".es-next").setAttribute("aria-label", `Next ${wordFor()}`);
};

const draw = () => {
  turn += 1;
  const mine = turn;
  const found = read(typeof props.value === "string" ? props.value : "");
  if (!(found instanceof Promise)) drawValue(found);
  else found.then((read) => mine === turn && drawValue(read));
};

const drawValue = (next) => {
  const before = value;
  value = next;
  view.hidden = !value;
  element.closest("#es-view")?.toggleAttribute("hidden", !value); // no gap where nothing is
  delete view.dataset.drawn;
  giveClip(value?.audio ?? null);
  passages = [];
  cellNodes = [];
  drawn = 0;
  marked = [];
  light(null);
  hearing.lit = [];
  list.replaceChildren();
  if (!value) {
    place = passage = -1;
    return;
  }
  const isSame = before !== null && before.audio === value.audio && before.source === value.source;
  const [top, left] = [rows.scrollTop, rows.scrollLeft];
  if (!isSame) place = passage = -1;
  else if (before.against !== value.against || before.sides.length !== value.sides.length) place = -1;
  if (!isSame) setLoop(null);
  say(""); // what was said of a place may not be so any more
  hearing.columns = [...value.sides, null].map(timeline);
  drawHeads();
  measureRoom();
  drawControls();
  drawLegend();
  drawMap(value);
  drawUpTo(isSame ? Math.max(FIRST_PASSAGES, Math.min(passage + FIRST_PASSAGES, value.passages.length)) : FIRST_PASSAGES);
  if (passage >= value.passages.length) passage = -1;
  places = [];
  setFilter(value.kind === "none" || (filter === "differ" && value.sides.length < 2) ? "all" : filter);
  rows.scrollTo(isSame ? left : 0, isSame ? top : 0);
  moved(isSame ? audio.currentTime || 0 : 0);
  performance.mark("es-view");
  drawRest(turn);
};

const actions = {
  next: () => walk(1),
  before: () => walk(-1),
  play: playOrPause,
  loop,
  down: () => pace(1),
  up: () => pace(-1),
  filter: () => {
    const open = FILTERS.filter((name) => !view.querySelector(`[data-filter=${name}]`).hidden);
    if (value.kind !== "none") setFilter(open[(open.indexOf(filter) + 1) % open.length]);
  },
  help: showKeys,
  leave: () => {
    if (audio.paused && !hearing.loop && place < 0) return false;
    audio.pause();
    setLoop(null);
    unmark();
    place = -1;
    countPlaces();
    say("");
    return undefined;
  },
};

view.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) {
    if (button.matches(".es-play")) actions.play();
    else if (button.matches(".es-loop")) actions.loop();
    else if (button.matches(".es-next")) actions.next();
    else if (button.matches(".es-before")) actions.before();
    else if (button.matches(".es-help")) actions.help();
    else if (button.dataset.filter) setFilter(button.dataset.filter);
    else if (button.matches(".es-use")) trigger("use", { name: button.dataset.name });
    else if (button.matches(".es-use-majority")) trigger("use", { name: "majority" });
    else if (button.matches(".es-t")) {
      const { number } = button.closest(".es-passage");
      showPassage(number);
      hearFrom(value.passages[number][0] / 100);
    }
    return;
  }
  const node = event.target.closest(".es-rows .es-v");
  if (!node || !window.getSelection()?.isCollapsed) return;
  const { number } = node.closest(".es-passage");
  passages[passage]?.classList.remove("es-here-now");
  passage = number;
  passages[number].classList.add("es-here-now");
  const time = startOf(node.word);
  if (time !== null) hearFrom(time);
});
// What a word means is told when a pointer comes to it: a title for each would double what the page weighs.
view.addEventListener("pointerover", (event) => {
  const node = event.target.closest(".es-rows .es-v");
  if (!node || node.title) return;
  node.title = [meaning(node.word, isReference()), heardHow(node.word)].filter(Boolean).join(" · ");
});
for (const kind of ["wheel", "touchmove", "pointerdown"]) {
  rows.addEventListener(kind, () => { handsOff = performance.now() + 4000; }, { passive: true });
}
chooser.addEventListener("change", () => trigger("against", { against: chooser.value }));
followMap(() => value?.seconds || 0, (seconds) => {
  showPassage(passageAt(seconds), "start");
  (audio.paused ? seek : hearFrom)(seconds);
  showPlace(seconds, value.seconds);
});
followClip(moved, say);
followKeys(view, actions);
// Paper has all of it.
const drawAll = () => {
  if (!element.isConnected) window.removeEventListener("beforeprint", drawAll);
  else if (value) drawUpTo(value.passages.length);
};
window.addEventListener("beforeprint", drawAll);
watch("value", draw);
draw();
