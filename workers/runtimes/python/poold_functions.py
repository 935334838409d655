"""poold_functions: which functions of a module are offered, and how they are called.

A part of poold_worker; not for functions."""

from poold_values import finish

GENERATOR, COROUTINE, ASYNC_GENERATOR = 0x20, 0x80, 0x200  # of inspect.CO_…, which takes 10 ms to import


def flags_of(function):
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    return code.co_flags if code is not None else 0


def refused(name):
    def refuse_generator(*_, **__):
        raise TypeError(f"{name} is a generator, which gives values one by one; return a list of them")

    return refuse_generator


def callable_for(name, function):
    """What to call for an item."""
    if flags_of(function) & (GENERATOR | ASYNC_GENERATOR):
        return refused(name)
    if flags_of(function) & COROUTINE:
        return lambda *args, **kwargs: finish(function(*args, **kwargs))
    return function


def unpacked(function):
    """For the items of a starmap."""

    def call(item):
        if type(item) is list:
            return function(*item)
        if type(item) is dict:
            return function(**item)
        raise TypeError(f"the items of a starmap are arrays or objects of arguments, not {type(item).__name__}")

    return call


def is_public(module, name, value):
    if not callable(value) or isinstance(value, type) or not name.isascii() or not name.isidentifier():
        return False
    if name in getattr(module, "__all__", ()):
        return True
    return not name.startswith("_") and getattr(value, "__module__", None) == module.__name__


def functions_of(module, only, initializer):
    if only is not None:
        function = getattr(module, only)
        if not callable(function):
            raise TypeError(f"{module.__name__}.{only} is no function")
        return {only: function}
    return {
        name: value
        for name, value in vars(module).items()
        if is_public(module, name, value) and name != initializer
    }


def summary_of(function):
    lines = (getattr(function, "__doc__", None) or "").strip().splitlines()
    return lines[0].strip() if lines else None


def offer(functions):
    entries = []
    for name, function in functions.items():
        entry = {"name": name}
        summary = summary_of(function)
        if summary:
            entry["summary"] = summary
        entries.append(entry)
    return entries
