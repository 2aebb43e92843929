"""How `qa/reader_model/` was made: prepare data, train, evaluate, export. Never imported at run time."""
