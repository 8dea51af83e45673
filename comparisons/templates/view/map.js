// Where in time the errors are: a line for each side, each kind at a height of its own as well as in a colour of its own.
const map = element.querySelector(".es-map");
const MAP_WIDTH = 1000;
const MAP_LINE = 6;

const drawMap = (value) => {
  const svg = map.querySelector("svg");
  svg.replaceChildren();
  map.hidden = !value.seconds;
  if (map.hidden) return;
  const { sides, passages, seconds } = value;
  const paths = sides.map(() => [[], [], []]);
  for (const [, , , cells] of passages) {
    cells.forEach((words, side) => {
      const top = side * MAP_LINE;
      for (const word of words) {
        if (!isWrong(word) || word[2] === null) continue;
        const kind = kindOf(word) - 1;
        const [from, height] = [[top + 1, 4], [top + 1, 2], [top + 3, 2]][kind]; // all of the line, its upper half, its lower half
        paths[side][kind].push(`M${Math.round((word[2] / 100 / seconds) * MAP_WIDTH * 10) / 10} ${from}v${height}`);
      }
    });
  }
  svg.setAttribute("viewBox", `0 0 ${MAP_WIDTH} ${sides.length * MAP_LINE}`);
  map.style.height = `${Math.max(14, sides.length * 7)}px`;
  for (const kinds of paths) {
    kinds.forEach((strokes, kind) => {
      if (!strokes.length) return;
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute("class", ["es-map-s", "es-map-d", "es-map-i"][kind]);
      path.setAttribute("d", [...new Set(strokes)].join("")); // what falls on the same dot is drawn once
      path.style.strokeWidth = strokes.length > 150 ? "1.2px" : "2.5px";
      svg.append(path);
    });
  }
  map.setAttribute("aria-valuemax", String(Math.floor(seconds)));
};

const showPlace = (at, seconds) => {
  if (!seconds) return;
  map.querySelector("i").style.left = `${(100 * Math.min(at, seconds)) / seconds}%`;
  map.setAttribute("aria-valuenow", String(Math.floor(at)));
  map.setAttribute("aria-valuetext", `${clockOf(at)} of ${clockOf(seconds)}`);
};

// ``go`` is told a place in seconds.
const followMap = (secondsOf, go) => {
  const placeAt = (event) => {
    const box = map.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * secondsOf();
  };
  map.addEventListener("pointerdown", (event) => {
    map.setPointerCapture(event.pointerId);
    go(placeAt(event));
  });
  map.addEventListener("pointermove", (event) => {
    if (map.hasPointerCapture(event.pointerId)) go(placeAt(event));
  });
  map.addEventListener("keydown", (event) => {
    const now = Number(map.getAttribute("aria-valuenow")) || 0;
    const to = { ArrowLeft: now - 5, ArrowRight: now + 5, PageUp: now - 60, PageDown: now + 60, Home: 0, End: secondsOf() }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    go(Math.min(secondsOf(), Math.max(0, to)));
  });
};
