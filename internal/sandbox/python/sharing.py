"""Keeps memory shared that processes forked from this one have in common.

A page is copied for a process as soon as it writes one byte there, and the interpreter writes where it only
reads: it counts references in each object itself, and new objects take the free places between the old ones.
settle() leaves neither to write to: what is here already stays for ever, and what comes has pages of its own.
"""

import ctypes
import gc
import os
import re
import sys
import types


def settle(practise):
    """Called before the first fork, when all is loaded that there will be.

    The process has to do first what its children will: the interpreter writes into code until it knows how that
    is used, and fills its caches.
    """
    for _ in range(_ENOUGH):
        practise()
    word = _word_of_immortals()
    if word is not None:  # or the rest is little beside the counts of references
        gc.collect()
        _fill_gaps()
        _move_busy_code(practise)
        for _ in range(_ENOUGH_OF_THE_MOVED):
            practise()
    gc.collect()
    if word is not None:
        _make_immortal(word)
    _fill_gaps()
    gc.freeze()


# How often something must be done until the interpreter knows how code is used, and until it sees that it was
# mistaken: it looks again when it was that 52 times.
_ENOUGH, _ENOUGH_OF_THE_MOVED = 8, 56


# --- code --------------------------------------------------------------------------------------------


def _move_busy_code(practise):
    """Moves together the code that the interpreter still writes into: where it cannot tell how code is used, it
    counts until it looks again."""
    functions = [o for o in gc.get_objects() if type(o) is types.FunctionType]
    codes = {}  # by their numbers: to be equal is not to be the same
    for f in functions:
        _add_code(f.__code__, codes)
    before = {i: _image(c) for i, c in codes.items()}
    for _ in range(_ENOUGH // 2):
        practise()
    busy = {i for i, c in codes.items() if _image(c) != before[i]}
    del before
    _fill_gaps()
    moved = {}
    for f in functions:
        _moved(f.__code__, busy, moved)
    for f in functions:
        f.__code__ = moved[id(f.__code__)]


def _add_code(code, codes):
    if id(code) not in codes:
        codes[id(code)] = code
        for c in code.co_consts:
            if type(c) is types.CodeType:
                _add_code(c, codes)


def _image(code):
    """The memory of a code object, without its count of references."""
    return ctypes.string_at(id(code) + 16, code.__sizeof__() - 16)


def _moved(code, busy, moved):
    """The code itself, or a copy where it or what is defined in it is busy."""
    if id(code) not in moved:
        constants = tuple(_moved(c, busy, moved) if type(c) is types.CodeType else c for c in code.co_consts)
        same = all(a is b for a, b in zip(constants, code.co_consts))
        moved[id(code)] = code if same and id(code) not in busy else code.replace(co_consts=constants)
    return moved[id(code)]


# --- immortal objects --------------------------------------------------------------------------------

# The versions that are known to keep counts in the low half of an object's first word, and to leave those of
# immortal objects alone: https://peps.python.org/pep-0683/
_KNOWN = ((3, 12), (3, 13))

# What a program may be in the middle of, and lets go of when it has ended.
_MORTAL = (types.FrameType, types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType, types.TracebackType)


def _word_of_immortals():
    """What immortal objects have for a count of references, None where that is not known for sure."""
    if (sys.implementation.name != "cpython" or sys.version_info[:2] not in _KNOWN or "t" in sys.abiflags
            or hasattr(sys, "gettotalrefcount") or sys.byteorder != "little" or sys.maxsize < 1 << 32):
        return None
    word = _count_of(None)
    trial = object()
    _count_of(trial, word)
    many = [trial, None] * 100
    counts = {_count_of(trial), _count_of(None), word}
    del many
    counts |= {_count_of(trial), _count_of(None)}
    return word if counts == {word} and word > 1 << 31 else None


def _count_of(o, new=None):
    place = ctypes.c_uint32.from_address(id(o))
    if new is not None:
        place.value = new
    return place.value


def _make_immortal(word):
    """Makes all objects that can be found immortal."""
    at, code, referents, mortal = ctypes.c_uint32.from_address, types.CodeType, gc.get_referents, _MORTAL
    found = gc.get_objects()
    while found:
        o = found.pop()
        place = at(id(o))
        if place.value == word or isinstance(o, mortal):
            continue
        place.value = word
        if type(o) is code:  # does not tell what it refers to
            found += (o.co_consts, o.co_names, o.co_filename, o.co_name, o.co_qualname, o.co_linetable, o.co_exceptiontable)
        else:
            found += referents(o)


# --- gaps --------------------------------------------------------------------------------------------

_kept = []


def _fill_gaps():
    _fill_interpreters_gaps()
    _fill_librarys_gaps()


def _fill_interpreters_gaps():
    """Takes the free places between the small objects of the interpreter."""
    if not hasattr(sys, "_debugmallocstats"):
        return
    for _ in range(2):  # as the list of what was taken takes places too
        for size, free in _free_places():
            if size == 16:
                _kept.append([object() for _ in range(free)])
            elif size == 32:
                _kept.append([complex(n) for n in range(free)])
            elif size >= 48:
                _kept.append([bytes(size - 33) for _ in range(free)])


def _free_places():
    """The sizes of small objects, and how many of each would find a place, as the interpreter prints it."""
    saved, memory = os.dup(2), os.memfd_create("statistics")
    os.dup2(memory, 2)
    try:
        sys._debugmallocstats()
    finally:
        os.dup2(saved, 2)
        os.close(saved)
    rows = [line.split() for line in _text_of(memory).splitlines()]
    return [(int(row[1]), int(row[4])) for row in rows if len(row) == 5 and all(word.isdigit() for word in row)]


def _fill_librarys_gaps():
    """Takes the free places between the larger objects, which the C library has to find places for."""
    library = ctypes.CDLL(None)
    try:
        trim, info, malloc, fdopen, fclose = (
            getattr(library, name) for name in ("malloc_trim", "malloc_info", "malloc", "fdopen", "fclose"))
    except AttributeError:
        return  # another library than GNU's
    pointer, size_t = ctypes.c_void_p, ctypes.c_size_t
    malloc.restype = fdopen.restype = pointer
    malloc.argtypes, trim.argtypes, info.argtypes, fclose.argtypes = [size_t], [size_t], [ctypes.c_int, pointer], [pointer]
    trim(0)
    for _ in range(2):  # as reading what is free takes places too
        memory = os.memfd_create("statistics")
        stream = fdopen(os.dup(memory), b"w")
        info(0, stream)
        fclose(stream)
        main = _text_of(memory).partition("</heap>")[0]
        rows = re.findall(r'<(?:size|unsorted) from="(\d+)" to="(\d+)" total="\d+" count="(\d+)"/>', main)
        for least, most, count in sorted((tuple(map(int, row)) for row in rows), reverse=True):
            for _ in range(count):
                malloc(most - 8 if least == most else least - 8)
        for size in range(24, 1033, 16):  # seven of each of these are kept aside, and counted nowhere
            for _ in range(7):
                malloc(size)
    trim(0)


def _text_of(memory):
    os.lseek(memory, 0, os.SEEK_SET)
    text = os.read(memory, 1 << 20).decode()
    os.close(memory)
    return text
