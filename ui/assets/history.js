// The History tab. Each question to the server bears a number and says what is searched for; its answer is a new value with
// that number. Rows are told apart by their ids, and only what changed is touched, so that what somebody writes stays.
const list = element.querySelector(".es-history-list");
const field = element.querySelector("input[type=search]");
const [tagged, withSystem] = element.querySelectorAll(".es-history-find select");
const bin = element.querySelector(".es-bin");
const told = element.querySelector("[role=status]");
const undo = element.querySelector(".es-undo");
const beside = element.querySelector(".es-history-beside");
const more = element.querySelector(".es-more");
const STEP = 50;
const PAUSE = 250; // between the last key and the search, in milliseconds
let limit = STEP;
let number = 0;
let drawnNumber = 0;
let unfolded = []; // ids
let sure = null;
let typing = null;
let undone = null;
const waiting = new Map(); // number -> what to do with the answer

const isNarrow = () => field.value.trim() !== "" || tagged.value !== "" || withSystem.value !== "";
const question = (extra) => ({
  number: ++number,
  search: field.value,
  tag: tagged.value,
  system: withSystem.value,
  deleted: bin.getAttribute("aria-pressed") === "true",
  limit,
  unfolded,
  ...extra,
});
const ask = (extra = {}, then = null) => {
  clearTimeout(typing);
  const asked = question(extra);
  if (then) waiting.set(asked.number, then);
  trigger("ask", { asked });
};
const say = (text, id = null) => {
  if (told.textContent !== text) told.textContent = text;
  undone = id;
  undo.hidden = id === null;
};

const shown = (node) => {
  for (const time of node.querySelectorAll("time[datetime]")) {
    time.textContent = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  }
  for (const option of node.querySelectorAll("option[data-at]")) {
    option.textContent += `, ${new Date(option.dataset.at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}`;
  }
  return node;
};
const offer = (select, every, options) => {
  const listed = JSON.stringify(options);
  if (select.dataset.listed !== listed) {
    select.dataset.listed = listed;
    const held = select.value;
    select.replaceChildren(...[["", every], ...options].map(([value, text]) => new Option(text, value)));
    select.value = held;
    if (select.selectedIndex < 0) select.value = "";
  }
  select.hidden = options.length === 0;
};

const rows = (html) => {
  const box = document.createElement("template");
  box.innerHTML = html;
  return Array.from(shown(box.content).children);
};
const draw = (answer) => {
  const held = list.contains(document.activeElement) ? document.activeElement : null;
  const old = new Map(Array.from(list.children, (node) => [node.dataset.id, node]));
  let last = null;
  for (const fresh of rows(answer.html)) {
    let node = old.get(fresh.dataset.id);
    old.delete(fresh.dataset.id);
    if (!node) node = fresh;
    else if (node.drawn !== fresh.outerHTML) {
      const html = fresh.outerHTML;
      if (node.nodeName === fresh.nodeName) morph(node, fresh);
      node.drawn = html;
    }
    node.drawn ??= node.outerHTML;
    if (node.dataset.id === sure) node.dataset.sure = "";
    const place = last ? last.nextElementSibling : list.firstElementChild;
    if (place !== node) list.insertBefore(node, place);
    last = node;
  }
  old.forEach((node) => node.remove());
  offer(tagged, "Any tag", answer.tags.map((tag) => [tag, tag]));
  offer(withSystem, "Any system", answer.systems);
  more.hidden = answer.shown >= answer.total || limit >= answer.most;
  list.dataset.total = answer.total;
  if (held && !held.isConnected) field.focus({ preventScroll: true });
};

