"""The page and its API: the only Gradio code. ``assets/`` holds its templates, scripts and styles, named by what they are of.

page          around the tabs, and its server                  theme          how it looks, light and dark
desk          what tabs and API share: offers, clips, runs     asked          what is asked of a comparison
people        who asks, and whose is what                      lookout        what the machine offers, found out aside
components    the page's own components                        templates      its templates, all text escaped
views         plain data -> HTML                               prose          what a model wrote, taken apart for reading

compare_tab   a clip, systems, what each makes of it           ask_tab        a conversation about the clip
picker        what the cards are made of                       options        what is asked of all that are chosen
references    the reference field                              samples        the clips that ship
results       what is shown of a comparison                    side_by_side   texts beside each other
folds         what is drawn when somebody opens it             take_away      files and texts to take along
conversations one at a time is answered                        prompts_panel  prompt templates, read and written

history_tab   what was compared before                         kept           what it shows
reviews_tab   blind reviews, made and followed                 outcomes       what came of them
models_tab    models fetched and removed                       shelf          what it shows

api           the named endpoints                              history_api    those for what is kept
doors         plain routes beside Gradio's                     shared         behind a comparison's link
review_pages  behind a review's link
"""
