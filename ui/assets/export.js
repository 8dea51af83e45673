// Copy and download, made in the browser from {stem, and a text for each kind}: no file of a visitor's stays on the server.
const kinds = { csv: "text/csv", json: "application/json", html: "text/html", md: "text/markdown" };

const said = element.querySelector("[role=status]");
const draw = () => {
  element.querySelector(".es-export").hidden = !props.value;
  for (const button of element.querySelectorAll("button")) button.disabled = !props.value?.stem;
  said.textContent = "";
};

element.addEventListener("click", async (event) => {
  const { kind, copy } = event.target.closest?.(".es-export button")?.dataset ?? {};
  if (!(kind || copy) || !props.value?.stem) return;
  if (copy) {
    said.textContent = (await copied(props.value[copy])) ? "Copied" : "The browser did not allow copying";
    return;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([props.value[kind]], { type: `${kinds[kind]};charset=utf-8` }));
  link.download = `${props.value.stem}.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
});
watch("value", draw);
draw();
