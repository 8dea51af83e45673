// The cards begin, once all that draws them is there.
store.listen((by) => {
  if (by === element) return;
  const known = new Set(store.all().map((template) => template.name));
  for (const [system, templates] of picked) {
    const left = templates.filter((name) => name === OWN_WORDING || known.has(name) || !store.served.shelf.length);
    picked.set(system, left.length ? left : [OWN_WORDING]);
  }
  for (const told of list.querySelectorAll(".es-told")) {
    if (told.open) fill(told);
    sum(told);
  }
  tell(false);
});
finder.listen(() => {
  isWhole = false;
  draw();
});
shelf.listen(finder.mark);
shelf.clear = () => ask([]);
watch("value", served);
if (props.value?.rows === undefined && shelf.rows.length) {
  take(shelf.chosen); // the page has built this part of it anew
  finder.serve();
  draw();
} else served();
