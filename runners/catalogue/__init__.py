"""Which systems exist, and how they are named.

rows        a row a model
names       a name becomes a row
contenders  a name becomes a contender: a row and a prompt template
offers      what the settings say of rows
servers     what the settings say of served models
presets     selections with a name, and what a selection takes
listing     the rows as a table for readers
licenses    which licences are open
"""
