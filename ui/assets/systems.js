// The systems that answer: radio buttons as cards, drawn from {html, chosen}; the value holds the chosen name.
// New cards keep the choice where it can still be made: a visitor may have made it since the server looked. Where the page is
// narrow the cards are folded to the chosen one, by ask.css.
let drawn = null;
let chosen = null;
let touched = false; // the choice was made with a pointer, not with keys
const boxes = () => Array.from(element.querySelectorAll("input[type=radio]"));
const list = element.querySelector(".es-systems");

const unfold = (open) => {
  list.classList.toggle("es-all", open);
  const others = list.querySelector(".es-others");
  if (!others) return;
  others.setAttribute("aria-expanded", String(open));
  others.textContent = open ? others.dataset.fewer : others.dataset.more;
};

const choose = (name) => {
  chosen = name;
  props.value = { ...props.value, chosen };
  trigger("pick", {});
};

const draw = () => {
  const value = props.value || {};
  if (value.html !== drawn) {
    const held = list.contains(document.activeElement) ? document.activeElement : null;
    const open = list.querySelector(".es-fold")?.open;
    list.innerHTML = drawn = value.html || "";
    const fold = list.querySelector(".es-fold");
    if (fold && open) fold.open = true;
    unfold(list.classList.contains("es-all"));
    if (held?.matches("input")) boxes().find((box) => box.value === held.value)?.focus({ preventScroll: true });
    else if (held) list.querySelector(held.matches("button") ? ".es-others" : ".es-fold summary")?.focus({ preventScroll: true });
  }
  const isThere = boxes().some((box) => box.value === chosen);
  for (const box of boxes()) box.checked = box.value === (isThere ? chosen : value.chosen);
  if (!isThere) chosen = value.chosen;
  else if (chosen !== value.chosen) choose(chosen);
};

element.addEventListener("pointerdown", () => { touched = true; });
element.addEventListener("keydown", () => { touched = false; });
element.addEventListener("change", (event) => {
  if (event.target.matches?.("input[type=radio]")) choose(event.target.value);
});
element.addEventListener("click", (event) => {
  if (touched && event.target.matches?.("input[type=radio]")) unfold(false); // the one that was chosen before, too
  if (!event.target.matches?.(".es-others")) return;
  unfold(!list.classList.contains("es-all"));
  if (!touched) boxes().find((box) => box.checked)?.focus();
});
watch("value", draw);
draw();
