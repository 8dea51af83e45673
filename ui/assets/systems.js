// The systems that answer: radio buttons as cards, drawn from {html, chosen}; the value holds the chosen name.
// New cards keep the choice where it can still be made.
let drawn = null;
const boxes = () => Array.from(element.querySelectorAll("input[type=radio]"));
const list = element.querySelector(".es-systems");

const draw = () => {
  const value = props.value || {};
  if (value.html !== drawn) {
    const held = list.contains(document.activeElement) ? document.activeElement.value : null;
    const open = list.querySelector(".es-fold")?.open;
    list.innerHTML = drawn = value.html || "";
    const fold = list.querySelector(".es-fold");
    if (fold && open) fold.open = true;
    if (held) boxes().find((box) => box.value === held)?.focus({ preventScroll: true });
  }
  for (const box of boxes()) box.checked = box.value === value.chosen;
};

element.addEventListener("change", (event) => {
  if (!event.target.matches?.("input[type=radio]")) return;
  props.value = { ...props.value, chosen: event.target.value };
  trigger("pick", {});
});
watch("value", draw);
draw();
