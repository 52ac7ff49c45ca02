"""Forms of tasks. A form is a module with the same few names; nothing else in the code asks what form a task has.

=============================  ===================================================================================
``FIELDS``                     the form's columns in prepared data: pairs of name and Arrow type
``normalise(record, labels)``  a raw record as a row with these fields; ValueError says what is wrong with it
``encode(rows, tokenizer,      prepared rows as the arrays of ``tokens.py``
lengths)``
``targets(tokens, units)``     what the loss needs for a batch of units, as arrays
``head(width, labels,          the layer on the encoder's output, fresh in every phase
dropout)``
``loss(outputs, targets)``     mean loss of a batch
``outputs(raw, targets)``      what is kept of the head's outputs for a batch: one array or tuple for each unit
``predict(rows, tokens, kept,  one prediction for each prepared row, as text
labels, decoding)``
``gold(row, labels)``          the right answer as text, in the same notation
``statistics(prediction,       statistics of one example, from which scores are sums
gold)``
``collapsed(predictions,       whether a model says one and the same thing where the right answers differ
golds)``
``score(sums, examples)``      metrics in percent, from the summed statistics of examples
=============================  ===================================================================================

Forms without training have ``FIELDS``, ``normalise``, ``encode``, ``statistics`` and ``score``.
"""

from types import ModuleType

from xstilts.forms import bitext, classification, multiple_choice, span, tagging

_FORMS = {
    "bitext": bitext,
    "classification": classification,
    "multiple_choice": multiple_choice,
    "span": span,
    "tagging": tagging,
}


def get(name: str) -> ModuleType:
    """Return a form by the name that task files use."""
    return _FORMS[name]
