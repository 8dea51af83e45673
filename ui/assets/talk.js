// A conversation, drawn from {now, quiet, exchanges: [{id, html, text}]}. The HTML is made, and escaped, on the server; only
// what changed is touched, so that a selection, an open fold and the focus stay while an answer comes.
const list = element.querySelector(".es-talk");
const quiet = element.querySelector(".es-hush");
const told = element.querySelector("[role=status]");

const made = (id, html) => {
  const box = document.createElement("template");
  box.innerHTML = html.trim();
  const node = box.content.firstElementChild;
  node.dataset.id = id;
  return node;
};

// An answer that grows past the lower edge takes the page along, unless somebody has scrolled away from it.
const below = () => list.getBoundingClientRect().bottom - window.innerHeight + (document.querySelector("#es-composer")?.offsetHeight ?? 0);

const draw = () => {
  const { now = null, quiet: hush = "", exchanges = [] } = props.value || {};
  hear(now);
  const held = list.contains(document.activeElement) ? document.activeElement : null;
  const wasBelow = below();
  const before = list.childElementCount;
  list.hidden = exchanges.length === 0;
  quiet.hidden = exchanges.length > 0;
  if (quiet.innerHTML !== hush) quiet.innerHTML = hush;
  exchanges.forEach(({ id, html }, i) => {
    let node = list.children[i];
    if (!node) list.append((node = made(id, html)));
    else if (node.drawn !== html) {
      node.querySelector(".es-editor")?.remove();
      if (node.dataset.id === id) morph(node, made(id, html));
      else node.replaceWith((node = made(id, html)));
    }
    node.drawn = html;
  });
  while (list.childElementCount > exchanges.length) list.lastElementChild.remove();
  const grew = list.childElementCount > before;
  if (exchanges.length && (grew || wasBelow < 60) && below() > 0) window.scrollBy({ top: below() + 12, behavior: "instant" });
  if (held && !held.isConnected) document.querySelector("#es-composer textarea")?.focus({ preventScroll: true });
  tick();
};

// The last question is edited where it stands.
const edit = (article) => {
  const question = article.querySelector(".es-question");
  const said = question.querySelector(".es-said");
  const form = document.createElement("form");
  form.className = "es-editor";
  form.innerHTML =
    '<textarea aria-label="Your question" rows="2"></textarea><div><button type="submit" class="es-primary">Ask again</button>' +
    '<button type="button" class="es-quit">Cancel</button></div>';
  const field = form.querySelector("textarea");
  field.value = said.textContent;
  question.classList.add("es-editing");
  question.append(form);
  const fit = () => {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight + 2}px`;
  };
  const close = () => {
    form.remove();
    question.classList.remove("es-editing");
    question.querySelector(".es-edit")?.focus({ preventScroll: true });
  };
  field.addEventListener("input", fit);
  form.querySelector(".es-quit").addEventListener("click", close);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) return;
    close();
    trigger("edit", { text });
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      close();
    }
  });
  fit();
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
};

element.addEventListener("click", async (event) => {
  const button = event.target.closest?.(".es-edit, .es-anew, .es-copy");
  if (!button) return;
  const article = button.closest("[data-id]");
  if (button.matches(".es-copy")) {
    const { text } = props.value.exchanges.find(({ id }) => id === article.dataset.id) ?? {};
    const done = await copied(text ?? "");
    button.textContent = done ? "Copied" : "Not allowed";
    told.textContent = done ? "Copied" : "The browser did not allow copying";
    setTimeout(() => { button.textContent = "Copy"; told.textContent = ""; }, 2000);
  } else if (button.matches(".es-edit")) edit(article);
  else {
    button.disabled = true;
    trigger("again", {});
  }
});
watch("value", draw);
draw();
