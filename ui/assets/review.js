// A judge's page: one clip after another, each heard, judged and sent. What is drawn comes from the server's task alone.
import { forget, keep, kept } from "./review.draft.js";
import { player } from "./review.player.js";
import { ways } from "./review.ways.js";
import { texts } from "./review.words.js";

const by = (id) => document.getElementById(id);
const here = `${location.pathname.replace(/\/+$/, "")}/`;
const columns = by("columns");
const choices = by("choices");
const send = by("send");
const marked = by("marked");
let task = null;
let way = null;
let state = null; // {clip, heard, choice, marks}: what is kept in the browser until it is sent
let isMarking = false;
let isSending = false;

const say = (text) => {
  by("told").textContent = text;
};

const sound = player({
  onHeard: () => {
    if (!state) return;
    state.heard = true;
    changed();
  },
  onTime: (seconds) => words.follow(seconds),
  say,
});

const words = texts({
  onHear: (start) => sound.from(start),
  onMark: (letter, at, word) => {
    const old = state.marks.findIndex((each) => each.letter === letter && each.at === at);
    if (old >= 0) state.marks.splice(old, 1);
    else state.marks.push({ letter, at, word, comment: "" });
    drawMarks();
    changed();
  },
  isMarking: () => isMarking,
});
words.listen(columns);

const drawMarks = () => {
  words.drawMarks(state.marks);
  marked.hidden = !state.marks.length;
  marked.querySelector("ul").replaceChildren(
    ...state.marks.map((mark) => {
      const row = document.createElement("li");
      const word = Object.assign(document.createElement("b"), { textContent: `${mark.letter}: ${mark.word}` });
      const comment = Object.assign(document.createElement("input"), { value: mark.comment, maxLength: 500, placeholder: "Comment, if you like" });
      comment.setAttribute("aria-label", `Comment on ${mark.word} in text ${mark.letter}`);
      comment.addEventListener("input", () => {
        mark.comment = comment.value;
        keep(state);
      });
      const back = Object.assign(document.createElement("button"), { type: "button", textContent: "Take back" });
      back.setAttribute("aria-label", `Take back the mark on ${mark.word} in text ${mark.letter}`);
      back.addEventListener("click", () => {
        state.marks.splice(state.marks.indexOf(mark), 1);
        drawMarks();
        changed();
        (marked.hidden ? by("marking") : marked.querySelector("button")).focus();
      });
      row.append(word, comment, back);
      return row;
    }),
  );
};

const draw = () => {
  choices.disabled = !state.heard;
  way.enable?.(state.heard);
  way.draw();
  send.disabled = isSending || !state.heard || !way.isWhole();
  send.textContent = way.hasNext?.() ? "Next pair" : "Send";
  by("before").hidden = !way.hasBefore?.();
  by("pair").hidden = !way.told;
  by("pair").textContent = way.told?.() ?? "";
};

const changed = () => {
  keep(state);
  draw();
};

const show = (next) => {
  task = next;
  state = { clip: task.clip, heard: false, choice: null, marks: [], ...kept(task.clip) };
  by("progress").textContent = `${task.place} of ${task.of}`;
  for (const each of document.querySelectorAll("[data-method]")) each.hidden = each.dataset.method !== task.method;
  choices.replaceChildren(choices.querySelector("legend"));
  choices.hidden = task.method === "rating";
  words.draw(columns, task.columns, task.columns.map(({ letter }) => letter));
  way = ways[task.method](task, choices, state, changed, columns);
  words.show(columns, way.letters());
  columns.dataset.count = way.letters().length;
  sound.load(`${here}clip/${task.clip}`, task.seconds, state.heard);
  drawMarks();
  draw();
  by("judging").setAttribute("aria-busy", "false");
  scrollTo(0, 0);
};

const turn = (step) => {
  way.go(step);
  words.show(columns, way.letters());
  draw();
};

// What the server answers; null where it answers nothing that can be used, and then it has been said why.
const asked = async (what, options) => {
  try {
    const answer = await fetch(here + what, options);
    if (answer.ok) return await answer.json();
    say(`${(await answer.text()).trim()}${state ? " What you chose and marked stays in this browser." : ""}`);
    return answer.status === 409 ? { again: true } : null;
  } catch {
    say("There is no connection. Nothing is lost: what you chose and marked stays here. Try again when there is one.");
    return null;
  }
};

const next = async () => {
  const told = await asked("task");
  if (told?.task) show(told.task);
  else if (told) location.reload(); // all is judged
  return told;
};

const vote = async () => {
  if (!state || isSending || send.disabled) {
    if (state && !state.heard) say("Hear the clip first, then vote.");
    return;
  }
  if (way.hasNext?.()) {
    turn(1);
    return;
  }
  isSending = true;
  say("");
  draw();
  const told = await asked("vote", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ clip: state.clip, vote: { heard: state.heard, choice: way.choice(), marks: state.marks } }),
  });
  isSending = false;
  if (!told) {
    draw();
    return;
  }
  if (told.again) {
    await next(); // in another tab, perhaps: what is left is what the server says
    return;
  }
  sound.stop();
  forget();
  if (!told.task) {
    location.reload();
    return;
  }
  show(told.task);
  by("question").focus({ preventScroll: true });
};

const setMarking = (isOn) => {
  isMarking = isOn;
  by("marking").setAttribute("aria-pressed", String(isOn));
  columns.classList.toggle("marking", isOn);
};

by("vote").addEventListener("submit", (event) => {
  event.preventDefault();
  vote();
});
document.addEventListener("change", (event) => {
  if (way && event.target.matches("input[type=radio]")) way.onInput(event.target);
});
by("before").addEventListener("click", () => turn(-1));
by("marking").addEventListener("click", () => setMarking(!isMarking));

document.addEventListener("keydown", (event) => {
  if (!state || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
  const on = event.target;
  const isText = on.matches("input:not([type=radio], [type=range])");
  const isRadio = on.matches("input[type=radio]");
  if (isText) return;
  const act = {
    " ": !isRadio && !on.matches("button, summary") && (() => sound.toggle()),
    Enter: !on.matches("button, summary") && vote,
    ArrowLeft: !isRadio && (() => sound.step(-5)),
    ArrowRight: !isRadio && (() => sound.step(5)),
    ArrowUp: !isRadio && way.onStep && (() => way.onStep(-1)),
    ArrowDown: !isRadio && way.onStep && (() => way.onStep(1)),
    m: () => setMarking(!isMarking),
    M: () => setMarking(!isMarking),
  }[event.key];
  if (act) {
    event.preventDefault();
    act();
  } else if (/^[0-9]$/.test(event.key)) {
    if (!state.heard) say("Hear the clip first, then vote.");
    else if (way.onKey(Number(event.key))) say("");
  }
});

addEventListener("online", () => task || next());
next();
