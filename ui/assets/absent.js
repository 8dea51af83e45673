// The systems that cannot run: folded away on a phone until somebody asks for them, and then as that person left them.
let isOpen = window.innerWidth > 760;
const hold = () => {
  const fold = element.querySelector("details");
  if (fold && fold.open !== isOpen) fold.open = isOpen;
};
element.addEventListener("click", (event) => {
  const summary = event.target.closest("summary");
  if (summary) isOpen = !summary.parentElement.open; // it opens or closes next
});
// Whoever draws the list anew opens it.
new MutationObserver(hold).observe(element, { childList: true, subtree: true, attributeFilter: ["open"] });
hold();
