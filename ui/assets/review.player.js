// Plays a clip and knows how much of it was heard, whatever was skipped.
const ENOUGH = 0.9;
const by = (id) => document.getElementById(id);

const clock = (seconds) => {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
};

export const player = ({ onHeard, onTime, say }) => {
  const audio = new Audio();
  audio.preload = "auto";
  const play = by("play");
  const place = by("place");
  const time = by("time");
  const heard = by("heard");
  let isHeard = false;
  let told = 0; // the share that was said last, in tenths: a screen reader need not count along
  let seconds = 0; // as the server says

  const duration = () => (Number.isFinite(audio.duration) && audio.duration > 0 ? audio.duration : seconds);
  const share = () => {
    let sum = 0;
    for (let i = 0; i < audio.played.length; i += 1) sum += audio.played.end(i) - audio.played.start(i);
    return duration() ? sum / duration() : 0;
  };
  const tell = () => {
    const text = isHeard ? "" : told ? `You have heard ${told * 10} %: hear it all, then vote.` : "Hear the clip first, then vote.";
    if (heard.textContent !== text) heard.textContent = text;
  };
  const draw = () => {
    const at = audio.currentTime;
    place.max = duration();
    place.value = at;
    place.setAttribute("aria-valuetext", `${clock(at)} of ${clock(duration())}`);
    time.textContent = `${clock(at)} / ${clock(duration())}`;
    onTime(audio.ended ? 0 : at);
    if (isHeard) return;
    const part = share();
    told = Math.min(9, Math.floor(part * 10));
    if (part >= ENOUGH) {
      isHeard = true;
      onHeard();
    }
    tell();
  };
  const seek = (to) => {
    audio.currentTime = Math.min(Math.max(0, to), duration());
    draw();
  };
  const start = async () => {
    if (audio.error) audio.load();
    try {
      await audio.play();
    } catch (fault) {
      if (fault.name !== "AbortError") say("The clip cannot be played now. Is there a connection? Press Play to try again.");
    }
  };
  const toggle = () => (audio.paused ? start() : audio.pause());

  for (const event of ["timeupdate", "durationchange", "ended", "pause", "seeked"]) audio.addEventListener(event, draw);
  audio.addEventListener("play", () => {
    play.textContent = "Pause";
    say("");
  });
  audio.addEventListener("pause", () => (play.textContent = "Play"));
  play.addEventListener("click", toggle);
  by("back").addEventListener("click", () => seek(audio.currentTime - 5));
  by("on").addEventListener("click", () => seek(audio.currentTime + 5));
  place.addEventListener("input", () => seek(Number(place.value)));

  return {
    toggle,
    step: (by) => seek(audio.currentTime + by),
    from: (at) => {
      seek(at);
      start();
    },
    load: (address, length, wasHeard) => {
      audio.pause();
      seconds = length;
      isHeard = wasHeard;
      told = 0;
      audio.src = address;
      play.disabled = false;
      draw();
      tell();
    },
    stop: () => audio.pause(),
  };
};
