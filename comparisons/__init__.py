"""What is done with transcripts, as plain data: no Gradio, and no speech system by name.

run             the contenders of a comparison, as events            compare       events folded into a ``Comparison``
normalise       texts made comparable                                reference     what was really said, and its files
align           two sequences of words -> what became of each        score         counts and rates from an alignment
uncertainty     the interval of a rate                               significance  whether two contenders differ
measures        what a rate does not say                             consensus     all hypotheses at once, no reference
marks           the alignment, on the words as they were written     side_by_side  passages across all contenders
figures         how figures are written                              pictures      the same, drawn
report          JSON, CSV, tables, one HTML file                     history       finished comparisons, kept
__main__        the command line
"""
