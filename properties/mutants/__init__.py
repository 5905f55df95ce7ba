"""Teeth: does the suite notice when the code is wrong? ``python -m properties.mutants``.

A *mutant* is the code with one real mistake put in by hand: a resolver that ignores the writer, a
gate that lets gaps through, a compaction that loses what came meanwhile. Each is a module, one or
more exact texts in it and what stands there instead (``mutant``), and is listed with the others of
its part of the code, together with the test files that ought to notice (``of_cells``,
``of_writing``, ``of_reading``, ``of_updates``, ``of_document``, ``of_store``, ``of_storage``,
``of_sync``; all in ``catalogue``).

Running them (``workbench``) copies the sources to a temporary folder, runs the chosen tests there
once on sound code, which must pass, and then once for each mutant, up to the first failure. A
mutant is *killed* when a test fails, when a test or the whole run takes far too long (it *hangs*),
or when the interpreter dies; otherwise it *survived*, and a test is missing. The sources themselves
are never touched. Hypothesis has a fixed seed and as many examples as in the default profile, and
does not shrink (``witness``), since a failure is all that is wanted.

    python -m properties.mutants                    # all of them; fails if under 95 % are killed
    python -m properties.mutants gate_open cells    # one, and a whole group
    python -m properties.mutants --list

What no test can notice, because it is right as well, is no mistake and is left out; a mutant that
is kept all the same says why in ``survives``, and still counts against the score. A survivor
without a reason is a test to be written.
"""
