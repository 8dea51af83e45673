// Words as they are kept here, [text, code, start, end, at, reference, after, support], and as they are drawn. Text of
// transcripts is only ever put in as text.
const KINDS = ["hit", "substitution", "deletion", "insertion", "plain"];
const SHAPES = ["span", "u", "del", "ins", "span"].map((tag, code) => {
  const node = document.createElement(tag);
  node.className = ["es-v", "es-v es-s", "es-v es-d", "es-v es-i", "es-v"][code];
  return node;
});
// Words as comparisons.sides.drawn sends them, a list for each field, into an array for each word.
const unpacked = ([texts, codes, starts, ends, rest]) => {
  const words = texts.map((text, number) => [text, codes[number], starts[number], ends[number], null, null, null, null]);
  for (const [number, at, reference, after, support] of rest) {
    const word = words[number];
    [word[4], word[5], word[6], word[7]] = [at, reference, after, support];
  }
  return words;
};

// A value of comparisons.sides.drawn.plain, at once where it is short, else as a promise.
const read = (text) => {
  const taken = (value) => {
    value.passages = value.passages.map(([start, end, anchor, cells]) => [start, end, unpacked(anchor), cells.map(unpacked)]);
    return value;
  };
  if (!text) return null;
  if (text.startsWith("{")) return taken(JSON.parse(text));
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json().then(taken);
};

const kindOf = (word) => word[1] & 7;
const isWrong = (word) => kindOf(word) > 0 && kindOf(word) < 4;
const isInterpolated = (word) => (word[1] & 8) > 0;
const isCompound = (word) => (word[1] & 16) > 0;
const afterOf = (word) => word[6] ?? (word[1] & 32 ? "" : " ");
const startOf = (word) => (word[2] === null ? null : word[2] / 100);
const endOf = (word) => (word[3] === null ? null : word[3] / 100);

const clockOf = (seconds) => {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}:${two(whole % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
};

const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};

// What a mark means, for a pointer that rests on it and for who does not see it.
const meaning = (word, isReference) => {
  const there = isReference ? "the reference" : "the other text";
  if (isCompound(word)) return `written apart or together: ${there} has “${word[5]}”`;
  if (kindOf(word) === 1) return `${isReference ? "substituted" : "differs"}: ${there} has “${word[5]}”`;
  if (kindOf(word) === 2) return `${isReference ? "missing" : "not here"}: only ${there} has “${word[0]}”`;
  if (kindOf(word) === 3) return `${isReference ? "added" : "only here"}: ${there} does not have it`;
  return "";
};

const heardHow = (word) => {
  const start = startOf(word);
  if (start === null) return "";
  return isInterpolated(word) ? `≈ ${clockOf(start)}, estimated` : clockOf(start);
};

// One word; ``sides`` is how many could have it, for the support of a majority's.
const drawWord = (word, isReference, sides) => {
  const kind = kindOf(word);
  const node = SHAPES[kind].cloneNode(false);
  node.word = word;
  if (kind === 1 || kind === 2 || kind === 3) {
    if (isCompound(word)) node.classList.add("es-c");
    if (kind === 2) node.append(make("span", "es-sr", isReference ? "(missing: " : "(not here: "));
    node.append(word[0]);
    const rest = { 1: ` (for: ${word[5] ?? ""})`, 2: ")", 3: isReference ? " (added)" : " (only here)" }[kind];
    node.append(make("span", "es-sr", rest));
  } else node.textContent = word[0];
  const support = word[7] ?? null;
  if (support !== null && support < sides) {
    node.classList.add("es-some");
    node.append(make("sub", "es-support", `${support}/${sides}`));
  }
  return node;
};

const drawWords = (box, words, isReference, sides) => {
  const nodes = [];
  for (const word of words) {
    const node = drawWord(word, isReference, sides);
    nodes.push(node);
    box.append(node, afterOf(word));
  }
  return nodes;
};
