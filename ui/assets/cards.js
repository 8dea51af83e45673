// The contender cards: real check boxes in a field set, drawn from {html, chosen}; the value holds the chosen names.
// New cards with chosen null leave the ticks as they are: a visitor may have changed them since the server looked.
const list = element.querySelector(".es-pick");
let drawn = null;
let ticked = [];

const boxes = () => Array.from(list.querySelectorAll("input[type=checkbox]"));

const draw = () => {
  const value = props.value || {};
  if (value.html !== drawn) {
    const held = list.contains(document.activeElement) ? document.activeElement.value : null;
    const chosen = value.chosen ?? ticked;
    const open = list.querySelector(".es-fold")?.open;
    list.innerHTML = drawn = value.html || "";
    const fold = list.querySelector(".es-fold");
    if (fold && boxes().some((box) => fold.contains(box) && chosen.includes(box.value))) fold.open = true;
    else if (fold) fold.open = open ?? fold.open;
    if (held !== null) boxes().find((box) => box.value === held)?.focus({ preventScroll: true });
  }
  const keep = !Array.isArray(value.chosen);
  if (!keep) ticked = value.chosen;
  for (const box of boxes()) box.checked = ticked.includes(box.value) && box.getAttribute("aria-disabled") !== "true";
  if (keep) tell();
};

const tell = () => {
  ticked = boxes().filter((box) => box.checked).map((box) => box.value);
  props.value = { ...props.value, chosen: ticked };
};

element.addEventListener("click", (event) => {
  // A skipped card stays focusable, so that its reason can be read, but cannot be ticked.
  if (event.target.matches?.("input[aria-disabled=true]")) event.preventDefault();
});
element.addEventListener("change", tell);
watch("value", draw);
draw();
