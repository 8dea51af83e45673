// Hearing the clip: from a word on, a stretch over and over, and which word is being said in each column.
const audio = element.querySelector(".es-view audio");
const playButton = element.querySelector(".es-play");
const loopButton = element.querySelector(".es-loop");
const clockFace = element.querySelector(".es-clock");

const hearing = {
  path: null, // where the clip is; the host knows the whole address
  copy: false, // this is the copy that the server made
  loop: null, // [start, end] in seconds
  wanted: null, // what to do once the clip can be played
  columns: [], // of each column, the anchor's last: {starts, ends, nodes} in order
  lit: [],
};

const giveClip = (path) => {
  if (path === hearing.path) return;
  audio.pause();
  Object.assign(hearing, { path, copy: false, loop: null, wanted: null });
  if (path) audio.src = addressOf(path);
  else audio.removeAttribute("src");
  playButton.disabled = loopButton.disabled = !path;
  playButton.title = path ? "" : "The clip is not there any more";
};

// For each column the words that are said in it, as they are drawn.
const timeline = () => ({ starts: [], ends: [], nodes: [] });
const addTimes = (column, nodes) => {
  for (const node of nodes) {
    const start = startOf(node.word);
    if (start === null || kindOf(node.word) === 2) continue; // what is missing is not said there
    column.starts.push(start);
    column.ends.push(endOf(node.word));
    column.nodes.push(node);
  }
};

const LINGER_SECONDS = 0.4; // a word stays lit so long after its end, so that nothing flickers between words

const wordAt = ({ starts, ends, nodes }, time) => {
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= time + 0.01) low = middle + 1;
    else high = middle;
  }
  const last = low - 1;
  if (last < 0) return null;
  const end = ends[last] ?? starts[last] + 1;
  return time <= end + LINGER_SECONDS ? nodes[last] : null;
};

const light = (time) => {
  hearing.columns.forEach((column, number) => {
    const node = time === null ? null : wordAt(column, time);
    if (node === hearing.lit[number]) return;
    hearing.lit[number]?.classList.remove("es-lit");
    node?.classList.add("es-lit");
    hearing.lit[number] = node;
  });
};

// ``moved`` is told the time at each step.
const followClip = (moved, told) => {
  const step = () => {
    const { loop } = hearing;
    if (loop && !audio.paused && (audio.currentTime >= loop[1] || audio.currentTime < loop[0] - 0.25)) audio.currentTime = loop[0];
    moved(audio.currentTime);
    if (!audio.paused && element.isConnected) requestAnimationFrame(step);
  };
  const state = () => {
    playButton.lastChild.textContent = audio.paused ? " Play" : " Pause";
    playButton.firstElementChild.textContent = audio.paused ? "▶" : "❚❚";
    playButton.classList.toggle("es-on", !audio.paused);
  };
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    state();
    requestAnimationFrame(step);
  });
  audio.addEventListener("pause", state);
  audio.addEventListener("ended", () => {
    if (!hearing.loop) return;
    audio.currentTime = hearing.loop[0];
    play();
  });
  audio.addEventListener("seeked", () => audio.paused && moved(audio.currentTime));
  audio.addEventListener("loadedmetadata", () => {
    const { wanted } = hearing;
    hearing.wanted = null;
    wanted?.();
  });
  audio.addEventListener("error", () => {
    if (!hearing.path || !audio.error) return;
    if (hearing.copy || isReadOnly) {
      told("This browser cannot play the clip.");
      return;
    }
    hearing.copy = true;
    told("Making a copy of the clip that this browser can play …");
    trigger("unplayable", {});
  });
  watch("copy", () => {
    const { copy } = props;
    if (!copy || copy.of !== hearing.path || !hearing.copy) return;
    if (copy.audio) audio.src = addressOf(copy.audio);
    told(copy.audio ? "" : copy.fault || "This browser cannot play the clip.");
  });
};

const play = () => audio.play().catch(() => {}); // what cannot be played says so by its "error"

// Once there is a clip that plays, at once or after the server's copy has come.
const whenReady = (action) => {
  if (!hearing.path) return;
  if (audio.readyState >= 1) action();
  else {
    hearing.wanted = action;
    if (audio.networkState === HTMLMediaElement.NETWORK_IDLE) audio.load();
  }
};

const seek = (time) => whenReady(() => { audio.currentTime = time; });
const hearFrom = (time) => whenReady(() => {
  if (hearing.loop && (time < hearing.loop[0] || time >= hearing.loop[1])) setLoop(null);
  audio.currentTime = time;
  play();
});
const playOrPause = () => whenReady(() => (audio.paused ? play() : audio.pause()));

const setLoop = (stretch) => {
  hearing.loop = stretch;
  loopButton.setAttribute("aria-pressed", String(Boolean(stretch)));
  loopButton.textContent = stretch ? `Loop ${clockOf(stretch[0])} – ${clockOf(stretch[1])}` : "Loop";
};