const hear = () => {
  const answer = props.value;
  if (!answer) return;
  const then = waiting.get(answer.number);
  waiting.delete(answer.number);
  if (answer.opened) {
    requestAnimationFrame(() => requestAnimationFrame(() => document.querySelector("#es-rules")?.scrollIntoView({ block: "start" })));
  }
  if (answer.html !== undefined && answer.number > drawnNumber) {
    drawnNumber = answer.number;
    draw(answer);
    if (!answer.said && !then && isNarrow()) say(`${answer.total} found`);
    else if (!answer.said && !then && undone === null) say("");
  }
  if (answer.said) say(answer.said, answer.undo ?? null);
  if (answer.beside) {
    beside.innerHTML = answer.beside;
    shown(beside).querySelector("h2").focus();
    beside.scrollIntoView({ block: "nearest" });
  }
  if (answer.file) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([answer.file.text], { type: "text/markdown;charset=utf-8" }));
    link.download = answer.file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
  if (then) then(answer);
};

const idOf = (node) => node.closest("[data-id]")?.dataset.id;
const rowOf = (id) => Array.from(list.children).find((node) => node.dataset.id === id);
const confirmed = (id, to) => {
  for (const row of list.children) delete row.dataset.sure;
  sure = id;
  if (id) rowOf(id).dataset.sure = "";
  to?.focus();
};
const acts = {
  open: (id) => {
    say("Opening it…");
    trigger("open", { asked: question({ id }) });
  },
  unfold: (id) => {
    unfolded = [id];
    ask({}, () => rowOf(id)?.querySelector("input[name=title]")?.focus());
  },
  fold: () => {
    unfolded = [];
    ask({}, () => {});
  },
  delete: (id) => ask({ do: "delete", id }, (answer) => answer.undo && undo.focus()),
  restore: (id) => ask({ do: "restore", id }),
  sure: (id, button) => confirmed(id, button.closest(".es-does").querySelector("[data-do=keep]")),
  keep: (id, button) => confirmed(null, button.closest(".es-does").querySelector("[data-do=sure]")),
  purge: (id) => {
    sure = null;
    ask({ do: "purge", id });
  },
  link: (id) => ask({ do: "link", id }),
  "link-without": (id) => ask({ do: "link-without", id }),
  withdraw: (id, button) => ask({ do: "withdraw", id, given: { token: button.closest("[data-token]").dataset.token } }),
  copy: async (id, button) => say((await copied(button.dataset.text)) ? "Copied." : "The browser did not allow copying."),
  talk: (id, button) => ask({ do: "talk", id, given: { number: button.closest("[data-number]").dataset.number } }),
  all: () => {
    field.value = tagged.value = withSystem.value = "";
    ask();
    field.focus();
  },
  both: (id, button) => {
    const { before, after } = button.closest("[data-before]").dataset;
    say("Opening them…");
    trigger("both", { asked: question({ id: before, given: { other: after } }) });
  },
  close: () => {
    beside.replaceChildren();
    field.focus();
  },
};

element.addEventListener("click", (event) => {
  const button = event.target.closest?.("button");
  if (!button) return;
  if (button === bin) {
    bin.setAttribute("aria-pressed", String(bin.getAttribute("aria-pressed") !== "true"));
    limit = STEP;
    say("");
    ask();
  } else if (button === undo) {
    const id = undone;
    say("");
    ask({ do: "restore", id }, () => (rowOf(id)?.querySelector("button") ?? field).focus());
  } else if (button === more) {
    limit += STEP;
    ask();
  } else if (button.dataset.tag !== undefined) {
    tagged.value = button.dataset.tag;
    ask();
  } else acts[button.dataset.do]?.(idOf(button), button);
});
element.addEventListener("submit", (event) => {
  event.preventDefault();
  const { target } = event;
  ask({ do: target.dataset.do, id: idOf(target), given: Object.fromEntries(new FormData(target)) });
});
element.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form) event.target.form.requestSubmit();
  if (event.key === "Escape" && sure !== null && event.target.closest(".es-sure")) {
    event.target.closest(".es-does").querySelector("[data-do=keep]").click();
  }
});
field.addEventListener("input", () => {
  clearTimeout(typing);
  limit = STEP;
  typing = setTimeout(ask, PAUSE);
});
for (const select of [tagged, withSystem]) {
  select.addEventListener("change", () => {
    limit = STEP;
    ask();
  });
}
watch("value", hear);
new IntersectionObserver((seen) => seen.some((each) => each.isIntersecting) && ask()).observe(element);
