// A file that stands alone as the host of the transcripts side by side, inside a loop over its elements ".es-host". Each has
// the value as a script of JSON, the sound (or none) as an audio element, and the plain transcripts for who has no scripts.
if (!window.DecompressionStream) { // a browser from before 2023: what it would see without scripts
  element.innerHTML = element.querySelector("noscript").textContent;
  continue;
}
const isReadOnly = true;
const props = { value: element.querySelector("script").textContent.trim() };
const trigger = () => {};
const watch = () => {};

// Not the data: address itself, within which some browsers cannot go to a time.
const sound = element.querySelector(".es-sound");
const addressOf = () => {
  const [head, body] = sound.getAttribute("src").split(",");
  const text = atob(body);
  const bytes = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place += 1) bytes[place] = text.charCodeAt(place);
  return URL.createObjectURL(new Blob([bytes], { type: head.slice(5).split(";")[0] }));
};
if (sound) sound.hidden = true;
element.classList.toggle("es-silent", !sound);
