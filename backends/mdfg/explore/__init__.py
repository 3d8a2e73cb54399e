"""Looking at a filtering run: one corpus, a selection in it, and questions that are answered by DuckDB.

No torch and no page in here, so a script may use it as the page does::

    corpus = Corpus.open(run_folder)
    dropped = Selection(show="dropped", spans=(Span("quality", 0.8, 1.0),), moved=((0, 150.0),))
    queries.tallied(corpus, dropped)              # the funnel under the moved limit
    queries.page(corpus, dropped, "quality", descending=True)
    reader.read(corpus, place, dropped)           # every value beside its limit, the evidence marked

``corpus``, ``loading``, ``texts``, ``shelf`` and ``kept`` open a run; ``selection``, ``address`` and ``query`` say what
is looked at; ``judging`` decides under moved limits; ``queries`` names what can be asked (``counts``, ``charts``,
``margins``, ``pages``); ``reader`` explains one document.
"""
