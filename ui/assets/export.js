// Copy and download, made in the browser from {stem, csv, json, html, tsv}: no file of a visitor's stays on the server.
const kinds = { csv: "text/csv", json: "application/json", html: "text/html" };

const said = element.querySelector("[role=status]");
const draw = () => {
  element.querySelector(".es-export").hidden = !props.value?.csv;
  said.textContent = "";
};

element.addEventListener("click", async (event) => {
  const kind = event.target.closest?.("button[data-kind]")?.dataset.kind;
  if (!kind || !props.value) return;
  if (kind === "copy") {
    try {
      await navigator.clipboard.writeText(props.value.tsv);
      said.textContent = "Copied";
    } catch {
      said.textContent = "The browser did not allow copying";
    }
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
