"""What talking to a server takes, for the runner of served models.

connection  a request and the pieces of its answer: cancelled at once, bounded in size, asked again where it was refused
faults      what went wrong between here and there, in plain words, without addresses or keys
streams     bytes of an answer become JSON or events
heard       what a server says that it heard becomes text, words and segments
told        what it answers: pieces of text, why they ended, and what they took
"""
