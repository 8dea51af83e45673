// The columns, drawn from {now, columns: [{id, html}]} in the order of the page. Only what changed is touched, node by
// node, so that focus, scrolling, an open log and a button under the pointer stay what they are.
const board = element.querySelector(".es-board");

const running = () => board.querySelector(".es-cancel") !== null;

// Who presses the button looks at what it does: where the columns are below the screen, the page goes there once.
const show = () => {
  if (board.getBoundingClientRect().top < window.innerHeight * 0.6) return;
  const behavior = window.matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
  document.querySelector("#es-rules").scrollIntoView({ block: "start", behavior });
};

const made = (id, html) => {
  const box = document.createElement("template");
  box.innerHTML = html.trim();
  const node = box.content.firstElementChild;
  node.dataset.id = id;
  if (["skipped", "cancelled"].includes(node.dataset.state)) {
    const again = document.createElement("button");
    again.type = "button";
    again.className = "es-again";
    again.textContent = "Try again";
    again.setAttribute("aria-label", `Try ${node.querySelector(".es-label").textContent} again`);
    node.append(again);
  }
  return node;
};

const draw = () => {
  const { now = null, columns = [] } = props.value || {};
  hear(now);
  const held = board.contains(document.activeElement) ? document.activeElement : null;
  const heldIn = held?.closest("[data-id]");
  const old = new Map(Array.from(board.children, (node) => [node.dataset.id, node]));
  const begins = columns.length > 0 && !running();
  let last = null;
  for (const { id, html } of columns) {
    let node = old.get(id);
    old.delete(id);
    if (!node) node = made(id, html);
    else if (node.drawn !== html) morph(node, made(id, html));
    node.drawn = html;
    const place = last ? last.nextElementSibling : board.firstElementChild;
    if (place !== node) board.insertBefore(node, place);
    last = node;
  }
  old.forEach((node) => node.remove());
  // A button that is gone hands its focus to its column, which stays where a keyboard user left it.
  if (held && !held.isConnected && heldIn?.isConnected) {
    heldIn.tabIndex = -1;
    heldIn.focus({ preventScroll: true });
  } else if (held && document.activeElement !== held) held.focus({ preventScroll: true });
  tick();
  if (begins && running()) show();
};

element.addEventListener("click", (event) => {
  const button = event.target.closest?.("button.es-cancel, button.es-again");
  if (!button) return;
  const { id: name } = button.closest("[data-id]").dataset;
  if (button.matches(".es-cancel")) {
    button.disabled = true;
    trigger("stop", { name });
  } else trigger("again", { name });
});
watch("value", draw);
draw();
