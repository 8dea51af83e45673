// What a judge has chosen and marked and not sent yet, kept in their browser, so that nothing they did is lost.
const key = `earshot.review ${location.pathname}`;

export const kept = (clip) => {
  try {
    const draft = JSON.parse(localStorage.getItem(key));
    return draft?.clip === clip ? draft : null;
  } catch {
    return null; // kept by nobody, or by another version
  }
};

export const keep = (draft) => {
  try {
    localStorage.setItem(key, JSON.stringify(draft));
  } catch {
    // A browser that keeps nothing: then the draft lives as long as the page.
  }
};

export const forget = () => {
  try {
    localStorage.removeItem(key);
  } catch {
    // There is nothing.
  }
};
