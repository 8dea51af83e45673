// The contender cards: real check boxes in a field set, drawn from {html, chosen}; the value holds the chosen names.
const list = element.querySelector(".es-pick");
let drawn = null;

const boxes = () => Array.from(list.querySelectorAll("input[type=checkbox]"));

const draw = () => {
  const value = props.value || {};
  const chosen = new Set(value.chosen || []);
  if (value.html !== drawn) {
    const held = list.contains(document.activeElement) ? document.activeElement.value : null;
    const old = list.querySelector("details");
    list.innerHTML = drawn = value.html || "";
    const rest = list.querySelector("details");
    // On a phone what cannot run must not stand between a person and the button.
    if (rest) rest.open = old ? old.open : window.matchMedia("(min-width: 761px)").matches;
    if (held !== null) boxes().find((box) => box.value === held)?.focus();
  }
  for (const box of boxes()) box.checked = chosen.has(box.value);
};

element.addEventListener("click", (event) => {
  // A skipped card stays focusable, so that its reason can be read, but cannot be ticked.
  if (event.target.matches?.("input[aria-disabled=true]")) event.preventDefault();
});
element.addEventListener("change", () => {
  props.value = { ...props.value, chosen: boxes().filter((box) => box.checked).map((box) => box.value) };
});
watch("value", draw);
draw();
