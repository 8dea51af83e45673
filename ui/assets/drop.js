// Gradio's audio field turns away what the browser does not call audio: videos, and recordings that it takes for videos.
// Earshot decodes those too, so a file dropped there goes the way of the "Open any file" button.
const { field: fieldId, opener } = element.querySelector("[data-field]").dataset;
const catcher = (event) => {
  const file = event.dataTransfer?.files?.[0];
  const field = event.target.closest?.(`#${fieldId}`);
  const input = document.querySelector(`#${opener}`)?.parentElement.querySelector("input[data-testid$='-upload-button']");
  if (!file || !field || !input || file.type.startsWith("audio/")) return;
  event.preventDefault();
  event.stopPropagation();
  const moved = new DataTransfer();
  moved.items.add(file);
  input.files = moved.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
};
document.addEventListener("drop", catcher, true);
