// The Models tab, drawn from what the server says: {html, busy, said, landed}. It is asked every second while something is
// fetched, and every ten while somebody looks; only what changed is touched, so that focus and an open fold stay.
const list = element.querySelector(".es-models-list");
const field = element.querySelector("input[type=search]");
const told = element.querySelector("[role=status]");
const clear = element.querySelector(".es-clear");
let drawn = null;
let busy = false;
let sure = null; // the row of which somebody was asked whether it may go
let landed = null; // how many downloads and removals there have been
let asking = 0;
let acting = 0; // what a person did is answered before it is asked again how things are

const made = (html) => {
  const box = document.createElement("div");
  box.className = list.className;
  box.innerHTML = html;
  return box;
};

const rows = () => Array.from(list.querySelectorAll("[data-words]"));

// What is searched for; a row has all the words of the field.
const filter = () => {
  const words = field.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows()) {
    row.hidden = !words.every((word) => row.dataset.words.includes(word));
    if (!row.hidden) shown += 1;
  }
  const fold = list.querySelector("details[data-id=idle]");
  if (fold && words.length) fold.open = fold.querySelector("[data-words]:not([hidden])") !== null;
  for (const section of list.querySelectorAll("section")) {
    const found = section.querySelectorAll("[data-words]");
    section.hidden = words.length > 0 && found.length > 0 && Array.from(found).every((row) => row.hidden);
  }
  clear.hidden = words.length === 0;
  if (words.length) say(shown ? `${shown} of ${rows().length} models` : "No model matches.");
};

const say = (text) => {
  if (told.textContent !== text) told.textContent = text;
};

const confirmRow = () => {
  for (const row of list.querySelectorAll("[data-id]")) {
    if (row.dataset.id === sure) row.dataset.sure = "";
    else delete row.dataset.sure;
  }
};

const draw = ({ html, busy: isBusy, said, landed: count }) => {
  const held = list.contains(document.activeElement) ? document.activeElement : null;
  const heldIn = held?.closest("[data-id]")?.dataset.id;
  if (html !== drawn) {
    if (drawn === null) list.replaceChildren(...made(html).childNodes);
    else morph(list, made(html));
    drawn = html;
    confirmRow();
    filter();
  }
  busy = isBusy;
  if (said) say(said);
  if (landed !== null && count !== landed) trigger("landed", {});
  landed = count;
  if (held && (!held.isConnected || held.closest("[data-id]")?.dataset.id !== heldIn)) field.focus({ preventScroll: true });
  seek();
};

const ask = async (asked) => {
  if (!asked.do && acting) return;
  if (asked.do) acting += 1;
  const mine = ++asking;
  try {
    const answer = await server.told(asked);
    if (mine === asking && answer) draw(answer);
  } catch {
    if (asked.do) say("Earshot does not answer. Is it still running? Reload the page when it is.");
  } finally {
    if (asked.do) acting -= 1;
  }
};

// Where a card on another tab led to.
const seek = () => {
  const name = window.earshotModel;
  if (!name || drawn === null) return;
  window.earshotModel = null;
  const button = Array.from(list.querySelectorAll("button[data-do=download]")).find((each) => each.dataset.name === name);
  if (!button) return;
  const fold = button.closest("details");
  if (fold) fold.open = true;
  field.value = "";
  filter();
  button.closest("[data-id]").scrollIntoView({ block: "center" });
  button.focus({ preventScroll: true });
};

element.addEventListener("click", (event) => {
  const button = event.target.closest?.("button");
  if (!button) return;
  if (button === clear) {
    field.value = "";
    say("");
    filter();
    field.focus();
    return;
  }
  const { do: what, name } = button.dataset;
  const row = button.closest("[data-id]");
  if (what === "sure") {
    sure = row.dataset.id;
    confirmRow();
    row.querySelector("button[data-do=keep]").focus();
  } else if (what === "keep") {
    sure = null;
    confirmRow();
    row.querySelector("button[data-do=sure]").focus();
  } else {
    if (what === "remove") sure = null;
    button.disabled = true;
    ask({ do: what, name }).finally(() => {
      button.disabled = false;
      confirmRow();
    });
  }
});
element.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || sure === null || !event.target.closest?.(".es-sure")) return;
  event.target.closest("[data-id]").querySelector("button[data-do=keep]").click();
});
field.addEventListener("input", () => {
  say("");
  filter();
});
document.addEventListener("earshot:model", () => ask({}));

const isSeen = () => !document.hidden && element.offsetParent !== null;
let seconds = 0;
const looking = setInterval(() => {
  if (!element.isConnected) return clearInterval(looking);
  seconds += 1;
  if (busy || (isSeen() && seconds % 10 === 0)) ask({});
}, 1000);
new IntersectionObserver((seen) => seen.some((each) => each.isIntersecting) && ask({})).observe(element);
ask({});
