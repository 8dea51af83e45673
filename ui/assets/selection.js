// What the choice takes, beside the button that runs it, in the words of comparisons/outlay.py. `made`:
// prompts.store.js; `shelf`: picker.store.js.
const [said, clear] = element.querySelector(".es-selection").children;

const downloads = (rows) => {
  // A model that two systems run is fetched once.
  const fetched = [...new Map(rows.filter((row) => row.state === "download").map((row) => [`${row.model}@${row.revision}`, row])).values()];
  if (!fetched.length) return [];
  const known = fetched.filter((row) => row.download_bytes !== null);
  const bytes = known.reduce((sum, row) => sum + row.download_bytes, 0);
  if (!bytes) return ["downloads of unknown size"];
  const least = known.length < fetched.length ? "at least " : "";
  const takes = `downloads ${least}${shelf.bytes(bytes)}`;
  if (shelf.free === null || bytes <= shelf.free) return [takes];
  return [made("b", { class: "es-full" }, `${takes}, more than the ${shelf.bytes(shelf.free)} free on the disk: free some, or choose fewer`)];
};

const memory = () => {
  if (shelf.need) return [`needs ${shelf.isNeedWhole ? "" : "at least "}${shelf.bytes(shelf.need)} of memory`];
  return shelf.isNeedWhole ? [] : ["needs an unknown amount of memory"];
};

const draw = () => {
  const count = shelf.chosen.length;
  const parts = count ? [`${count} chosen`, ...downloads(shelf.systems()), ...memory()] : ["No system chosen"];
  const drawn = made("span", {}, ...parts.flatMap((part, place) => (place ? [" · ", part] : [part])));
  if (said.innerHTML !== drawn.innerHTML) said.replaceChildren(...drawn.childNodes);
  clear.hidden = !count;
};

clear.addEventListener("click", () => shelf.clear());
shelf.listen(draw);
draw();
