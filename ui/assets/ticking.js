// Seconds that pass while somebody waits: each .es-elapsed counts from its data-since, which is on the server's clock.
const seconds = () => performance.now() / 1000;
let offset = Infinity; // this browser's clock minus the server's; the quickest message knows it best

const hear = (now) => {
  if (now !== null) offset = Math.min(offset, seconds() - now);
};

const tick = () => {
  for (const clock of element.querySelectorAll(".es-elapsed[data-since]")) {
    const passed = Math.max(0, Math.floor(seconds() - offset - Number(clock.dataset.since)));
    const text = passed < 60 ? `${passed} s` : `${Math.floor(passed / 60)}:${String(passed % 60).padStart(2, "0")} min`;
    if (clock.textContent !== text) clock.textContent = text;
  }
};
const ticking = setInterval(() => (element.isConnected ? tick() : clearInterval(ticking)), 200);
