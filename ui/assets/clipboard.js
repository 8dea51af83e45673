// Browsers lend the clipboard only to pages from this machine or over HTTPS; the old way works elsewhere too.
const copied = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "sr";
    element.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
};
