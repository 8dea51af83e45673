// Single keys. They work anywhere on the page while the transcripts are on it, but never while somebody writes; who
// speaks to their computer, or rests a hand on the keys, can keep them to the transcripts. Where the transcripts of several
// clips stand on one page, keys are for the one that somebody is in.
const keysDialog = element.querySelector("dialog");
const everywhere = keysDialog.querySelector("input");
const KEPT_AS = "earshot-keys";

const KEYS = [
  [["n"], "next", "next error"],
  [["p"], "before", "previous error"],
  [[" "], "play", "play and pause"],
  [["l"], "loop", "loop the passage, or what is selected; again to stop"],
  [["j", "ArrowDown"], "down", "next passage"],
  [["k", "ArrowUp"], "up", "previous passage"],
  [["f"], "filter", "all passages, where they differ, only errors"],
  [["?"], "help", "these keys"],
  [["Escape"], "leave", "stop, and close this"],
];
const KEY_NAMES = { " ": "Space", ArrowDown: "↓", ArrowUp: "↑", Escape: "Esc" };

try {
  everywhere.checked = localStorage.getItem(KEPT_AS) !== "inside";
} catch { /* a browser that keeps nothing: they work everywhere */ }
everywhere.addEventListener("change", () => {
  try {
    localStorage.setItem(KEPT_AS, everywhere.checked ? "everywhere" : "inside");
  } catch { /* as above */ }
});

for (const [keys, , what] of KEYS) {
  const term = make("dt");
  keys.forEach((key, number) => term.append(number ? " " : "", make("kbd", "", KEY_NAMES[key] ?? key)));
  keysDialog.querySelector("dl").append(term, make("dd", "", what));
}

const FIELDS = "input, textarea, select, [contenteditable], [role=textbox], [role=combobox], [role=listbox], [role=menu]";

// Does what a key stands for; ``actions`` by the names above.
const followKeys = (view, actions) => {
  const pressed = (event) => {
    if (!element.isConnected) {
      document.removeEventListener("keydown", pressed);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (view.hidden || !view.offsetParent || document.querySelector("dialog[open]")) return;
    const { target } = event;
    if (target.closest?.(FIELDS)) return;
    const isInside = view.contains(target);
    const isAlone = document.querySelectorAll(".es-view").length === 1;
    if (!isInside && (!everywhere.checked || !isAlone || target.closest?.("#es-audio, [role=tab], [role=slider]"))) return;
    const isPressable = target.closest?.("button, a, summary, label");
    if (event.key === " " && (isPressable || (!isInside && target !== document.body))) return;
    if (event.key.startsWith("Arrow") && (!isInside || isPressable || target.closest("[role=slider]"))) return;
    if (event.repeat && [" ", "l", "f", "?"].includes(event.key)) return;
    const found = KEYS.find(([keys]) => keys.includes(event.key));
    if (!found || actions[found[1]]() === false) return;
    event.preventDefault();
  };
  document.addEventListener("keydown", pressed);
};

const showKeys = () => keysDialog.showModal();
keysDialog.addEventListener("click", (event) => event.target === keysDialog && keysDialog.close());
