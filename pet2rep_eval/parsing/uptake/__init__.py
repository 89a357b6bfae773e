"""What a clause says of uptake: negation × degree × direction × comparison compose to a state.

One pass over the tokens of a clause. A *cue* (uptake, FDG, 代谢) waits for a direction, a direction waits for what it
is about (uptake, or structure), a negation reaches to the end of its stretch. Nothing here knows of organs, save
that a comparison needs to know what it compares with.

The words are dealt with in the modules of this package, each building on the one before: the stretch of words and what
is open in it, targets of comparison, directions, comparisons, modifiers, nouns and joints, and the reader that walks.
"""

from pet2rep_eval.parsing.uptake.reader import COMPARING, read
from pet2rep_eval.parsing.uptake.records import Reading, Verdict

__all__ = ["COMPARING", "Reading", "Verdict", "read"]
