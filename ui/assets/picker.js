// Finding a system among many: search, filters and presets above the cards. `finder.matches` says which rows are shown;
// cards.js draws them. Begins after prompts.store.js (`made`) and picker.store.js (`shelf`).
const finder = (() => {
  const FEW = 8; // systems that are seen at a glance need no search
  const SIZES = [["Any size", ""], ["Up to 100 M", "1e8"], ["Up to 500 M", "5e8"], ["Up to 1 B", "1e9"], ["Up to 4 B", "4e9"]];
  const FILTERS = [
    ["here", "Here now", "Runs at once, without a download", (row) => row.state === "available"],
    ["open", "Open licence", "May be used for anything, by its licence", (row) => row.is_open],
    ["streaming", "Streaming", "Made to be fed sound as it comes", (row) => row.is_streaming],
    ["chat", "Chat", "Answers questions about a clip", (row) => row.can_chat],
    ["times", "Word times", "Says when each word was said", (row) => row.has_word_times],
  ];
  const bar = element.querySelector(".es-find");
  const on = new Set();
  let redraw = () => {};

  const search = made("input", { type: "search", class: "es-search", "aria-label": "Search systems", autocomplete: "off", spellcheck: false });
  const language = made("select", { "aria-label": "Understands the language" });
  const size = made("select", { "aria-label": "Size" }, ...SIZES.map(([text, value]) => made("option", { value }, text)));
  const chips = FILTERS.map(([key, text, title]) => made("button", { type: "button", "data-filter": key, "aria-pressed": "false", title }, text));
  const more = made("button", { type: "button", class: "es-find-more", "aria-expanded": "false" }, "Filters");
  const presets = made("div", { class: "es-presets", role: "group", "aria-label": "Presets" });
  const count = made("span", { role: "status" });
  const clear = made("button", { type: "button", class: "es-link" }, "Clear filters");
  const found = made("p", { class: "es-found" }, count, " ", clear);
  const narrow = made("div", { class: "es-narrow", role: "group", "aria-label": "Filters" }, language, size, ...chips);
  bar.replaceChildren(made("div", { class: "es-finding" }, search, more, narrow), presets, found);

  const words = () => search.value.toLowerCase().split(/\s+/).filter(Boolean);
  // A word is looked for in names; of languages, their code or the beginning of what they are called.
  const has = (row, word) =>
    [row.label, row.name, row.model ?? "", row.license ?? "", row.server ?? ""].some((text) => text.toLowerCase().includes(word)) ||
    (row.languages ?? []).some((code) => code === word || (word.length > 2 && shelf.language(code).toLowerCase().startsWith(word)));
  const self = {
    get active() {
      return words().length > 0 || on.size > 0 || language.value !== "" || size.value !== "";
    },
    matches: (row) =>
      words().every((word) => has(row, word)) &&
      FILTERS.every(([key, , , fits]) => !on.has(key) || fits(row)) &&
      (language.value === "" || (row.languages ?? []).includes(language.value)) &&
      (size.value === "" || (row.parameters !== null && row.parameters <= Number(size.value))),
    // New rows: their languages, their presets, their number.
    serve: () => {
      bar.hidden = shelf.rows.length <= FEW;
      const kept = language.value;
      const any = made("option", { value: "" }, "Any language");
      language.replaceChildren(any, ...shelf.languages(shelf.rows).map(([text, value]) => made("option", { value }, text)));
      language.value = kept;
      if (language.selectedIndex < 0) language.value = "";
      search.placeholder = `Search ${shelf.rows.length} systems: name, family, language`;
      presets.replaceChildren(
        ...(shelf.presets.length ? [made("span", {}, "Presets")] : []),
        ...shelf.presets.map(({ name, says, names }) =>
          made("button", { type: "button", "data-preset": name, title: says ?? "", disabled: !names.length, "aria-pressed": "false" }, name),
        ),
      );
    },
    // What was found, and which preset the choice is.
    say: (matching) => {
      found.hidden = !self.active;
      clear.hidden = matching === 0; // what stands instead of the cards has one
      const text = self.active ? `${matching} of ${shelf.rows.length} systems match` : "";
      if (count.textContent !== text) count.textContent = text;
      const filters = on.size + (language.value !== "") + (size.value !== "");
      more.textContent = filters ? `Filters (${filters})` : "Filters";
    },
    mark: () => {
      const chosen = JSON.stringify([...shelf.chosen].sort());
      for (const button of presets.querySelectorAll("button")) {
        const { names } = shelf.presets.find(({ name }) => name === button.dataset.preset) ?? { names: [] };
        const able = names.filter((name) => shelf.get(name)?.state !== "skipped");
        button.setAttribute("aria-pressed", String(able.length > 0 && JSON.stringify(able.sort()) === chosen));
      }
    },
    clear: () => {
      search.value = language.value = size.value = "";
      on.clear();
      for (const chip of chips) chip.setAttribute("aria-pressed", "false");
      redraw();
      search.focus({ preventScroll: true });
    },
    listen: (listener) => {
      redraw = listener;
    },
  };
  bar.addEventListener("input", (event) => {
    event.stopPropagation();
    redraw();
  });
  bar.addEventListener("change", (event) => event.stopPropagation());
  bar.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.target !== search || !search.value) return;
    event.preventDefault();
    search.value = "";
    redraw();
  });
  bar.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button === clear) self.clear();
    else if (button === more) more.setAttribute("aria-expanded", String(bar.classList.toggle("es-all-filters")));
    else if (button?.dataset.filter) {
      const key = button.dataset.filter;
      if (!on.delete(key)) on.add(key);
      button.setAttribute("aria-pressed", String(on.has(key)));
      redraw();
    }
  });
  return self;
})();
