// Copy and download, made in the browser: no file of a visitor's stays on the server. The value is {stem, and a text for
// each kind}; a text that is not there is asked for, and comes as value.made.
const kinds = { csv: "text/csv", json: "application/json", html: "text/html", md: "text/markdown" };

const said = element.querySelector("[role=status]");
let waiting = null; // {asked, resolve}: the text that the server is making

const draw = () => {
  const made = props.value?.made;
  if (waiting && made?.asked === waiting.asked) {
    waiting.resolve(made.text);
    waiting = null;
  } else if (!made) said.textContent = "";
  if (waiting && !props.value?.stem) { // something else runs by now
    waiting.resolve(null);
    waiting = null;
  }
  element.querySelector(".es-export").hidden = !props.value;
  for (const button of element.querySelectorAll("button")) button.disabled = !props.value?.stem || waiting !== null;
};

const textOf = (kind) => {
  const text = props.value[kind];
  if (text !== undefined) return Promise.resolve(text);
  return new Promise((resolve) => {
    waiting = { asked: crypto.getRandomValues(new Uint32Array(2)).join("-"), resolve };
    said.textContent = "Making it…";
    draw();
    trigger("export", { kind, asked: waiting.asked });
  });
};

element.addEventListener("click", async (event) => {
  const { kind, copy } = event.target.closest?.(".es-export button")?.dataset ?? {};
  if (!(kind || copy) || !props.value?.stem || waiting) return;
  const { stem } = props.value;
  const text = await textOf(kind || copy);
  said.textContent = "";
  if (text === null) return;
  if (copy) {
    said.textContent = (await copied(text)) ? "Copied" : "The browser did not allow copying";
    return;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: `${kinds[kind]};charset=utf-8` }));
  link.download = `${stem}.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
});
watch("value", draw);
draw();
