// The texts: each word can be heard, and marked as wrong, with pointer, finger or keys.
const LONG_MS = 500;

export const texts = ({ onHear, onMark, isMarking }) => {
  let columns = []; // {letter, words, section, spans, now}
  let press = null; // a finger that may stay long enough
  let wasLong = false;

  const wordOf = (target) => {
    const span = target.closest?.(".word");
    if (!span) return null;
    const column = columns.find((each) => each.letter === span.closest("section").dataset.letter);
    return { column, span, at: Number(span.dataset.at) };
  };
  const focusWord = (column, at) => {
    const span = column.spans[at];
    if (!span) return;
    for (const other of column.section.querySelectorAll(".word[tabindex='0']")) other.tabIndex = -1;
    span.tabIndex = 0;
    span.focus();
  };
  const mark = ({ column, at }) => onMark(column.letter, at, column.words[at].text);
  const hear = ({ column, at }) => {
    const { start } = column.words[at];
    if (start !== null) onHear(start);
  };

  const draw = (box, shown, letters) => {
    columns = shown.map(({ letter, words }) => {
      const section = document.createElement("section");
      section.dataset.letter = letter;
      section.setAttribute("aria-label", `Text ${letter}`);
      const name = document.createElement("h2");
      name.textContent = letter;
      const text = document.createElement("p");
      text.className = "text";
      const spans = words.map((word, at) => {
        const span = document.createElement("span");
        span.className = "word";
        span.dataset.at = at;
        span.setAttribute("role", "button");
        span.setAttribute("aria-pressed", "false");
        span.tabIndex = at === 0 ? 0 : -1;
        span.textContent = word.text;
        text.append(span, word.after);
        return span;
      });
      if (!words.length) text.append(Object.assign(document.createElement("em"), { textContent: "Nothing was written." }));
      section.append(name, text);
      return { letter, words, section, spans, now: -1 };
    });
    box.replaceChildren(...letters.map((letter) => columns.find((each) => each.letter === letter).section));
  };

  // Puts these texts side by side, in this order, and no others.
  const show = (box, letters) => {
    box.replaceChildren(...letters.map((letter) => columns.find((each) => each.letter === letter).section));
  };

  const follow = (seconds) => {
    for (const column of columns) {
      let now = -1;
      for (let low = 0, high = column.words.length - 1; low <= high; ) {
        const middle = (low + high) >> 1;
        const { start } = column.words[middle];
        if (start !== null && start <= seconds) {
          now = middle;
          low = middle + 1;
        } else high = middle - 1;
      }
      if (seconds === 0) now = -1;
      if (now === column.now) continue;
      column.spans[column.now]?.classList.remove("now");
      column.spans[now]?.classList.add("now");
      column.now = now;
    }
  };

  const drawMarks = (marks) => {
    for (const column of columns) {
      column.spans.forEach((span, at) => {
        const isWrong = marks.some((each) => each.letter === column.letter && each.at === at);
        span.classList.toggle("wrong", isWrong);
        span.setAttribute("aria-pressed", String(isWrong));
      });
    }
  };

  const listen = (box) => {
    box.addEventListener("click", (event) => {
      const word = wordOf(event.target);
      if (!word || wasLong) {
        wasLong = false;
        return;
      }
      if (isMarking()) mark(word);
      else hear(word);
    });
    box.addEventListener("pointerdown", (event) => {
      const word = wordOf(event.target);
      wasLong = false;
      clearTimeout(press);
      if (!word || event.button) return;
      press = setTimeout(() => {
        wasLong = true;
        mark(word);
      }, LONG_MS);
    });
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) box.addEventListener(end, () => clearTimeout(press));
    box.addEventListener("contextmenu", (event) => {
      if (wasLong) event.preventDefault();
    });
    box.addEventListener("keydown", (event) => {
      const word = wordOf(event.target);
      if (!word || event.ctrlKey || event.altKey || event.metaKey) return;
      const to = { ArrowLeft: word.at - 1, ArrowRight: word.at + 1, Home: 0, End: word.column.words.length - 1 }[event.key];
      if (to !== undefined) focusWord(word.column, to);
      else if (event.key === "Enter") hear(word);
      else if (event.key === "m" || event.key === "M") mark(word);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  };

  return { draw, show, follow, drawMarks, listen };
};
