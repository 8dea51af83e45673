// Finding a system among many: search, filters and presets above the cards. `finder.fits` says which rows are shown, and
// `finder.unnamed` which of them do not say what was filtered by; cards.js draws them, the latter last. Begins after
// prompts.store.js (`made`) and picker.store.js (`shelf`).
const finder = (() => {
  const FEW = 8; // systems that are seen at a glance need no search
  const SIZES = [["Any size", ""], ["Up to 100 M", "1e8"], ["Up to 500 M", "5e8"], ["Up to 1 B", "1e9"], ["Up to 4 B", "4e9"]];
  const FILTERS = [
    ["here", "Here now", "Runs at once, without a download", (row) => row.state === "available"],
    ["streaming", "Made for streaming", "Made to be fed sound as it comes, though here it hears whole clips; or served, with text that arrives as it is made", (row) => row.is_streaming],
    ["chat", "Chat", "Answers questions about a clip", (row) => row.can_chat],
    ["times", "Word times", "Says when each word was said", (row) => row.has_word_times],
  ];
  const [OPEN, UNNAMED, ONE] = ["open", "unnamed", "is "]; // choices of a licence; any text may be one's name
  const bar = element.querySelector(".es-find");
  const on = new Set();
  let redraw = () => {};

  const search = made("input", { type: "search", class: "es-search", "aria-label": "Search systems", autocomplete: "off", spellcheck: false });
  const language = made("select", { "aria-label": "Understands the language" });
  const licence = made("select", { "aria-label": "Licence" });
  const size = made("select", { "aria-label": "Size" }, ...SIZES.map(([text, value]) => made("option", { value }, text)));
  const chips = FILTERS.map(([key, text, title]) => made("button", { type: "button", "data-filter": key, "aria-pressed": "false", title }, text));
  const opener = made("button", { type: "button", class: "es-find-more", "aria-expanded": "false" }, "Filters");
  const presets = made("div", { class: "es-presets", role: "group", "aria-label": "Presets" });
  const count = made("span", { role: "status" });
  const clear = made("button", { type: "button", class: "es-link" }, "Clear filters");
  const found = made("p", { class: "es-found" }, count, " ", clear);
  const narrow = made("div", { class: "es-narrow", role: "group", "aria-label": "Filters" }, language, licence, size, ...chips);
  bar.replaceChildren(made("div", { class: "es-finding" }, search, opener, narrow), presets, found);

  const words = () => search.value.toLowerCase().split(/\s+/).filter(Boolean);
  // A word is looked for in names; of languages, their code or the beginning of what they are called.
  const has = (row, word) =>
    [row.label, row.name, row.model ?? "", row.license ?? "", row.server ?? ""].some((text) => text.toLowerCase().includes(word)) ||
    (row.languages ?? []).some((code) => code === word || (word.length > 2 && shelf.language(code).toLowerCase().startsWith(word)));
  const isLicensed = (row) => {
    if (licence.value === OPEN) return row.license_is_open === true;
    return licence.value === UNNAMED ? row.license === null : row.license === licence.value.slice(ONE.length);
  };
  const licences = () => {
    const known = [...new Map(shelf.rows.filter((row) => row.license !== null).map((row) => [row.license, row])).values()];
    known.sort((one, other) => one.licence.localeCompare(other.licence, "en"));
    const group = (label, rows) => (rows.length ? [made("optgroup", { label }, ...rows.map((row) => made("option", { value: ONE + row.license }, row.licence)))] : []);
    const open = known.filter((row) => row.license_is_open);
    return [
      ...(open.length ? [made("option", { value: OPEN }, "Open licences")] : []),
      ...group("Open, for any use", open),
      ...group("Others, by their own terms", known.filter((row) => !row.license_is_open)),
      ...(shelf.rows.some((row) => row.license === null) ? [made("option", { value: UNNAMED }, "Licence not named")] : []),
    ];
  };
  const fill = (select, text, options) => {
    const kept = select.value;
    select.replaceChildren(made("option", { value: "" }, text), ...options);
    select.value = kept;
    if (select.selectedIndex < 0) select.value = "";
  };
  const selects = [language, licence, size];
  const self = {
    get active() {
      return words().length > 0 || on.size > 0 || selects.some(({ value }) => value !== "");
    },
    // What does not say all its languages, or its size, may have them, so it is not hidden.
    fits: (row) =>
      words().every((word) => has(row, word)) &&
      FILTERS.every(([key, , , fits]) => !on.has(key) || fits(row)) &&
      (language.value === "" || shelf.mayUnderstand(row, language.value)) &&
      (licence.value === "" || isLicensed(row)) &&
      (size.value === "" || row.parameters === null || row.parameters <= Number(size.value)),
    unnamed: (row) => [
      ...(language.value !== "" && !shelf.names(row, language.value) ? ["languages"] : []),
      ...(size.value !== "" && row.parameters === null ? ["size"] : []),
    ],
    // New rows: their languages, their licences, their presets, their number.
    serve: () => {
      bar.hidden = shelf.rows.length <= FEW;
      fill(language, "Any language", shelf.languages(shelf.rows).map(([text, value]) => made("option", { value }, text)));
      fill(licence, "Any licence", licences());
      search.placeholder = `Search ${shelf.rows.length} systems: name, family, language`;
      presets.replaceChildren(
        ...(shelf.presets.length ? [made("span", {}, "Presets")] : []),
        ...shelf.presets.map(({ name, says, names }) =>
          made("button", { type: "button", "data-preset": name, title: says ?? "", disabled: !names.length, "aria-pressed": "false" }, name),
        ),
      );
    },
    // What was found, and which preset the choice is.
    say: (matching, unnamed, what) => {
      found.hidden = !self.active;
      clear.hidden = matching + unnamed === 0; // what stands instead of the cards has one
      const more = unnamed ? ` · ${unnamed} more ${unnamed > 1 ? "do not name their" : "does not name its"} ${what}` : "";
      const text = self.active ? `${matching} of ${shelf.rows.length} systems match${more}` : "";
      if (count.textContent !== text) count.textContent = text;
      const filters = on.size + selects.filter(({ value }) => value !== "").length;
      opener.textContent = filters ? `Filters (${filters})` : "Filters";
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
      search.value = "";
      for (const select of selects) select.value = "";
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
    else if (button === opener) opener.setAttribute("aria-expanded", String(bar.classList.toggle("es-all-filters")));
    else if (button?.dataset.filter) {
      const key = button.dataset.filter;
      if (!on.delete(key)) on.add(key);
      button.setAttribute("aria-pressed", String(on.has(key)));
      redraw();
    }
  });
  return self;
})();
