// What the chosen systems are asked for. A field that no chosen system supports is not there; what some of them cannot do is
// said under the fields before anything runs. `wanted` keeps what a person or the server asked for, so that it comes back
// with a system that can; the value holds what holds now. `store` and `made`: prompts.store.js; `shelf`: picker.store.js.
const fields = element.querySelector(".es-options-fields");
const said = element.querySelector("p");
const wanted = { language: "", translate_to: "", word_times: true };
const choice = (label, key) => {
  const select = made("select", { "aria-label": label, onchange: () => { wanted[key] = select.value; draw(); } });
  return { select, whole: made("label", { hidden: true, class: `es-option-${key}` }, made("span", { "aria-hidden": "true" }, label), select) };
};
const language = choice("Language", "language");
const translation = choice("Translate to", "translate_to");
const times = made("input", { type: "checkbox", checked: true, onchange: () => { wanted.word_times = times.checked; draw(); } });
const timedSays = made("span");
const timed = made("label", { hidden: true, class: "es-option-times" }, times, timedSays);
fields.replaceChildren(language.whole, translation.whole, timed);

const offer = ({ select, whole }, none, options, value, isOffered) => {
  const listed = JSON.stringify([none, options]);
  if (select.dataset.listed !== listed) {
    select.dataset.listed = listed;
    select.replaceChildren(...[[none, ""], ...options].map(([text, code]) => made("option", { value: code }, text)));
  }
  const holds = isOffered && options.some(([, code]) => code === value) ? value : "";
  select.value = holds;
  whole.hidden = !isOffered;
  return holds;
};
const labels = (rows) => shelf.listed(rows.map((row) => row.label));
const knowsOne = (row) => row.languages?.length === 1;

// Sentences on what some of the chosen cannot do, or do by themselves.
const remarks = (rows, now) => {
  const found = [];
  const code = now.language;
  if (!code) {
    for (const assumed of new Set(rows.map((row) => row.assumes_language).filter(Boolean))) {
      found.push(`Unless told, taken for ${shelf.language(assumed)}: ${labels(rows.filter((row) => row.assumes_language === assumed))}.`);
    }
  } else {
    const deaf = rows.filter((row) => !shelf.mayUnderstand(row, code));
    if (deaf.length) found.push(`Skipped, for they do not understand ${shelf.language(code)}: ${labels(deaf)}.`);
    const own = rows.filter((row) => shelf.mayUnderstand(row, code) && !row.can_choose_language && !knowsOne(row));
    if (own.length) found.push(`Cannot be told the language, and find it out: ${labels(own)}.`);
  }
  if (now.translate_to) {
    const cannot = rows.filter((row) => !row.translates_to.includes(now.translate_to));
    if (cannot.length) found.push(`Skipped, for they do not translate to ${shelf.language(now.translate_to)}: ${labels(cannot)}.`);
    const untold = rows.filter((row) => !code && row.translates_from_told && row.assumes_language === now.translate_to && row.translates_to.includes(now.translate_to));
    if (untold.length) found.push(`Skipped until the spoken language is named, for they would take it for ${shelf.language(now.translate_to)} already: ${labels(untold)}.`);
    const told = shelf.chosen.filter((name) => rows.some((row) => row.takes_prompt && row.translates_to.includes(now.translate_to) && name.startsWith(row.name) && name.includes("#")));
    if (told.length) found.push(`Skipped, for a prompt and a translation cannot both be asked for: ${shelf.listed(told)}.`);
    found.push("A translation has no error rate.");
  }
  const prompted = rows.filter((row) => row.takes_prompt);
  if (document.querySelector("#es-terms textarea, #es-terms input")?.value.trim() && prompted.length && !shelf.chosen.some((name) => name.includes("#terms"))) {
    found.push(`Key terms are looked for in every transcript; they can also be told, with the prompt #terms, to ${labels(prompted)}.`);
  }
  return found;
};

const draw = () => {
  const rows = shelf.systems();
  const told = rows.filter((row) => row.can_choose_language && !knowsOne(row));
  const codes = told.some((row) => row.languages === null) ? shelf.rows : told;
  const targets = [...new Set(rows.flatMap((row) => row.translates_to))].map((code) => [shelf.language(code), code]);
  const now = {
    language: offer(language, "Any language", shelf.languages(codes), wanted.language, told.length > 0),
    spoken: wanted.language, // of the clip, whether or not a system can be told
    translate_to: offer(translation, "No translation", targets.sort(), wanted.translate_to, targets.length > 0),
    word_times: wanted.word_times,
  };
  const untimed = rows.filter((row) => !row.has_word_times);
  timed.hidden = untimed.length === rows.length;
  timedSays.textContent = untimed.length ? `Word times (not ${labels(untimed)})` : "Word times";
  times.checked = wanted.word_times;
  const text = remarks(rows, now).join(" ");
  if (said.textContent !== text) said.textContent = text;
  (element.closest("#es-options") ?? element).toggleAttribute("hidden", told.length + targets.length === 0 && timed.hidden && !text);
  const before = props.value ?? {};
  if (Object.keys(now).some((key) => before[key] !== now[key])) props.value = now;
};

// The server changes some of what is wanted; what it sends back of the browser's own says nothing new.
const take = () => {
  const value = props.value ?? {};
  if (!("spoken" in value)) for (const key of Object.keys(wanted)) if (key in value) wanted[key] = value[key];
  draw();
};

document.addEventListener("input", (event) => {
  if (event.target.closest?.("#es-terms")) draw();
});
shelf.listen(draw);
watch("value", take);
take();
