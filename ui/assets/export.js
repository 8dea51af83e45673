// Copy and download, made in the browser from {stem, csv, json, html, tsv}: no file of a visitor's stays on the server.
const kinds = { csv: "text/csv", json: "application/json", html: "text/html" };

const said = element.querySelector("[role=status]");
const draw = () => {
  element.querySelector(".es-export").hidden = !props.value;
  for (const button of element.querySelectorAll("button")) button.disabled = !props.value?.csv;
  said.textContent = "";
};

// Browsers lend the clipboard only to pages from this machine or over HTTPS; the old way works elsewhere too.
const copied = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "sr";
    element.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
};

element.addEventListener("click", async (event) => {
  const kind = event.target.closest?.("button[data-kind]")?.dataset.kind;
  if (!kind || !props.value?.csv) return;
  if (kind === "copy") {
    said.textContent = (await copied(props.value.tsv)) ? "Copied" : "The browser did not allow copying";
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
