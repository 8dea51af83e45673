// What the choice takes, beside the button that runs it. `shelf` comes from picker.store.js.
const [said, clear] = element.querySelector(".es-selection").children;

const draw = () => {
  const rows = shelf.systems();
  const count = shelf.chosen.length;
  const parts = [`${count} chosen`];
  // A model that two systems run is fetched once.
  const fetched = [...new Map(rows.filter((row) => row.state === "download").map((row) => [`${row.model}@${row.revision}`, row])).values()];
  if (fetched.length) {
    const known = fetched.filter((row) => row.download_bytes !== null);
    const bytes = known.reduce((sum, row) => sum + row.download_bytes, 0);
    const least = known.length < fetched.length ? "at least " : "";
    parts.push(bytes ? `downloads ${least}${shelf.bytes(bytes)}` : "downloads of unknown size");
  }
  if (shelf.need) parts.push(`needs ${shelf.bytes(shelf.need)} of memory`);
  const text = count ? parts.join(" · ") : "No system chosen";
  if (said.textContent !== text) said.textContent = text;
  clear.hidden = !count;
};

clear.addEventListener("click", () => shelf.clear());
shelf.listen(draw);
draw();
