// Opens the Models tab at a system's row, from anywhere on the page; models.js listens, or finds what was asked for when it is
// drawn for the first time.
const openModels = (name) => {
  window.earshotModel = name;
  const tabs = document.querySelectorAll('#es-tabs [role="tab"]');
  Array.from(tabs).find((tab) => tab.textContent.trim() === "Models")?.click();
  document.dispatchEvent(new CustomEvent("earshot:model"));
};
