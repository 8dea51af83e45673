// A new review: what is kept is chosen from, and drawn as text alone.
const form = box.querySelector("form");
const opener = box.querySelector("[data-do=new]");
const clips = form.querySelector(".es-clips ul");
const count = form.querySelector(".es-clips p");
const find = form.querySelector("input[type=search]");
const systems = form.querySelector(".es-of div");
const fault = form.querySelector(".es-fault");
const chosen = new Map(); // id -> what is kept, in the order in which it was chosen
const left = new Set(); // names of systems that are not to be judged
let searching = 0;

const tick = (text, facts, isOn, lack, toggled) => {
  const label = document.createElement("label");
  label.className = "es-one";
  const input = Object.assign(document.createElement("input"), { type: "checkbox", checked: isOn, disabled: Boolean(lack) });
  input.addEventListener("change", () => toggled(input.checked));
  const more = Object.assign(document.createElement("span"), { className: "es-soft", textContent: ` ${facts}${lack ? `: ${lack}` : ""}` });
  const words = document.createElement("span");
  words.append(text, more);
  label.append(input, words);
  return label;
};

const drawSystems = () => {
  const found = new Map();
  for (const each of chosen.values()) for (const { name, label } of each.systems) found.set(name, label);
  systems.replaceChildren(
    ...[...found].map(([name, label]) =>
      tick(label, "", !left.has(name), null, (isOn) => {
        if (isOn) left.delete(name);
        else left.add(name);
      }),
    ),
  );
  if (!found.size) systems.append(Object.assign(document.createElement("p"), { className: "es-soft", textContent: "Choose clips first." }));
};

const drawClips = ({ rows, total }) => {
  const shown = [...[...chosen.values()].filter((each) => !rows.some((row) => row.id === each.id)), ...rows];
  clips.replaceChildren(
    ...shown.map((each) => {
      const row = document.createElement("li");
      const heard = each.systems.map(({ label }) => label).join(", ");
      row.append(
        tick(each.name, `${each.facts}${heard ? ` · ${heard}` : ""}`, chosen.has(each.id), each.lack, (isOn) => {
          if (isOn) chosen.set(each.id, each);
          else chosen.delete(each.id);
          drawSystems();
        }),
      );
      return row;
    }),
  );
  const more = total > rows.length ? `${total - rows.length} more: search for them.` : "";
  const none = find.value.trim() ? "Nothing that is kept has these words." : "Nothing is kept yet: compare a clip first.";
  count.textContent = rows.length ? more : none;
};

const search = async () => {
  const mine = ++searching;
  const answer = await ask({ do: "search", search: find.value });
  if (answer?.kept && mine === searching) drawClips(answer.kept);
};

const setOpen = (isOpen) => {
  form.hidden = !isOpen;
  opener.hidden = isOpen;
  fault.textContent = "";
  if (!isOpen) return opener.focus();
  form.elements.title.focus();
  drawSystems();
  search();
};

const suit = () => {
  form.elements.question.placeholder = form.querySelector("[name=method]:checked").dataset.question;
};

opener.addEventListener("click", () => setOpen(true));
form.querySelector("[data-do=cancel]").addEventListener("click", () => setOpen(false));
form.addEventListener("change", (event) => event.target.name === "method" && suit());
let pause = null;
find.addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(search, 200);
});
find.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const make = form.querySelector("[type=submit]");
  make.disabled = true;
  fault.textContent = "";
  const names = new Set([...chosen.values()].flatMap((each) => each.systems.map(({ name }) => name)));
  const answer = await ask({
    do: "make",
    title: form.elements.title.value,
    question: form.elements.question.value,
    method: form.elements.method.value,
    comparisons: [...chosen.keys()],
    systems: [...names].filter((name) => !left.has(name)),
  });
  make.disabled = false;
  if (!answer?.made) {
    fault.textContent = answer?.fault ?? "";
    return;
  }
  chosen.clear();
  left.clear();
  form.reset();
  suit();
  setOpen(false);
  list.querySelector(`[data-id="${answer.made}"] [data-do=copy]`)?.focus();
});
suit();
