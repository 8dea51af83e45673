"""What is done with transcripts, as plain data: no Gradio, and no speech system by name.

run          the contenders of a comparison, as events        compare      events folded into a ``Comparison``
normalise    texts made comparable                            reference    what was really said
align        what became of each word                         score        counts and rates from an alignment
report       one HTML file that travels, sound inside         records      the same as plain data, for JSON
reading      that JSON, a comparison again                    made_with    the machine and the versions behind it
table        the same as text, for a terminal                 remarks      what is said beside figures
exports      every form of file, in one table                 sheets       CSV, a frame, the summary, Markdown
cells        what may stand in a spreadsheet's cell
cues         captions of a transcript: SubRip, WebVTT         sound        a clip as a small MP3
colours      of page and report, light and dark
pictures     the same, drawn (svg makes them fit any page)    figures      how figures are written
links        read-only addresses of what is kept              anonymous    a comparison without its systems' names
__main__     the command line (arguments: what is asked; bar: its progress; outlay: what it downloads, said first)

history/     finished comparisons kept: listed, searched, opened again, deleted, laid side by side
reviews/     people judge what is kept, blind: tasks, ballots, what came of them
texts/       raw words and what they stand for, what normalising did, whether a text is English
references/  captions and manifests that a reference is read from
statistics/  the interval of a rate, whether two contenders differ, several clips as one
beyond/      what a rate does not say: key terms, names, punctuation, text that was hardly said
agreement/   without a reference: all hypotheses aligned at once, the majority and who dissents
sides/       side by side: marked words, when each was said, passages across all contenders
templates/   of the report, and of a column on the page
"""
