// What this browser keeps of prompts: {own: templates, values: by variable, drafts: unsaved edits by template name}. One
// store a page, shared by every component whose script begins with this file; each change reads what is kept first,
// so that two tabs do not undo each other. Where the browser keeps nothing, it lasts as long as the page does.
const store = (window.earshotPrompts ??= (() => {
  const KEY = "earshot.prompts";
  const listeners = new Set();
  let kept = { own: [], values: {}, drafts: {} };
  let lasting = true;
  const served = { shelf: [], variables: {}, tasks: [] }; // built in and this site's; what the server knows of them

  const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  const texts = (value) => Object.fromEntries(Object.entries(isRecord(value) ? value : {}).filter(([, text]) => typeof text === "string"));
  const isTemplate = (value) => isRecord(value) && ["name", "task", "text"].every((field) => typeof value[field] === "string");
  const plain = ({ name, task, text, label, defaults }) => ({
    name, task, text, label: typeof label === "string" && label ? label : name, defaults: texts(defaults),
  });

  const read = () => {
    let text = null;
    try {
      text = localStorage.getItem(KEY);
    } catch {
      lasting = false;
    }
    if (!lasting || text === null) return;
    try {
      const value = JSON.parse(text);
      if (!isRecord(value)) throw new TypeError("not a record");
      kept = {
        own: (Array.isArray(value.own) ? value.own : []).filter(isTemplate).map(plain),
        values: texts(value.values),
        drafts: Object.fromEntries(
          Object.entries(isRecord(value.drafts) ? value.drafts : {}).filter(([, draft]) => isTemplate(draft)).map(([name, draft]) => [name, plain(draft)]),
        ),
      };
    } catch {
      try {
        localStorage.setItem(`${KEY}.unreadable`, text); // somebody may want it back
      } catch {
        lasting = false;
      }
    }
  };
  const tell = (by) => {
    for (const listener of listeners) listener(by);
  };
  read();
  window.addEventListener("storage", (event) => {
    if (event.key !== KEY) return;
    read();
    tell("another tab");
  });
  window.addEventListener("beforeunload", (event) => {
    if (!lasting && Object.keys(kept.drafts).length) event.preventDefault();
  });

  return {
    served,
    get kept() {
      return kept;
    },
    get lasting() {
      return lasting;
    },
    all: () => [...served.shelf, ...kept.own.map((template) => ({ ...template, origin: "own" }))],
    get: (name) => [...served.shelf, ...kept.own].find((template) => template.name === name),
    serve: (more) => {
      Object.assign(served, more);
      const taken = new Set(served.shelf.map((template) => template.name));
      if (kept.own.some((template) => taken.has(template.name))) {
        store.change(({ own, drafts }) => {
          // The site has taken the name since: the person's own wording stays, under another.
          for (const template of own.filter(({ name }) => taken.has(name))) {
            const before = template.name;
            template.name = store.unused(before);
            if (drafts[before]) drafts[template.name] = { ...drafts[before], name: template.name };
            delete drafts[before];
          }
        });
      }
      tell("the server");
    },
    change: (edit, by = null) => {
      read();
      edit(kept);
      try {
        localStorage.setItem(KEY, JSON.stringify(kept));
        lasting = true;
      } catch {
        lasting = false;
      }
      tell(by);
    },
    unused: (name) => {
      const taken = new Set([...served.shelf, ...kept.own].map((template) => template.name).concat(Object.keys(kept.drafts)));
      if (!taken.has(name)) return name;
      for (let n = 2; ; n += 1) {
        const next = `${name.slice(0, 39 - String(n).length)}-${n}`;
        if (!taken.has(next)) return next;
      }
    },
    listen: (listener) => listeners.add(listener),
    // {name} stands for a value; doubled braces stand for themselves.
    variables: (text) => {
      const found = Array.from(text.matchAll(/\{\{|\}\}|\{([^{}]*)\}/g), (match) => match[1]?.trim());
      return [...new Set(found.filter((name) => name !== undefined))];
    },
    gaps: (template) => store.variables(template.text).filter((name) => !(kept.values[name] ?? "").trim() && !(template.defaults?.[name] ?? "").trim()),
  };
})());

// An element with its properties and children; text is always text.
const made = (tag, properties = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && name !== "list") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
};
