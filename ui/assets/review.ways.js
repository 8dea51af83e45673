// The ways to vote: what stands in the bar or under each text, which keys choose it, and what is sent.
const NONE = "none good";
const SAYS = ["left", "right", "tie", "both bad"];

const radio = (name, value, label, key) => {
  const field = document.createElement("label");
  field.className = "choice";
  const input = Object.assign(document.createElement("input"), { type: "radio", name, value });
  const words = Object.assign(document.createElement("span"), { textContent: label });
  field.append(input, words);
  if (key !== null) field.append(Object.assign(document.createElement("kbd"), { textContent: key }));
  return field;
};
const check = (root, name, value) => {
  for (const input of root.querySelectorAll(`input[name="${name}"]`)) input.checked = input.value === String(value);
};

const best = (task, bar, state, changed) => {
  const letters = task.columns.map(({ letter }) => letter);
  const choose = (choice) => {
    state.choice = choice;
    changed();
  };
  bar.append(...letters.map((letter, at) => radio("best", letter, letter, String(at + 1))), radio("best", NONE, "None is good", "0"));
  return {
    letters: () => letters,
    onKey: (number) => {
      if (number > letters.length) return false;
      choose(number ? letters[number - 1] : NONE);
      return true;
    },
    onInput: (input) => choose(input.value),
    draw: () => check(bar, "best", state.choice),
    isWhole: () => state.choice !== null,
    choice: () => state.choice,
  };
};

const pairwise = (task, bar, state, changed) => {
  state.choice ??= task.pairs.map(() => null);
  let at = Math.max(0, state.choice.indexOf(null));
  bar.append(...SAYS.map((says, place) => radio("pair", says, ["Left", "Right", "Tie", "Both bad"][place], String(place + 1))));
  const choose = (says) => {
    state.choice[at] = says;
    changed();
  };
  return {
    letters: () => task.pairs[at],
    onKey: (number) => {
      if (number < 1 || number > SAYS.length) return false;
      choose(SAYS[number - 1]);
      return true;
    },
    onInput: (input) => choose(input.value),
    draw: () => check(bar, "pair", state.choice[at]),
    isWhole: () => state.choice[at] !== null,
    told: () => (task.pairs.length > 1 ? `Pair ${at + 1} of ${task.pairs.length}: ` : "") + `${task.pairs[at][0]} left, ${task.pairs[at][1]} right`,
    hasBefore: () => at > 0,
    hasNext: () => at + 1 < task.pairs.length,
    go: (by) => (at += by),
    choice: () => task.pairs.map(([left, right], place) => ({ left, right, says: state.choice[place] })),
  };
};

const rating = (task, bar, state, changed, box) => {
  state.choice ??= {};
  const letters = task.columns.map(({ letter }) => letter);
  let at = 0;
  const fields = letters.map((letter) => {
    const field = document.createElement("fieldset");
    field.className = "rating";
    field.append(Object.assign(document.createElement("legend"), { textContent: `${letter}: 1 bad, 5 all there` }));
    field.append(...[1, 2, 3, 4, 5].map((number) => radio(`rate ${letter}`, String(number), String(number), null)));
    const section = box.querySelector(`section[data-letter="${letter}"]`);
    section.append(field);
    section.addEventListener("focusin", () => frame(letters.indexOf(letter)));
    return field;
  });
  const frame = (to) => {
    at = (to + letters.length) % letters.length;
    for (const section of box.querySelectorAll("section")) section.classList.toggle("framed", section.dataset.letter === letters[at]);
  };
  const rate = (letter, number) => {
    state.choice[letter] = number;
    changed();
  };
  frame(0);
  return {
    letters: () => letters,
    onKey: (number) => {
      if (number < 1 || number > 5) return false;
      rate(letters[at], number);
      const left = letters.findIndex((letter) => !(letter in state.choice));
      if (left >= 0) frame(left);
      return true;
    },
    onStep: (by) => {
      frame(at + by);
      box.querySelector(".framed")?.scrollIntoView({ block: "nearest" });
    },
    onInput: (input) => rate(input.name.slice("rate ".length), Number(input.value)),
    enable: (isOn) => fields.forEach((field) => (field.disabled = !isOn)),
    draw: () => letters.forEach((letter, place) => check(fields[place], `rate ${letter}`, state.choice[letter])),
    isWhole: () => letters.every((letter) => letter in state.choice),
    choice: () => state.choice,
  };
};

export const ways = { best, pairwise, rating };
