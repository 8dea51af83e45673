// The Reviews tab, drawn from what the server says: {html, said, fault, made, kept, file}. It is asked again every ten seconds
// while somebody looks, since votes come from elsewhere; only what changed is touched.
const box = element.querySelector(".es-reviews");
const list = element.querySelector(".es-reviews-list");
const told = element.querySelector(".es-reviews-top [role=status]");
const unfolded = new Set();
let drawn = null;
let sure = null; // {id, what}: of what somebody was asked whether they mean it
let asking = 0;
let acting = 0;

const say = (text) => {
  if (told.textContent !== text) told.textContent = text;
};

const confirmRows = () => {
  for (const row of list.querySelectorAll("[data-id]")) {
    if (row.dataset.id === sure?.id) row.dataset.sure = sure.what;
    else delete row.dataset.sure;
  }
};

const draw = (html) => {
  if (html === drawn) return;
  const next = document.createElement("div");
  next.className = list.className;
  next.innerHTML = html;
  const held = list.contains(document.activeElement) ? document.activeElement : null;
  const heldIn = held?.closest("[data-id]")?.dataset.id;
  if (drawn === null) list.replaceChildren(...next.childNodes);
  else morph(list, next);
  drawn = html;
  for (const field of list.querySelectorAll(".es-link-row input")) field.value = field.getAttribute("value");
  confirmRows();
  if (held && (!held.isConnected || held.closest("[data-id]")?.dataset.id !== heldIn)) box.querySelector("[data-do=new]").focus({ preventScroll: true });
};

// What the server says; null where it says nothing.
const ask = async (asked) => {
  if (!asked.do && acting) return null;
  if (asked.do) acting += 1;
  const mine = ++asking;
  try {
    const answer = await server.told({ ...asked, unfolded: [...unfolded] });
    if (!answer) return null;
    if (answer.made) unfolded.add(answer.made);
    if (mine === asking) draw(answer.html);
    if (answer.said) say(answer.said);
    return answer;
  } catch {
    if (asked.do) say("Earshot does not answer. Is it still running? Reload the page when it is.");
    return null;
  } finally {
    if (asked.do) acting -= 1;
  }
};

const save = ({ name, text }) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: name.endsWith("json") ? "application/json" : "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
};

const button = (row, what, kind) =>
  list.querySelector(`[data-id="${row.dataset.id}"] button[data-do="${what}"]${kind ? `[data-kind="${kind}"]` : ""}`);

const act = async (pressed, row) => {
  const { do: what, kind } = pressed.dataset;
  const id = row.dataset.id;
  if (what === "sure") {
    sure = { id, what: kind };
    confirmRows();
    row.querySelector(`.es-sure[data-for="${kind}"] [data-do=keep]`).focus();
  } else if (what === "keep") {
    const { what: asked } = sure ?? {};
    sure = null;
    confirmRows();
    if (asked) button(row, "sure", asked)?.focus();
  } else if (what === "copy") {
    const field = row.querySelector(".es-link-row input");
    if (await copied(field.value)) say("The link is copied.");
    else {
      field.select();
      say("The link could not be copied: it is selected, copy it by hand.");
    }
  } else if (what === "unfold" || what === "fold") {
    if (what === "fold") unfolded.delete(id);
    else unfolded.add(id);
    if (unfolded.size > 5) unfolded.delete(unfolded.values().next().value);
    await ask({ do: "show" });
    (button(row, "fold") ?? button(row, "unfold"))?.focus({ preventScroll: true });
  } else {
    if (what === "close" || what === "delete") sure = null;
    pressed.disabled = true;
    const answer = await ask({ do: what, id, kind, names: row.querySelector(".es-names")?.checked === true });
    pressed.disabled = false;
    confirmRows();
    if (answer?.fault) say(answer.fault);
    if (answer?.file) save(answer.file);
    if (what === "withdraw") button(row, "renew")?.focus({ preventScroll: true });
  }
};

list.addEventListener("click", (event) => {
  const pressed = event.target.closest?.("button[data-do]");
  if (pressed) act(pressed, pressed.closest("[data-id]"));
});
list.addEventListener("focusin", (event) => {
  if (event.target.matches(".es-link-row input")) event.target.select();
});
list.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && event.target.closest?.(".es-sure");
  if (open) open.querySelector("[data-do=keep]").click();
});

const isSeen = () => !document.hidden && element.offsetParent !== null;
const looking = setInterval(() => {
  if (!element.isConnected) return clearInterval(looking);
  if (isSeen()) ask({});
}, 10_000);
new IntersectionObserver((seen) => seen.some((each) => each.isIntersecting) && ask({})).observe(element);
ask({});
