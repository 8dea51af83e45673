// Copy and download. The value is {stem, and a text for each kind}; a text that is not there is asked for, and comes as
// value.made: {asked, name, text, address, said}. What is small is made a file in the browser, so that none stays on the server.
const kinds = { csv: "text/csv", json: "application/json", md: "text/markdown", srt: "application/x-subrip", vtt: "text/vtt" };

const said = element.querySelector("[role=status]");
let waiting = null; // {asked, resolve}: what the server is making

const draw = () => {
  const made = props.value?.made;
  if (waiting && made?.asked === waiting.asked) {
    waiting.resolve(made);
    waiting = null;
  } else if (!made) said.textContent = "";
  if (waiting && !props.value?.stem) { // something else runs by now
    waiting.resolve(null);
    waiting = null;
  }
  element.querySelector(".es-export").hidden = !props.value;
  for (const button of element.querySelectorAll("button")) button.disabled = !props.value?.stem || waiting !== null;
};

const madeOf = (kind) => {
  const { stem, [kind]: text } = props.value;
  if (text !== undefined) return Promise.resolve({ name: `${stem}.${kind}`, text });
  return new Promise((resolve) => {
    waiting = { asked: crypto.getRandomValues(new Uint32Array(2)).join("-"), resolve };
    said.textContent = "Making it…";
    draw();
    trigger("export", { kind, asked: waiting.asked });
  });
};

const save = (address, name) => {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
};

element.addEventListener("click", async (event) => {
  const { kind, copy } = event.target.closest?.(".es-export button")?.dataset ?? {};
  if (!(kind || copy) || !props.value?.stem || waiting) return;
  const made = await madeOf(kind || copy);
  said.textContent = made?.said ?? "";
  if (!made) return;
  if (copy) said.textContent = (await copied(made.text)) ? "Copied" : "The browser did not allow copying";
  else if (made.address) save(`${window.gradio_config?.root ?? ""}/${made.address}`, made.name);
  else if (typeof made.text === "string") {
    const address = URL.createObjectURL(new Blob([made.text], { type: `${kinds[kind]};charset=utf-8` }));
    save(address, made.name);
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }
});
watch("value", draw);
draw();
