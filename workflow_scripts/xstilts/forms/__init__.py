"""Forms of tasks. A form is a module with the same few names; nothing else in the code asks what form a task has.

Every form:

=============================  ===================================================================================
``FIELDS``                     the form's columns in prepared data: pairs of name and Arrow type
``normalise(record, labels)``  a raw record as a row with these fields; ValueError says what is wrong with it
``encode(rows, tokenizer,      prepared rows as the arrays of ``tokens.py``
lengths)``
``statistics(prediction,       statistics of one example, from which scores are sums
gold, scoring)``
``score(sums, examples)``      metrics, from the summed statistics of examples; in percent, but for losses
=============================  ===================================================================================

Forms with a head:

=============================  ===================================================================================
``batch(tokens, instances, key)``  what the model reads (``ids``, ``mask``) and what the loss needs, as two dicts of arrays;
                               what is drawn at random depends on the key alone
``head(width, labels,          the layer on the encoder's output, fresh in every phase
dropout)``
``head_size(width, labels)``   its parameters; not of a pretrained head, whose size is the model's to say
``loss(outputs, targets)``     mean loss of a batch
``terms(targets, instances)``      the number of terms that it is a mean over
``outputs(raw, targets)``      what is kept of the head's outputs for a batch: one value for each unit
``predict(rows, tokens, kept,  one prediction for each prepared row, as text
labels, decoding)``
``gold(row, labels)``          the right answer as text, in the same notation
``collapsed(predictions,       whether a model says one and the same thing where the right answers differ
gold)``
=============================  ===================================================================================

Forms that are evaluated by the vectors of texts:

=============================  ===================================================================================
``retrieve(rows, vectors,      by language, rows and their vectors to scored rows: number, prediction and gold
settings)``
``is_query(row)``              where a pool has rows that look for others: whether this one does
``keys(row)``                  what such a row looks for, and under what another one is found
=============================  ===================================================================================
"""

import importlib
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Form:
    """What plan and preparation have to know of a form.

    Attributes:
        trained: whether it has a head and can be trained.
        labelled: whether the task's label names decide the head's shape.
        one_label: whether an example has one label, which can be given to another (a control).
        own_labels: whether these names can come from the data.
        embedded: whether it is evaluated by vectors of texts, in place of a head's predictions.
        pooled: whether what is looked for in one language is looked for among that of all languages.
        searched: whether items are looked for among others: a limit on rows counts those that look for one.
        pretrained_head: whether the head is the model's own language-model head, never a fresh one.
        inputs: inputs of the model that a row of training data becomes; 0 for one for each choice.
        separable: whether the loss of a batch is the mean of what its instances have, whatever else is in it.
        needs: fields that a source's columns must give.
        takes: fields that they can give beside these.
        retrieval: settings of the recipe's section ``bitext`` that decide what is found.
        lengths: settings of the recipe's section of this form's name that decide how rows become inputs.
        decoding: those that decide how outputs become predictions.
    """

    trained: bool = True
    labelled: bool = True
    one_label: bool = False
    own_labels: bool = False
    embedded: bool = False
    pooled: bool = False
    searched: bool = False
    pretrained_head: bool = False
    inputs: int = 1
    separable: bool = True
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ("id", "cluster")
    retrieval: tuple[str, ...] = ()
    lengths: tuple[str, ...] = ()
    decoding: tuple[str, ...] = ()


_IDS = ("id", "cluster")
FORMS = {
    "classification": Form(one_label=True, needs=("text_a", "label"), takes=(*_IDS, "text_b")),
    "tagging": Form(own_labels=True, needs=("words", "tags")),
    "multiple_choice": Form(
        labelled=False, one_label=True, inputs=0, needs=("question", "choices", "label"), takes=(*_IDS, "context")
    ),
    "span": Form(
        labelled=False, needs=("context", "question", "answers"), lengths=("stride", "max_question_length"),
        decoding=("max_answer_length", "n_best", "null_threshold"),
    ),
    "mlm": Form(labelled=False, pretrained_head=True, needs=("text",), lengths=("mask_rate",)),
    "bitext": Form(
        trained=False, labelled=False, embedded=True, inputs=2, needs=("text", "translation"), retrieval=("direction",)
    ),
    "mining": Form(trained=False, labelled=False, embedded=True, searched=True, needs=("id", "text", "side", "match")),
    "retrieval": Form(
        labelled=False, embedded=True, pooled=True, searched=True, separable=False, inputs=2,
        needs=("query", "text"),
        takes=(*_IDS, "context", "keys"), lengths=("max_query_length",),
    ),
}  # fmt: skip


def get(name: str) -> ModuleType:
    """Return a form's module by the name that task files use."""
    return importlib.import_module(f"xstilts.forms.{name}")
