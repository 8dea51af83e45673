// Where the sides are wrong: one place a word of the anchor, or a gap before it, however many sides are wrong there.
const bare = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}\p{M}]+/gu, "") || text;

// [{passage, at, words: [[side, number in the cell]]}] in the order of the clip.
const placesOf = (value) => {
  const places = [];
  value.passages.forEach(([, , , cells], passage) => {
    const here = new Map();
    cells.forEach((words, side) => {
      words.forEach((word, number) => {
        if (!isWrong(word)) return;
        const at = word[4] ?? number;
        if (!here.has(at)) here.set(at, { passage, at, words: [] });
        here.get(at).words.push([side, number]);
      });
    });
    places.push(...[...here.values()].sort((one, other) => one.at - other.at));
  });
  return places;
};

// Whether a passage has an error, and whether its sides are not all wrong in the same way.
const lookAt = (cells) => {
  const signs = cells.map((words) =>
    words.filter(isWrong).map((word) => `${kindOf(word)} ${word[4] ?? ""} ${bare(word[0])}`).join("|"));
  return { wrong: signs.some(Boolean), differ: signs.some((sign) => sign !== signs[0]) };
};
