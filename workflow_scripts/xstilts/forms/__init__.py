"""Forms of tasks. A form is a module here; nothing else in the code asks what form a task has.

The module has a declaration, ``FORM`` (``declaration.py``), and the functions that this asks for (``interface.py``). It
is named in ``NAMES`` below and nowhere else. Planning imports it, so it imports torch inside of functions only.
"""

import importlib
from typing import cast

from xstilts.errors import UserError
from xstilts.forms.declaration import Form, Metric
from xstilts.forms.interface import FormModule, required_functions

NAMES = (
    "classification",
    "multiple_choice",
    "span",
    "tagging",
    "bitext",
    "mining",
    "retrieval",
    "mlm",
)


def _declared(name: str) -> Form:
    """Return the declaration of a form.

    Raises:
        UserError: if there is no such module, or its declaration cannot be used.
    """
    path = f"forms/{name}.py"
    try:
        form = importlib.import_module(f"{__name__}.{name}").FORM
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise
        raise UserError(f"{path}: no such module; NAMES in forms/__init__.py names it") from None
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{path}: the declaration FORM cannot be used: {error}") from error
    if not isinstance(form, Form):
        raise UserError(f"{path}: FORM is {form!r}; it must be a Form of forms/declaration.py")
    return form


FORMS: dict[str, Form] = {name: _declared(name) for name in NAMES}


def get(name: str) -> FormModule:
    """Return the module of a form by the name that task files use.

    Raises:
        UserError: if the module lacks a function that its declaration asks for.
    """
    module = importlib.import_module(f"{__name__}.{name}")
    missing = [function for function in required_functions(FORMS[name]) if not hasattr(module, function)]
    if missing:
        raise UserError(f"{module.__file__}: lacks the function {missing[0]}; forms/interface.py says what it returns")
    return cast(FormModule, module)


def metric_named(name: str) -> Metric:
    """Return a metric of any form; unit and direction are the same in all forms that have one of this name."""
    return next(form.metrics[name] for form in FORMS.values() if name in form.metrics)
