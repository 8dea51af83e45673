// Buttons under the reference field: each says by its name what is to be done.
const events = { restore: () => trigger("restore"), back: () => trigger("back"), empty: () => trigger("empty") };
element.addEventListener("click", (event) => events[event.target.closest?.("button[data-does]")?.dataset.does]?.());
