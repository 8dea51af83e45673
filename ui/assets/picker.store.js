// Which systems there are and which are chosen: one store a page, for the components that draw the choice or obey it. Rows are
// as `ui.picker.row` makes them; every text in them is shown as text.
const shelf = (window.earshotShelf ??= (() => {
  const KEY = "earshot.chosen";
  const MOST_KEPT = 200;
  const listeners = new Set();
  const tell = () => {
    for (const listener of listeners) listener();
  };
  const RARE = { aa: "Afar", ba: "Bashkir", bo: "Tibetan", kl: "Greenlandic" }; // not known to every browser
  let titles = null;
  try {
    titles = new Intl.DisplayNames(["en"], { type: "language" });
  } catch {
    titles = null; // codes, then
  }
  const self = {
    rows: [],
    presets: [],
    ticked: [], // names of systems
    chosen: [], // names of contenders, which say where and how they run and what they are told
    need: 0, // bytes of the largest: one runs at a time, and those before it make room
    isNeedWhole: true, // it is known of all of them
    free: null, // bytes on the disk that takes downloads
    get: (name) => self.rows.find((row) => row.name === name),
    systems: () => self.ticked.map(self.get).filter(Boolean),
    serve: (rows, presets, free) => {
      self.rows = Array.isArray(rows) ? rows : [];
      self.presets = Array.isArray(presets) ? presets : [];
      self.free = free ?? null;
    },
    choose: (ticked, chosen, byPerson) => {
      self.ticked = ticked;
      self.chosen = chosen;
      if (byPerson) {
        try {
          localStorage.setItem(KEY, JSON.stringify(chosen.slice(0, MOST_KEPT)));
        } catch {
          // chosen anew next time
        }
      }
      tell();
    },
    remembered: () => {
      try {
        const names = JSON.parse(localStorage.getItem(KEY) ?? "[]");
        return Array.isArray(names) ? names.filter((name) => typeof name === "string").slice(0, MOST_KEPT) : [];
      } catch {
        return [];
      }
    },
    listen: (listener) => listeners.add(listener),
    clear: () => {}, // cards.js does it
    language: (code) => {
      try {
        const title = titles?.of(code) ?? code;
        return title === code ? (RARE[code] ?? code) : title;
      } catch {
        return code; // none that the browser knows
      }
    },
    names: (row, code) => (row.languages ?? []).includes(code),
    // False of a language that a system is known not to understand.
    mayUnderstand: (row, code) => row.languages === null || row.understands_others || self.names(row, code),
    languages: (rows) => {
      const codes = [...new Set(rows.flatMap((row) => row.languages ?? []))];
      return codes.map((code) => [self.language(code), code]).sort(([one], [other]) => one.localeCompare(other, "en"));
    },
    // As comparisons.figures.bytes_ has it: 4_100_000_000 is "4.1 GB".
    bytes: (value) => {
      for (const [unit, size] of [["GB", 1e9], ["MB", 1e6]]) {
        if (value >= size) return `${(value / size).toFixed(value / size < 9.95 ? 1 : 0)} ${unit}`;
      }
      return `${(value / 1e3).toFixed(0)} kB`;
    },
    // "Whisper small, Canary and 3 more"
    listed: (labels) => {
      const each = [...new Set(labels)];
      return each.length > 4 ? `${each.slice(0, 3).join(", ")} and ${each.length - 3} more` : each.join(", ");
    },
  };
  return self;
})());
