"""Coverage-guided fuzzing, with atheris, of all that reads what others have sent or written.

``python -m tests.fuzzing [NAME] --seconds N`` runs one harness, or one after the other.  What was learnt, and whatever
breaks something, is kept in ``.fuzzing``, from where the next run goes on.
"""
