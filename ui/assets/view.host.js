// The page as the host of the transcripts side by side: Gradio gives element, props, trigger and watch.
const isReadOnly = false;
const addressOf = (place) => `${window.gradio_config?.root ?? ""}/${place}`;
