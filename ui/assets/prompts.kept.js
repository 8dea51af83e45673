// Says to the server what this browser keeps: the value is {own, values}, "change" tells that it is another one.
store.serve({ shelf: props.shelf, variables: props.variables, tasks: props.tasks });
let told = JSON.stringify({ own: [], values: {} });
let waiting = null;

const tell = () => {
  props.value = JSON.parse(told);
  clearTimeout(waiting);
  waiting = setTimeout(() => trigger("change"), 200); // not for every key pressed
};
const give = () => {
  const text = JSON.stringify({ own: store.kept.own, values: store.kept.values });
  if (text === told) return;
  told = text;
  tell();
};
// What is told while the page is still being built is taken back by it once.
watch("value", () => {
  if (JSON.stringify(props.value) !== told) tell();
});
store.listen(give);
give();
