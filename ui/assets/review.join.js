// Somebody begins to judge: then the same address shows the first clip.
const form = document.getElementById("join");
const told = document.getElementById("told");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  told.textContent = "";
  try {
    const answer = await fetch(`${location.pathname.replace(/\/+$/, "")}/join`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name: form.elements.name.value.trim() || null }),
    });
    if (answer.ok) return location.reload();
    told.textContent = await answer.text();
  } catch {
    told.textContent = "There is no connection. Try again when there is.";
  }
  button.disabled = false;
});
