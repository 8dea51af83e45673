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
    const open = new Map(Array.from(list.querySelectorAll(".es-fold"), (fold) => [fold.className, fold.open]));
    list.innerHTML = drawn = value.html || "";
    for (const fold of list.querySelectorAll(".es-fold")) {
      // On a phone, what cannot run at once must not stand between a person and the button.
      const holdsChosen = Array.from(fold.querySelectorAll("input"), (box) => box.value).some((name) => chosen.includes(name));
      fold.open = open.get(fold.className) ?? (holdsChosen || window.matchMedia("(min-width: 761px)").matches);
    }
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
