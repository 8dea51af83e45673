// Makes one node like another, touching only what differs, so that focus, scrolling and an open fold stay what they are.
const morph = (from, to) => {
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName) return from.replaceWith(to);
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    return;
  }
  for (const { name } of Array.from(from.attributes)) {
    const isTheirs = (from.nodeName === "DETAILS" && name === "open") || (from.nodeName === "BUTTON" && name === "disabled");
    if (!to.hasAttribute(name) && !isTheirs) from.removeAttribute(name);
  }
  for (const { name, value } of Array.from(to.attributes)) {
    if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
  const news = Array.from(to.childNodes);
  const olds = Array.from(from.childNodes);
  news.forEach((node, i) => (olds[i] ? morph(olds[i], node) : from.append(node)));
  olds.slice(news.length).forEach((node) => node.remove());
};
